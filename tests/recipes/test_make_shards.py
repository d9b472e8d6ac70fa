import json
import tarfile

import make_shards as script
import numpy as np
import pytest
import soundfile
from make_shards import ShardError, main, make_shards

from speechbrain_moe.training.shard_index import read_index as training_index
from speechbrain_moe.training.shards import read_shard

wds = pytest.importorskip("webdataset")


@pytest.fixture
def prepared(tmp_path):
    """A list of ten files of five speakers, and one of two unlabelled."""
    (tmp_path / "save").mkdir()
    rng = np.random.default_rng(0)
    rows = {"train": [], "unlabelled": []}
    for i in range(12):
        part = "train" if i < 10 else "unlabelled"
        spk_id = f"id{i // 2}" if i < 10 else ""
        path = f"{spk_id or 'more'}/s1/{i}.v2.FLAC"
        (tmp_path / part / path).parent.mkdir(parents=True, exist_ok=True)
        noise = rng.normal(0, 0.1, 800 + i)
        soundfile.write(tmp_path / part / path, noise, 16000, format="FLAC")
        rows[part].append(f"{path},{path},{spk_id},{(800 + i) / 16000}")
    for part, lines in rows.items():
        text = "\n".join(["ID,path,spk_id,duration_s", *lines]) + "\n"
        (tmp_path / f"save/{part}.csv").write_text(text)
    return tmp_path


@pytest.fixture
def pack(prepared):
    def run(**changes):
        settings = {"utts_per_shard": 4, **changes}
        return make_shards(
            prepared / "save", prepared / "train", prepared / "out", **settings
        )

    return run


def read_index(folder):
    return json.loads((folder / "out/index.json").read_text())


def shard_paths(folder):
    return [folder / "out" / s["name"] for s in read_index(folder)["shards"]]


def samples(folder):
    """What webdataset reads by itself, with no code of ours."""
    paths = [str(path) for path in shard_paths(folder)]
    return [*wds.WebDataset(paths, shardshuffle=False)]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_finds_each_row_with_its_file_byte_for_byte(pack, prepared):
    assert pack() == (3, 0, 10)
    found = samples(prepared)
    assert [s["__key__"] for s in found] == [f"{i:09d}" for i in range(10)]
    rows = [json.loads(sample["json"]) for sample in found]
    lines = [",".join(str(value) for value in row.values()) for row in rows]
    listed = (prepared / "save/train.csv").read_text().splitlines()[1:]
    assert sorted(lines) == sorted(listed)
    for row, sample in zip(rows, found):
        file = prepared / "train" / row["path"]
        assert sample["flac"] == file.read_bytes()


def test_a_training_takes_them_for_those_of_its_lists(pack, prepared):
    pack()
    index = training_index(prepared / "out", [prepared / "save/train.csv"])
    assert index.sizes == [4, 4, 2]
    found = [
        (number, json.loads(sample["json"])["duration_s"] * 16000)
        for url, start in zip(index.urls, (0, 4, 8))
        for number, sample in read_shard(url, [start + 1])
    ]
    assert [number for number, _ in found] == [1, 5, 9]
    assert all(800 <= round(n_samples) < 810 for _, n_samples in found)


def test_a_shard_holds_speakers_from_all_over_the_list(pack, prepared):
    pack(utts_per_shard=5)
    with tarfile.open(shard_paths(prepared)[0]) as tar:
        rows = [
            json.load(tar.extractfile(name))
            for name in tar.getnames()
            if name.endswith("json")
        ]
    assert len({row["spk_id"] for row in rows}) > 2


def test_the_index_counts_utterances_and_bytes(pack, prepared):
    pack()
    shards = read_index(prepared)["shards"]
    assert [shard["n_utts"] for shard in shards] == [4, 4, 2]
    sizes = [path.stat().st_size for path in shard_paths(prepared)]
    assert [shard["n_bytes"] for shard in shards] == sizes


def test_the_same_lists_and_files_give_the_same_bytes(pack, prepared):
    pack()
    first = [path.read_bytes() for path in shard_paths(prepared)]
    for path in shard_paths(prepared):
        path.unlink()
    pack()
    assert [path.read_bytes() for path in shard_paths(prepared)] == first


def test_a_second_run_writes_what_is_missing_alone(pack, prepared):
    pack()
    shard_paths(prepared)[1].unlink()
    assert pack() == (1, 2, 10)


def test_a_killed_run_leaves_whole_shards_and_no_index(
    pack, prepared, monkeypatch
):
    add, seen = script.add, []

    def die(*args):
        seen.append(args)
        if len(seen) == 15:
            raise KeyboardInterrupt
        add(*args)

    monkeypatch.setattr(script, "add", die)
    monkeypatch.setattr(script.os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        pack()
    monkeypatch.undo()
    assert not (prepared / "out/index.json").exists()
    for path in (prepared / "out").iterdir():
        with tarfile.open(path) as tar:
            assert len(tar.getnames()) in (4, 8)
    n_kept = pack().n_kept
    assert 1 <= n_kept < 3


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"utts_per_shard": 3},
        {"unlabelled": True},
        {"file": True},
        {"row": True},
    ],
)
def test_shards_of_anything_else_have_other_names(
    pack, prepared, caplog, change
):
    pack()
    before = {path.name for path in shard_paths(prepared)}
    if change.pop("unlabelled", False):
        change["unlabelled_folder"] = prepared / "unlabelled"
    if change.pop("file", False):
        path = prepared / "train/id0/s1/0.v2.FLAC"
        soundfile.write(path, np.zeros(99), 16000, format="FLAC")
    if change.pop("row", False):
        path = prepared / "save/train.csv"
        path.write_text(path.read_text().replace(",id0,", ",id9,"))
    pack(**change)
    assert not before & {path.name for path in shard_paths(prepared)}
    assert "holds 3 other shards" in caplog.text


def test_unlabelled_speech_is_packed_with_an_empty_speaker(pack, prepared):
    sharded = pack(unlabelled_folder=prepared / "unlabelled", utts_per_shard=99)
    [path] = shard_paths(prepared)
    with tarfile.open(path) as tar:
        names = [n for n in tar.getnames() if n.endswith("json")]
        rows = [json.load(tar.extractfile(name)) for name in names]
    assert sharded.n_utts == len(rows) == 12
    assert sum(row["spk_id"] == "" for row in rows) == 2


def test_a_missing_file_is_refused_by_name_before_any_shard(pack, prepared):
    (prepared / "train/id3/s1/7.v2.FLAC").unlink()
    with pytest.raises(ShardError, match="id3/s1/7.v2.FLAC: No such file"):
        pack()
    assert not (prepared / "out").exists()


def test_a_list_without_rows_is_refused(pack, prepared):
    (prepared / "save/train.csv").write_text("ID,path,spk_id,duration_s\n")
    with pytest.raises(ShardError, match="train.csv: lists no utterances"):
        pack()


def test_no_utterances_per_shard_is_refused(pack):
    with pytest.raises(ShardError, match="utts_per_shard is 0; give 1 or more"):
        pack(utts_per_shard=0)


def test_command_says_where_the_shards_are(prepared, capsys):
    folders = [str(prepared / name) for name in ("save", "train", "out")]
    assert main([*folders, "--utts_per_shard", "4"]) == 0
    said = capsys.readouterr().out
    assert "3 shards written, 0 kept, 10 utterances" in said
    assert main([str(prepared), *folders[1:]]) == 2
    assert "train.csv: no such list" in capsys.readouterr().err


def test_a_file_that_shrinks_while_it_is_packed_is_refused_by_name(
    pack, prepared, monkeypatch
):
    def longer(files):
        return [99999 for _ in files]

    monkeypatch.setattr(script, "file_sizes", longer)
    with pytest.raises(ShardError, match="FLAC: cannot be packed"):
        pack()
    assert not [*(prepared / "out").iterdir()]
