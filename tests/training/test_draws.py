import random
from functools import partial

import numpy as np
import pytest
import torch
from tiny_brain import tiny_brain
from torch.utils.data import DataLoader

from speechbrain_moe.training.draws import Draws, draw_seed, seed_step

SPEEDS = [1.0, 0.9, 1.1]


def by_id(items):
    """What the random numbers of each item decide.

    Workers have one thread each, and a changed speed sums in another order
    on more: equal but for rounding.
    """
    return {
        item["id"]: (
            item["spk_label"],
            pytest.approx(item["sig"].numpy(), abs=1e-6),
        )
        for item in items
    }


def plain(items):
    return {i["id"]: (i["spk_label"], i["sig"].numpy()) for i in items}


def test_a_name_draws_the_same_whatever_was_drawn_before():
    draws = Draws(seed=3)
    first = torch.rand(5, generator=draws.of("a"))
    torch.rand(99, generator=draws.of("b"))
    torch.rand(7)
    assert torch.equal(torch.rand(5, generator=draws.of("a")), first)


@pytest.mark.parametrize(
    "seed, epoch, names", [(4, 1, "a"), (3, 2, "a"), (3, 1, "b")]
)
def test_seed_epoch_and_name_each_change_the_draw(seed, epoch, names):
    other = Draws(seed)
    other.epoch = epoch
    first = torch.rand(5, generator=Draws(3).of("a"))
    assert not torch.equal(torch.rand(5, generator=other.of(names)), first)


def test_seed_of_names_is_the_same_in_every_version():
    """A change would make resumed trainings go on with other draws."""
    assert draw_seed(1234, 1, "a.wav") == 2198767378532948637


def test_names_are_not_run_together():
    assert draw_seed("ab", "c") != draw_seed("a", "bc")


def test_a_step_draws_the_same_after_its_seed_is_set_again():
    def draw():
        seed_step(1, 2, 3)
        return torch.rand(3).tolist(), np.random.rand(3).tolist()  # noqa: NPY002

    assert draw() == draw()


def test_the_global_generator_does_not_change_a_crop(crops):
    dataset = crops(SPEEDS)
    first = plain(dataset)
    torch.manual_seed(99)
    assert by_id(dataset) == first


def test_the_order_does_not_change_a_crop(crops):
    dataset = crops(SPEEDS)
    wanted = plain(dataset)
    assert by_id(dataset[i] for i in (2, 0, 1, 0)) == wanted


def test_workers_do_not_change_a_crop(crops):
    dataset = crops(SPEEDS)
    load = partial(DataLoader, dataset, batch_size=None, shuffle=True)
    wanted = plain(dataset)
    assert by_id(load(num_workers=2)) == wanted
    assert by_id(load()) == wanted


def test_another_epoch_draws_anew_in_workers_too(crops, draws):
    loader = DataLoader(crops(SPEEDS), batch_size=None, num_workers=2)
    first = by_id(loader)
    draws.epoch = 2
    assert first["long"] != plain(loader)["long"]


def test_a_resumed_epoch_draws_as_the_one_that_was_cut(crops, draws):
    """A new process knows seed and epoch, nothing else."""
    dataset = crops(SPEEDS)
    draws.epoch = 7
    wanted = plain(dataset)
    draws.epoch = 1
    plain(dataset)
    draws.epoch = 7
    assert by_id(crops(SPEEDS)) == wanted


def test_a_step_of_the_brain_draws_the_same_whatever_came_before():
    brain = tiny_brain()
    found = []
    for n in (0, 3):
        torch.rand(n)
        brain.step = 7
        brain.on_fit_batch_start(None, True)
        drawn = np.random.rand()  # noqa: NPY002
        found.append((torch.rand(1), random.random(), drawn))
    assert found[0] == found[1]
    brain.step = 8
    brain.on_fit_batch_start(None, True)
    assert torch.rand(1) != found[0][0]


def test_a_step_draws_what_it_would_after_the_epochs_before():
    def drawn(epoch, **hparams):
        brain = tiny_brain(**hparams)
        brain.on_train_epoch_start(epoch)
        brain.on_fit_batch_start(None, True)
        return torch.rand(3).tolist()

    assert drawn(1, n_epochs_before=2) == drawn(3) != drawn(1)
