import http.server
import json
import shutil
import tarfile
import threading
from functools import partial

import numpy as np
import pytest
from shard_files import (
    BATCH_SIZE,
    N_UTTS,
    add,
    crop_maker,
    facts,
    ids,
    same,
    shard_loader,
    write_shards,
)

from speechbrain_moe.errors import AudioError, HyperparameterError
from speechbrain_moe.training.data import train_dataset, training_rows
from speechbrain_moe.training.draws import Draws
from speechbrain_moe.training.shard_index import read_index
from speechbrain_moe.training.shards import read_shard
from speechbrain_moe.training.teacher import Teacher

pytest.importorskip("webdataset")
ALL = {f"utt{i}" for i in range(N_UTTS)}
N_BATCHES = N_UTTS // BATCH_SIZE
workers = pytest.mark.parametrize("num_workers", [0, 2])


@workers
def test_an_epoch_has_each_utterance_once(corpus, num_workers):
    found = ids(shard_loader(corpus, Draws(1), num_workers, batch_size=2))
    assert [len(batch) for batch in found] == [2] * 13
    assert sorted(sum(found, [])) == sorted(ALL)


@workers
def test_shards_give_the_crops_that_files_give(corpus, num_workers):
    draws = Draws(seed=1)
    rows = {
        name: {**row, "path": str(corpus / part / row["path"])}
        for name, row in training_rows(corpus / "train.csv", "").items()
        for part in ["wav" if row["spk_id"] else "more"]
    }
    files = train_dataset(rows, crop_maker(draws))
    draws.epoch = 3
    wanted = {i["id"]: (i["spk_label"], i["sig"].numpy()) for i in files}
    found = {}
    for batch in shard_loader(corpus, draws, num_workers, batch_size=2):
        found |= facts(batch)
    same(found, wanted)
    assert {label for label, _ in found.values() if label < 5} > {-1, 0}


@workers
def test_epochs_differ_in_order_and_a_seed_repeats_them(corpus, num_workers):
    def epochs(seed):
        draws = Draws(seed)
        loader, found = shard_loader(corpus, draws, num_workers), []
        for draws.epoch in (1, 2):
            found.append(ids(loader))
        return found

    first, second = epochs(1)
    assert first != second and [first, second] == epochs(1)
    assert first != epochs(2)[0]


def test_lengths_are_those_of_what_is_given(corpus):
    loader = shard_loader(corpus, Draws(1))
    assert len(loader) == len(ids(loader)) == N_BATCHES


def test_a_batch_mixes_what_lies_apart(corpus):
    """The shards here are in the order of the list."""

    def shards_of_a_batch(n_shuffled):
        batches = ids(shard_loader(corpus, Draws(1), n_shuffled=n_shuffled))
        shards = [{int(name[3:]) // 5 for name in batch} for batch in batches]
        return np.mean([len(found) for found in shards])

    assert shards_of_a_batch(1) < 2 < shards_of_a_batch(1000)


def test_items_carry_what_a_teacher_says_of_unlabelled_speech_too(corpus):
    rows = {("wav", "0.wav"): 0, ("more", "25.wav"): 1}
    teacher = Teacher(rows, np.eye(2, dtype=np.float32))
    draws = Draws(seed=1)
    paths = [str(corpus / "wav/0.wav"), str(corpus / "more/25.wav")]
    make_crop = crop_maker(draws, teacher=teacher, paths=paths)
    loader = shard_loader(corpus, draws, make_crop=make_crop, batch_size=2)
    known = {}
    for batch in loader:
        for i, name in enumerate(batch.id):
            if batch.has_teacher[i]:
                known[name] = batch.teacher[i].tolist()
    assert known["utt25"] == [0, 1]
    assert known.keys() <= {"utt0", "utt25"}


@pytest.fixture
def served(corpus):
    """URL of the folder, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=corpus)
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="webdataset reads URLs by curl"
)


@needs_curl
@workers
def test_shards_are_read_over_http_too(corpus, served, num_workers):
    load = partial(shard_loader, corpus, Draws(1), num_workers)
    assert ids(load(shards=f"{served}/shards")) == ids(load())


@needs_curl
def test_what_http_does_not_have_is_refused_by_name(corpus, served):
    with pytest.raises(HyperparameterError, match="nowhere/index.json"):
        read_index(f"{served}/nowhere", [corpus / "train.csv"])
    with pytest.raises(AudioError, match="b.tar: .*copy it again"):
        next(read_shard(f"{served}/b.tar", [0]))


def test_shards_are_read_through_a_pipe_too(corpus):
    load = partial(shard_loader, corpus, Draws(1))
    assert ids(load(shards=f"pipe:cat {corpus}/shards/{{}}")) == ids(load())


def cut_off(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.3, 0.5])
def test_a_truncated_shard_is_refused_by_name(own, share):
    path = own / "shards/a-0.tar"
    cut_off(path, share)
    with pytest.raises(AudioError, match="a-0.tar: .*make_shards.py"):
        [*read_shard(str(path), range(5))]


@pytest.mark.parametrize("n_more", [0, 100])
def test_a_shard_cut_between_utterances_is_refused_by_name(own, n_more):
    """Where tarfile says nothing: what follows is no header."""
    path = own / "shards/a-0.tar"
    with tarfile.open(path) as tar:
        start = tar.getmember("000000003.json").offset
    path.write_bytes(path.read_bytes()[: start + n_more])
    with pytest.raises(AudioError, match="a-0.tar: 2 of 5 utterances are not"):
        [*read_shard(str(path), range(5))]


def test_an_utterance_without_its_audio_is_refused_by_name(own):
    path = own / "shards/a-0.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "000000000.json", "{}")
    with pytest.raises(AudioError, match="a-0.tar: an utterance lacks its"):
        [*read_shard(str(path), [0])]


def test_a_shard_truncated_in_the_course_of_a_training_ends_it(own):
    loader = shard_loader(own, Draws(1))
    cut_off(own / "shards/a-5.tar", 0.5)
    with pytest.raises(AudioError, match="a-5.tar: .*make_shards.py"):
        ids(loader)


def test_a_broken_utterance_is_named_with_its_shard(own):
    (own / "wav/7.wav").write_bytes(b"no sound")
    shutil.rmtree(own / "shards")
    write_shards(own)
    with pytest.raises(AudioError, match=r"wav/7.wav \(in .*a-5.tar\): cannot"):
        ids(shard_loader(own, Draws(1)))


def test_a_shard_of_another_size_is_refused_before_training(own):
    cut_off(own / "shards/a-5.tar", 0.9)
    with pytest.raises(HyperparameterError, match="a-5.tar has .*copy it"):
        shard_loader(own, Draws(1))


def test_a_missing_shard_is_refused_before_training(own):
    (own / "shards/a-10.tar").unlink()
    with pytest.raises(HyperparameterError, match="a-10.tar is missing"):
        shard_loader(own, Draws(1))


def test_shards_of_other_lists_are_refused(own):
    csv_path = own / "train.csv"
    csv_path.write_text(csv_path.read_text().replace("id0", "id1"))
    with pytest.raises(HyperparameterError, match="train.csv as they are now"):
        shard_loader(own, Draws(1))


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"lists": "a"})])
def test_a_damaged_index_is_refused_by_name(own, content):
    (own / "shards/index.json").write_text(content)
    with pytest.raises(HyperparameterError, match="index.json .*make_shards"):
        shard_loader(own, Draws(1))
