"""Which utterance comes when: alone, and as torchrun would start it."""

from contextlib import suppress

import pytest
import train
from speaker_brain import SpeakerBrain
from tiny_corpus import arguments

from speechbrain_moe.training.data import read_table

pytestmark = pytest.mark.slow


class StoppedError(Exception):
    """What ends a training in a test."""


@pytest.fixture(params=["alone", "torchrun"])
def launch(request, monkeypatch):
    """How the training is started."""
    if request.param == "torchrun":
        given = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1}
        given |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 0}
        for name, value in given.items():
            monkeypatch.setenv(name, str(value))


@pytest.fixture
def orders(launch, corpus, small_yaml, tmp_path, monkeypatch):
    """Runs a training; gives rows of its list by epoch, as they were read."""

    def run(name, flags=(), stops_after=60, **changes):
        found = {}

        class Writing(SpeakerBrain):
            def on_fit_batch_end(self, batch, outputs, loss, should_step):
                found.setdefault(self.epoch, []).extend(batch.id)
                if sum(map(len, found.values())) == stops_after:
                    raise StoppedError

        monkeypatch.setattr(train, "SpeakerBrain", Writing)
        out = tmp_path / name
        given = arguments(small_yaml, corpus, out, n_epochs=2, **changes)
        with suppress(StoppedError):  # two epochs, and nothing verified
            train.main([*given, "--distributed_backend=gloo", *flags])
        rows = read_table(out / "save/train.csv").ID.tolist()
        return {
            epoch: [rows.index(name) for name in names]
            for epoch, names in found.items()
        }

    return run


def test_no_epoch_of_any_seed_has_the_order_of_another(orders):
    found = [
        order
        for seed in (1234, 1235)
        for order in orders(str(seed), seed=seed).values()
    ]
    assert len({tuple(order) for order in found}) == 4
    assert all(sorted(order) == [*range(30)] for order in found)


def test_the_order_goes_on_from_the_epochs_before(orders):
    whole = orders("whole")
    after = orders("after", n_epochs_before=1)
    assert after[1] == whole[2] != whole[1]


def test_a_training_that_stopped_in_an_epoch_goes_on_in_its_order(orders):
    flags = ["--ckpt_interval_minutes=0", "--ckpt_interval_steps=1"]
    whole = orders("whole", flags)
    orders("stopped", flags, stops_after=50)  # two of three steps
    rest = orders("stopped", flags)
    assert rest == {2: whole[2][10:]}  # the step before was saved
