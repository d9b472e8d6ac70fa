"""Batches of the experiment: labels, teacher and draws."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from claim_batches import SPEEDS, Crops

from speechbrain_moe.training.teacher import Teacher

LABELS = {"dev/a/r/0.wav": 0, "dev/b/r/0.wav": 1}
UNLABELLED = ["unlabelled/0.wav", "unlabelled/1.wav"]
HELD_OUT = "dev/c/r/0.wav"
N_FRAMES = 20


@pytest.fixture
def crops():
    """Batches of feats that hold the number of the copy they are of."""
    copies = [(p, s) for p in [*LABELS, HELD_OUT] for s in SPEEDS]
    copies += [(p, 1.0) for p in UNLABELLED]
    index = pd.DataFrame(copies, columns=["path", "speed"])
    index["start"] = N_FRAMES * np.arange(len(copies))
    index["n"] = N_FRAMES
    feats = np.repeat(np.arange(len(copies)), N_FRAMES)[:, None]
    paths = [*LABELS, HELD_OUT, *UNLABELLED]
    teacher = Teacher(
        {tuple(path.split("/")): i for i, path in enumerate(paths)},
        np.eye(len(paths), dtype=np.float32),
    )
    hparams = {
        "batch_size": 6,
        "n_unlabelled": 2,
        "crop_frames": 8,
        "steps_per_epoch": 20,
        "seed": 0,
    }

    def make(**more):
        made = Crops(
            *(feats.astype(np.float16), index, LABELS, {p: 0 for p in paths}),
            *(UNLABELLED, teacher, {**hparams, **more}),
        )
        return made, index

    return make


def rows_of(crops):
    """Each drawn row: copy in the index, label, path, teacher's row or -1."""
    made, index = crops
    for batch in made:
        taught = torch.where(
            batch.has_teacher, batch.teacher.argmax(1), -1
        ).tolist()
        copies = batch.feats[:, 0, 0].long()
        assert (batch.feats == batch.feats[:, :1]).all()
        yield from zip(
            index.speed[copies.numpy()],
            index.path[copies.numpy()],
            *(batch.spk_label.tolist(), batch.id, taught),
        )


def test_a_changed_speed_is_a_new_speaker_without_a_teacher(crops):
    order = [*LABELS, HELD_OUT, *UNLABELLED]
    seen = set()
    for speed, path, label, name, taught in rows_of(crops()):
        assert path == name
        if name in LABELS:
            wanted = LABELS[name] + len(LABELS) * SPEEDS.index(speed)
            assert label == wanted
        else:
            assert label == -1 and speed == 1.0
        assert taught == (order.index(name) if speed == 1.0 else -1)
        seen.add((name, speed))
    assert len(seen) == len(LABELS) * len(SPEEDS) + len(UNLABELLED)


def test_an_utterance_that_is_not_trained_on_is_never_drawn(crops):
    made, _ = crops()
    names = set(itertools.chain.from_iterable(batch.id for batch in made))
    assert names == {*LABELS, *UNLABELLED}


def test_a_seed_draws_the_same_batches_for_every_system(crops):
    one, same, other = (crops(seed=s)[0] for s in (0, 0, 1))
    feats = [torch.cat([b.feats for b in made]) for made in (one, same, other)]
    assert torch.equal(feats[0], feats[1])
    assert not torch.equal(feats[0], feats[2])
