"""The subcommand embed."""

import numpy as np
import pandas as pd
import pytest

from speechbrain_moe.cli import main
from speechbrain_moe.inference import embedding_files
from speechbrain_moe.inference.shipped import open_recognition


@pytest.fixture
def model(experiment):
    return ("--model", experiment)


def test_embed_writes_the_embeddings_that_decisions_use(
    experiment, model, files, tmp_path, said
):
    out = tmp_path / "voices.npz"
    found = said("embed", *files, "-o", out, *model)
    assert found["n_embedded"] == 2 and found["left_out"] == {}
    with np.load(out) as arrays:
        assert arrays["paths"].tolist() == files
        embeddings = arrays["embeddings"]
    wanted = open_recognition(experiment).encode_files(files, batch_size=1)
    assert np.array_equal(embeddings, wanted)
    assert not (tmp_path / "voices.npz.parts").exists()


def test_a_file_that_cannot_be_used_is_named_and_the_rest_goes_on(
    model, files, tmp_path, said
):
    text = tmp_path / "a.wav"
    text.write_text("no sound")
    out = tmp_path / "voices.csv"
    found = said("embed", tmp_path, "-o", out, *model)
    assert [*found["left_out"]] == [str(text)]
    assert "cannot be decoded" in found["left_out"][str(text)]
    assert pd.read_csv(out).path.tolist() == files


def test_no_usable_file_ends_in_status_2(model, tmp_path, refused):
    (tmp_path / "a.wav").write_text("no sound")
    given = ("embed", tmp_path, "-o", tmp_path / "voices.npz", *model)
    assert "none of 1 files can be used" in refused(*given)


def test_an_unknown_form_is_refused_before_anything_runs(files, refused):
    said = refused("embed", *files, "-o", "out.mat", "--model", "nowhere")
    assert "out.mat: give a name that ends in" in said


@pytest.mark.parametrize(
    "out, words",
    [
        ("file/out.npz", "file is no folder"),
        ("folder.npz", "is a folder"),
        ("out.ark", "'two words.wav' holds white space"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    out, words, tmp_path, monkeypatch, refused
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "two words.wav").touch()
    (tmp_path / "folder.npz").mkdir()
    given = ("embed", "two words.wav", "-o", out, "--model", "nowhere")
    assert words in refused(*given)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_nothing_is_refused(
    batch_size, model, files, tmp_path, refused
):
    given = ("embed", *files, "-o", tmp_path / "out.npz", *model)
    said = refused(*given, "--batch_size", batch_size)
    assert f"batch_size is {batch_size}; give 1 or more" in said


def test_the_list_of_files_is_not_written_over(files, tmp_path, refused):
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["path", *files]))
    said = refused("embed", f"@{path}", "-o", path, "--model", "nowhere")
    assert "list.csv is read here" in said
    assert path.read_text().startswith("path")


def test_a_run_goes_on_where_the_shell_names_its_parts_too(
    model, files, tmp_path, monkeypatch, said
):
    def stop(*given):
        raise KeyboardInterrupt

    out, parts = tmp_path / "voices.npz", tmp_path / "voices.npz.parts"
    with monkeypatch.context() as stopped:
        stopped.setattr(embedding_files, "write_embeddings", stop)
        rest = ["-o", str(out), *map(str, model)]
        assert main(["embed", *files, *rest]) == 130
    (part,) = parts.iterdir()
    before = part.stat().st_mtime_ns
    with monkeypatch.context() as stopped:
        stopped.setattr(embedding_files, "write_embeddings", stop)
        assert main(["embed", *files, str(parts), *rest]) == 130
    assert part.stat().st_mtime_ns == before
    found = said("embed", *files, f"{parts}/", *rest)
    assert found["n_embedded"] == 2 and not parts.exists()


def test_parts_alone_are_nothing_to_embed(tmp_path, refused):
    parts = tmp_path / "voices.npz.parts"
    parts.mkdir()
    said = refused("embed", parts, "-o", tmp_path / "voices.npz")
    assert "no audio file in it" in said
