import numpy as np
import pytest
import soundfile

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.file_embeddings import QUALITY, describe_files
from speechbrain_moe.inference.sharded_extraction import (
    Share,
    make_shards,
    plan_shards,
    read_shards,
    share_of_process,
)

NAMES = [f"{i}.wav" for i in range(7)]


@pytest.fixture
def folder(tmp_path, voices):
    (tmp_path / "audio").mkdir()
    for name, wav in zip(NAMES, voices(7, 4000)):
        soundfile.write(tmp_path / "audio" / name, wav.numpy(), 16000)
    return tmp_path / "audio"


@pytest.fixture
def encoder(experiment):
    return load_encoder(experiment)


def test_shards_of_two_processes_equal_one_run_bit_for_bit(
    encoder, folder, tmp_path
):
    out = tmp_path / "out"
    made = [
        make_shards(encoder, NAMES, folder, out, Share(i, 2), shard_size=2)
        for i in (1, 0)
    ]
    assert [len(files) for files in made] == [2, 2]
    found = read_shards(encoder, NAMES, folder, out, shard_size=2)
    whole = describe_files(encoder, NAMES, folder)
    assert found.paths == NAMES
    assert np.array_equal(found.embeddings, whole.embeddings)
    for name in QUALITY:
        assert np.array_equal(found.quality[name], whole.quality[name])


def test_second_run_makes_the_missing_shard_alone(encoder, folder, tmp_path):
    task = encoder, NAMES, folder, tmp_path / "out"
    files = make_shards(*task, shard_size=3)
    before = [file.stat().st_mtime_ns for file in files]
    files[1].unlink()
    # On another number of processes
    made = make_shards(*task, Share(1, 2), shard_size=3)
    assert made == [files[1]]
    after = [file.stat().st_mtime_ns for file in files]
    assert [a == b for a, b in zip(before, after)] == [True, False, True]


def test_shards_of_another_model_are_told_and_made_anew(
    encoder, folder, tmp_path, caplog
):
    task = encoder, NAMES, folder, tmp_path / "out"
    make_shards(*task)
    before = read_shards(*task)
    for weight in encoder.mods.embedding_model.gate.parameters():
        weight.data.mul_(2)
    with pytest.raises(InputError, match="1 of 1 shards are missing or of an"):
        read_shards(*task)
    assert len(make_shards(*task)) == 1
    assert "of another model or list; made anew" in caplog.text
    changed = read_shards(*task).quality["entropy"]
    assert not np.allclose(changed, before.quality["entropy"])


def test_missing_shards_are_counted_and_named(encoder, folder, tmp_path):
    task = encoder, NAMES, folder, tmp_path / "out"
    make_shards(*task, Share(0, 2), shard_size=2)
    said = "2 of 4 shards are missing .*shard_00001_of_00004.npz"
    with pytest.raises(InputError, match=said):
        read_shards(*task, shard_size=2)


def test_broken_file_costs_its_own_row_alone(encoder, folder, tmp_path):
    (folder / "2.wav").write_bytes(b"")
    task = encoder, NAMES, folder, tmp_path / "out"
    make_shards(*task, shard_size=2)
    found = read_shards(*task, shard_size=2)
    assert found.paths == [name for name in NAMES if name != "2.wav"]
    assert [*found.broken] == ["2.wav"]


@pytest.mark.parametrize(
    ("paths", "size", "said"),
    [
        ([], 2, "list of files is empty"),
        (["a.wav", "b.wav", "a.wav"], 2, "a.wav stands in the list twice"),
        (["a.wav"], 0, "shard_size is 0"),
    ],
)
def test_list_that_cannot_be_cut_is_refused(paths, size, said):
    with pytest.raises(InputError, match=said):
        plan_shards(paths, "out", size)


def test_missing_audio_folder_is_refused(encoder, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        make_shards(encoder, NAMES, tmp_path / "nowhere", tmp_path / "out")


def test_share_is_that_of_torchrun_where_it_started_the_process(monkeypatch):
    assert share_of_process() == Share(0, 1)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert share_of_process() == Share(1, 3)
    assert share_of_process(0, 2) == Share(0, 2)


def test_process_without_a_number_of_them_is_refused():
    with pytest.raises(InputError, match="both process and n_processes"):
        share_of_process(1)
