import numpy as np
import pytest

from speechbrain_moe.training.shard_order import (
    LaneOrder,
    epoch_order,
    in_order,
    lane_bounds,
    shuffled_within,
)

SIZES = [5, 5, 5, 2]


@pytest.mark.parametrize("sizes", [SIZES, [7], [1, 1, 1]])
def test_an_epoch_has_every_number_once_and_shards_stay_together(sizes):
    order = epoch_order(sizes, sum(sizes), seed=3)
    assert sorted(order.tolist()) == [*range(sum(sizes))]
    shards = np.searchsorted(np.cumsum(sizes), order, side="right")
    assert (np.diff(shards) != 0).sum() == len(sizes) - 1


def test_shards_come_in_another_order_with_another_seed():
    firsts = {epoch_order(SIZES, 17, seed)[0] for seed in range(20)}
    assert firsts == {0, 5, 10, 15}


def test_what_is_left_out_is_drawn_from_all():
    left_out = set()
    for seed in range(200):
        left_out |= {*range(17)} - {*epoch_order(SIZES, 16, seed).tolist()}
    assert left_out == {*range(17)}


@pytest.mark.parametrize("n_batches", [0, 1, 5, 8])
@pytest.mark.parametrize("n_lanes", [1, 2, 3])
def test_lanes_share_the_batches_as_workers_take_turns(n_batches, n_lanes):
    bounds = lane_bounds(n_batches, n_lanes)
    turns = np.bincount(np.arange(n_batches) % n_lanes, minlength=n_lanes)
    assert np.diff(bounds).tolist() == turns.tolist()


@pytest.mark.parametrize("n_processes, n_lanes", [(1, 1), (2, 3), (3, 2)])
def test_lanes_of_all_processes_share_an_epoch(n_processes, n_lanes):
    found = []
    for process in range(n_processes):
        order = LaneOrder([30, 30, 11], 4, 10, process, n_processes)
        for lane in range(n_lanes):
            found += order.lane(1, 1, lane, n_lanes)[0].tolist()
    assert len(found) == len({*found}) == order.n_batches * 4 * n_processes
    assert order.n_batches == 71 // (4 * n_processes)


def test_a_lane_opens_its_share_of_the_shards():
    order = LaneOrder([100] * 16, 4, 10, process=1, n_processes=2)
    for lane in range(2):
        numbers, _ = order.lane(1, 1, lane, 2)
        assert len({*(numbers // 100)}) <= 5


@pytest.mark.parametrize("n_shuffled", [1, 5, 1000])
def test_nothing_more_is_held_back_than_the_buffer_takes(n_shuffled):
    order = shuffled_within(400, n_shuffled, seed=1)
    assert sorted(order.tolist()) == [*range(400)]
    n_read = np.maximum.accumulate(order) + 1
    assert (n_read - np.arange(400)).max() <= n_shuffled
    # and the buffer is made use of
    assert n_shuffled == 1 or (order != np.arange(400)).mean() > 0.5


def test_a_stream_is_read_no_further_than_needed():
    stream = iter([(n, str(n)) for n in range(9)])
    ordered = in_order(stream, [2, 0, 1, 3])
    assert next(ordered) == "2" and next(stream)[0] == 3
