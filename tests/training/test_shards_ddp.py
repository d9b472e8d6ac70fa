"""Two processes that read shards together: gloo, CPU."""

import json
from pathlib import Path

import pytest
from shard_files import BATCH_SIZE, N_UTTS, write_files, write_shards
from two_ranks import run_ranks

pytest.importorskip("webdataset")
pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("shards_process.py")
epochs = pytest.mark.parametrize("epoch", ["0 1", "0 2", "2 1", "2 2"])


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """What each process read."""
    folder = tmp_path_factory.mktemp("shards")
    write_files(folder)
    write_shards(folder)
    run_ranks(SCRIPT, folder)
    return [json.loads((folder / f"{i}.json").read_text()) for i in range(2)]


@epochs
def test_each_utterance_is_seen_once_but_for_less_than_a_batch_of_all(
    read, epoch
):
    assert [process["world_size"] for process in read] == [2, 2]
    batches = [ids for process in read for ids in process[epoch]]
    seen = [name for ids in batches for name in ids]
    n_seen = N_UTTS // (2 * BATCH_SIZE) * 2 * BATCH_SIZE
    assert len(seen) == len({*seen}) == n_seen
    assert {*seen} <= {f"utt{i}" for i in range(N_UTTS)}


@epochs
def test_processes_get_as_many_batches_as_each_other(read, epoch):
    sizes = [[len(ids) for ids in process[epoch]] for process in read]
    assert sizes == [[BATCH_SIZE] * 3] * 2


def test_the_next_epoch_reads_in_another_order(read):
    assert read[0]["2 1"] != read[0]["2 2"]
