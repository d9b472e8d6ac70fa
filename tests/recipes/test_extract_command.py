"""The command that embeds a list, by one process, by two, and killed."""

import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from speechbrain_moe.inference.embedding_shards import read_shard

N_FILES = 40


@pytest.fixture
def audio(corpus, tmp_path):
    """Folder and csv of 40 files."""
    files = sorted((corpus / "dev").rglob("*.wav"))
    paths = [str(file.relative_to(corpus / "dev")) for file in files]
    assert len(paths) == N_FILES
    pd.DataFrame({"path": paths}).to_csv(tmp_path / "list.csv", index=False)
    return tmp_path / "list.csv", corpus / "dev"


def command(recipe_folder, experiment, audio, out, *more):
    given = [recipe_folder / "extract.py", experiment, *audio, "--out", out]
    return [str(x) for x in (*given, "--shard_size", "5", *more)]


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # threads move last bits
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(out):
    """Rows of all shards in order, and who made each."""
    files = sorted(out.glob("shard_*.npz"))
    shards = [read_shard(file) for file in files]
    made_by = [tuple(np.load(file)["made_by"].tolist()) for file in files]
    rows = np.concatenate([shard.embeddings for shard in shards])
    return [p for shard in shards for p in shard.paths], rows, made_by


@pytest.mark.slow
def test_two_processes_give_what_one_gives_each_file_once(
    recipe_folder, experiment, audio, tmp_path
):
    one, two = tmp_path / "one", tmp_path / "two"
    said = run(*command(recipe_folder, experiment, audio, one))
    assert "8 made; all done: 40 embedded, 0 broken" in said
    torchrun = ["-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc_per_node", "2"]
    said = run(*torchrun, *command(recipe_folder, experiment, audio, two))
    assert "process 0 of 2: 4 made" in said
    assert "process 1 of 2: 4 made" in said
    paths, rows, made_by = contents(two)
    assert made_by == 4 * [(0, 2), (1, 2)]  # world size 2, both at work
    assert paths == pd.read_csv(audio[0]).path.tolist()
    assert np.array_equal(rows, contents(one)[1])
    assert len(np.unique(rows, axis=0)) == N_FILES


@pytest.mark.slow
def test_killed_run_goes_on_with_the_missing_shards(
    recipe_folder, experiment, audio, tmp_path
):
    out = tmp_path / "out"
    given = command(recipe_folder, experiment, audio, out)
    process = subprocess.Popen([sys.executable, *given])
    while len(list(out.glob("shard_*.npz"))) < 4:
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -9
    before = {x: x.stat().st_mtime_ns for x in out.glob("shard_*.npz")}
    assert 4 <= len(before) < 8
    assert f"{8 - len(before)} made; all done: 40 embedded" in run(*given)
    assert len(list(out.glob("shard_*.npz"))) == 8
    assert before == {x: x.stat().st_mtime_ns for x in before}


def test_broken_files_are_listed_and_text_lists_are_read(
    experiment, corpus, tmp_path, monkeypatch, capsys
):
    import extract

    path = "id00/s01/00000.wav"
    (tmp_path / "list.txt").write_text(f"{path}\nnowhere.wav\n")
    audio = (tmp_path / "list.txt", corpus / "dev")
    given = command(tmp_path, experiment, audio, tmp_path / "out")
    monkeypatch.setattr(sys, "argv", given)
    extract.main()
    assert "all done: 1 embedded, 1 broken" in capsys.readouterr().out
    broken = pd.read_csv(tmp_path / "out/broken.csv")
    assert broken.values.tolist() == [
        ["nowhere.wav", "no such file; correct the path"]
    ]


def test_shards_of_a_list_that_grew_are_not_left_beside_the_new(
    experiment, corpus, tmp_path, monkeypatch
):
    import extract

    paths = [f"id00/s01/0000{i}.wav" for i in range(5)]
    paths += [f"id01/s01/0000{i}.wav" for i in range(3)]
    out = tmp_path / "out"
    for n_files in (4, 8):
        (tmp_path / "list.txt").write_text("\n".join(paths[:n_files]))
        audio = (tmp_path / "list.txt", corpus / "dev")
        given = command(tmp_path, experiment, audio, out)
        monkeypatch.setattr(sys, "argv", given)
        extract.main()
    assert contents(out)[0] == paths


@pytest.mark.parametrize("name", ["nowhere.txt", "table.csv"])
def test_list_that_is_none_ends_with_status_2(
    name, tmp_path, monkeypatch, capsys
):
    import extract

    (tmp_path / "table.csv").write_text("file\na.wav\n")
    given = ["extract.py", "x", str(tmp_path / name), "y", "--out", "z"]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit) as ended:
        extract.main()
    assert ended.value.code == 2
    assert f"{name}: no list of files" in capsys.readouterr().err
