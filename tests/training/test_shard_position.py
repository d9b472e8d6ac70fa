"""Where a training from shards goes on after it was ended."""

import pytest
import speechbrain as sb
import torch
from shard_files import BATCH_SIZE, N_UTTS, facts, ids, same, shard_loader
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.draws import Draws

pytest.importorskip("webdataset")
N_BATCHES = N_UTTS // BATCH_SIZE
workers = pytest.mark.parametrize("num_workers", [0, 2])


@workers
@pytest.mark.parametrize("n_done", [1, 2, 5, N_BATCHES])
def test_a_cut_epoch_goes_on_with_the_very_next_batch(
    corpus, tmp_path, num_workers, n_done
):
    draws = Draws(seed=1)
    draws.epoch = 2
    whole = [*map(facts, shard_loader(corpus, draws, num_workers))]
    cut = shard_loader(corpus, draws, num_workers)
    for _, _ in zip(range(n_done), cut):
        pass
    saver = WholeCheckpointer(tmp_path, {"shards": cut})
    saver.save_checkpoint(end_of_epoch=False)
    fresh = Draws(seed=1)
    resumed = shard_loader(corpus, fresh, num_workers)
    WholeCheckpointer(tmp_path, {"shards": resumed}).recover_if_possible()
    fresh.epoch = 2
    rest = [*map(facts, resumed)]
    assert len(rest) == N_BATCHES - n_done
    for found, wanted in zip(rest, whole[n_done:]):
        same(found, wanted)
    fresh.epoch = 3
    draws.epoch = 3
    assert ids(resumed) == ids(cut)


def test_a_position_counts_from_the_epoch_not_from_the_resumption(
    corpus, tmp_path
):
    whole = ids(shard_loader(corpus, Draws(1)))
    for n_before in (0, 2):
        loader = shard_loader(corpus, Draws(1))
        saver = WholeCheckpointer(tmp_path, {"shards": loader})
        saver.recover_if_possible()
        found = [list(batch.id) for _, batch in zip(range(2), loader)]
        assert found == whole[n_before : n_before + 2]
        saver.save_checkpoint(end_of_epoch=False)


def test_after_an_epoch_the_next_starts_from_its_start(corpus, tmp_path):
    loader = shard_loader(corpus, Draws(1))
    ids(loader)
    WholeCheckpointer(tmp_path, {"shards": loader}).save_checkpoint()
    resumed = shard_loader(corpus, Draws(1))
    WholeCheckpointer(tmp_path, {"shards": resumed}).recover_if_possible()
    assert len(ids(resumed)) == N_BATCHES


class Brain(sb.Brain):
    """Notes which utterances it saw; fails in the course of an epoch."""

    fails_after = None

    def compute_forward(self, batch, stage):
        self.seen.append(list(batch.id))
        return self.modules.layer(batch.sig.data[:, :4])

    def compute_objectives(self, predictions, batch, stage):
        if len(self.seen) == self.fails_after:
            raise KeyboardInterrupt
        return predictions.square().mean()

    def on_stage_start(self, stage, epoch=None):
        self.loader.dataset.make_crop.draws.epoch = epoch


def fit(corpus, folder, fails_after=None):
    """Train for two epochs with a checkpoint after every second step."""
    counter = EpochCounter(2)
    brain = Brain(
        modules={"layer": torch.nn.Linear(4, 1)},
        opt_class=torch.optim.SGD,
        run_opts={"device": "cpu", "ckpt_interval_steps": 2},
        checkpointer=WholeCheckpointer(folder, {"counter": counter}),
    )
    brain.seen, brain.fails_after = [], fails_after
    brain.loader = shard_loader(corpus, Draws(1))
    brain.checkpointer.add_recoverable("shards", brain.loader)
    try:
        brain.fit(counter, brain.loader, progressbar=False)
    except KeyboardInterrupt:
        pass
    return brain.seen


def test_a_brain_that_was_ended_goes_on_where_its_checkpoint_is(
    corpus, tmp_path
):
    whole = fit(corpus, tmp_path / "whole")
    assert len(whole) == 2 * N_BATCHES and whole[:6] != whole[6:]
    assert fit(corpus, tmp_path / "cut", fails_after=4) == whole[:4]
    assert fit(corpus, tmp_path / "cut") == whole[2:]
    assert fit(corpus, tmp_path / "late", fails_after=11) == whole[:11]
    assert fit(corpus, tmp_path / "late") == whole[10:]


def test_used_up_shards_are_not_opened_again(own):
    """Nor is what was given out decoded."""
    loader = shard_loader(own, Draws(1), n_shuffled=1, batch_size=5)
    order = [name for batch in ids(loader) for name in batch]
    first = int(order[0].removeprefix("utt")) // 5 * 5
    loader.resume_at = 3
    (own / f"shards/a-{first}.tar").unlink()
    rest = [name for batch in ids(loader) for name in batch]
    assert rest == order[15:]


@pytest.mark.parametrize(
    "change", [{"num_workers": 2}, {"batch_size": 2}, {"n_shuffled": 7}]
)
def test_a_position_for_other_workers_or_batches_is_refused(
    corpus, tmp_path, change
):
    loader = shard_loader(corpus, Draws(1))
    saver = WholeCheckpointer(tmp_path, {"shards": loader})
    saver.save_checkpoint(end_of_epoch=False)
    [key] = change
    other = shard_loader(corpus, Draws(1), **change)
    with pytest.raises(HyperparameterError, match=f"{key} was .* again, or"):
        WholeCheckpointer(tmp_path, {"shards": other}).recover_if_possible()
