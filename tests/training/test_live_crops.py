import numpy as np
import pytest
import torch

from speechbrain_moe.training import live_crops
from speechbrain_moe.training.draws import Draws
from speechbrain_moe.training.live_crops import LiveCrops, live_loader
from speechbrain_moe.training.speech_memory import Speech

SPEAKERS = ["ann", "bob"]
OWNERS = {"a1": "ann", "u1": "", "b1": "bob", "a2": "ann", "a3": "ann"}
OWNERS |= {"u2": "", "b2": "bob"}
CORPORA = {"": 0, "ann": 1, "bob": 2}
N_SAMPLES = 800  # of a crop


@pytest.fixture
def ramps():
    """For each recording a stretch of one ramp, so that samples tell all."""
    ramp = torch.linspace(-1, 1, 1500 * len(OWNERS))
    return dict(zip(OWNERS, ramp.split(1500)))


@pytest.fixture
def crops(ramps):
    """Batches of the ramps; what the teacher is asked is kept."""

    def make(
        n_voices=3,
        voice_prob=0.5,
        batch_size=8,
        seed=1,
        owners=OWNERS,
        n_hearings=1,
    ):
        rows = {name: {"path": "", "spk_id": o} for name, o in owners.items()}
        samples = torch.cat([(32767 * ramps[name]).short() for name in rows])
        lengths = torch.full((len(rows),), 1500)

        def teach(wavs, corpora):
            found.asked.append((wavs, corpora))
            return wavs[:, :5]

        found = LiveCrops(
            rows,
            Speech(samples, lengths.cumsum(0) - lengths, lengths),
            SPEAKERS,
            [CORPORA[owner] for owner in owners.values()],
            teach,
            Draws(seed),
            n_steps=6,
            batch_size=batch_size,
            crop_s=N_SAMPLES / 16000,
            n_voices=n_voices,
            voice_prob=voice_prob,
            n_hearings=n_hearings,
        )
        found.asked = []
        return found

    return make


@pytest.fixture
def played(monkeypatch):
    """Speeds that crops are played at, batch by batch; no crop is made."""
    speeds = []

    def play(speech, rows, shares, given, n_samples):
        speeds.append(given)
        return torch.zeros(len(rows), 5)

    monkeypatch.setattr(live_crops, "play", play)
    monkeypatch.setattr(live_crops, "warp_envelopes", lambda wavs, _: wavs)
    return speeds


def same(one, other):
    """Whether two batches are."""
    return one.id == other.id and all(
        torch.equal(*pair)
        for pair in (
            (one.sig.data, other.sig.data),
            (one.spk_label, other.spk_label),
            (one.teacher, other.teacher),
        )
    )


def test_a_batch_hears_each_voice_twice_of_one_speaker(crops, played):
    together = set()
    for batch in crops():
        halves = batch.id[:4], batch.id[4:]
        labels = batch.spk_label.tolist()
        assert labels[:4] == labels[4:]
        for one, other in zip(*halves):
            assert OWNERS[one] == OWNERS[other]
            assert OWNERS[one] or one == other
            together.add((one, other))
    assert ("a1", "a2") in together or ("a2", "a1") in together


def test_both_crops_of_a_pair_are_played_at_one_speed(crops, played):
    for _ in crops(voice_prob=1.0):
        first, second = played[-1].split(4)
        assert torch.equal(first, second)


@pytest.mark.parametrize("n_voices", [0, 1, 3])
def test_labels_count_each_voice_as_another_speaker(crops, played, n_voices):
    """Label = speaker + voice * n_speakers; -1 without a speaker."""
    found, dataset = {}, crops(n_voices)
    for dataset.draws.epoch in range(1, 21):
        for batch in dataset:
            for name, label in zip(batch.id, batch.spk_label.tolist()):
                found.setdefault(OWNERS[name], set()).add(label)
    voices = range(1 + n_voices)
    assert found[""] == {-1}
    assert found["ann"] == {2 * k for k in voices}
    assert found["bob"] == {1 + 2 * k for k in voices}


@pytest.mark.parametrize("prob", [0.0, 0.3, 1.0])
def test_changed_voices_have_their_share(crops, played, prob):
    dataset, changed = crops(voice_prob=prob, batch_size=200), []
    for batch in dataset:
        labels = batch.spk_label[:100]
        changed += (labels[labels >= 0] >= 2).tolist()
    assert np.mean(changed) == pytest.approx(prob, abs=0.08)
    assert prob not in (0.0, 1.0) or set(changed) == {bool(prob)}


def test_recordings_are_heard_equally_often(crops, played):
    ids = [name for batch in crops(batch_size=400) for name in batch.id]
    shares = [ids.count(name) / len(ids) for name in OWNERS]
    assert np.allclose(shares, 1 / 7, atol=0.03)


def test_a_changed_voice_of_a_speaker_is_always_the_same(crops, played):
    """And of speech without a speaker never."""
    dataset, speeds = crops(voice_prob=0.7), {}
    for dataset.draws.epoch in range(1, 21):
        for batch in dataset:
            pairs = zip(batch.spk_label[:4].tolist(), played[-1].tolist())
            for label, speed in pairs:
                speeds.setdefault(label, []).append(speed)
    others = [speed for speed in speeds.pop(-1) if speed != 1]
    assert len({*others}) == len(others) > 50
    assert speeds.keys() == {*range(8)}
    assert all(len({*found}) == 1 for found in speeds.values())
    assert speeds[0][0] == speeds[1][0] == 1.0
    assert len({found[0] for found in speeds.values()}) == 7


def test_the_seed_alone_says_what_a_voice_is(crops):
    one, again = (crops(seed=1).voices for _ in range(2))
    other = crops(seed=2).voices
    for a, b, c in zip(one, again, other):
        assert torch.equal(a, b) and not torch.equal(a, c)
        assert torch.equal(a[:2], c[:2])  # as recorded


@pytest.mark.parametrize("given", [{"voice_prob": 0.0}, {"n_voices": 0}])
def test_without_changed_voices_crops_are_the_recordings(crops, ramps, given):
    step = ramps["a1"][1] - ramps["a1"][0]
    for batch in crops(**{"voice_prob": 1.0, **given}):
        for name, wav in zip(batch.id, batch.sig.data):
            start = round(((wav[0] - ramps[name][0]) / step).item())
            wanted = ramps[name][start : start + N_SAMPLES]
            assert torch.allclose(wav, wanted, atol=1e-4)


def test_changed_voices_are_no_stretches_of_the_recordings(crops, ramps):
    step = ramps["a1"][1] - ramps["a1"][0]
    for batch in crops(voice_prob=1.0):
        slopes = batch.sig.data.diff(dim=1) / step
        assert ((slopes - 1).abs().amax(1) > 0.01).all()


def test_the_same_seed_epoch_and_step_give_the_same_batch(crops):
    torch.rand(3)
    pairs = list(zip(crops(), crops()))
    assert len(pairs) == 6 and all(same(*pair) for pair in pairs)
    first = [one for one, _ in pairs]
    assert not any(same(first[0], batch) for batch in first[1:])
    assert not any(map(same, first, crops(seed=2)))
    later = crops()
    later.draws.epoch = 2
    assert not any(map(same, first, later))


@pytest.mark.parametrize("n_hearings, n_made", [(1, 6), (2, 3), (4, 2), (6, 1)])
def test_an_epoch_hears_its_batches_again_in_turn(crops, n_hearings, n_made):
    dataset, once = crops(n_hearings=n_hearings), list(crops())
    heard = list(dataset)
    assert len(heard) == 6 and len(dataset.asked) == n_made
    for step, batch in enumerate(heard):
        assert same(batch, once[step % n_made])
    dataset.draws.epoch = 2
    assert not any(same(one, other) for one, other in zip(heard, dataset))


@pytest.mark.parametrize("n_hearings", [1, 2, 4])
@pytest.mark.parametrize("step", [0, 2, 5, 6])
def test_an_epoch_that_goes_on_gives_what_is_left(crops, step, n_hearings):
    whole = list(crops(n_hearings=n_hearings))
    rest = crops(n_hearings=n_hearings)
    rest.draws.step = step
    rest = list(rest)
    assert len(rest) == 6 - step and all(map(same, rest, whole[step:]))


def test_the_teacher_hears_the_crops_and_of_which_corpus_each_is(crops):
    dataset = crops()
    for batch in dataset:
        wavs, corpora = dataset.asked[-1]
        assert torch.equal(wavs, batch.sig.data)
        assert corpora.tolist() == [CORPORA[OWNERS[n]] for n in batch.id]
        assert torch.equal(batch.teacher, wavs[:, :5])
        assert batch.has_teacher.tolist() == [True] * 8


def test_crops_are_whole_and_finite(crops):
    for batch in crops(voice_prob=1.0):
        wavs, lengths = batch.to("cpu").sig
        assert wavs.shape == (8, N_SAMPLES) and wavs.dtype == torch.float32
        assert wavs.isfinite().all() and lengths.tolist() == [1.0] * 8


def test_speech_without_any_speaker_is_heard_in_other_voices(crops, played):
    owners = {"u1": "", "u2": ""}
    for batch in crops(owners=owners):
        assert batch.spk_label.tolist() == [-1] * 8
    assert len(torch.cat(played).unique()) > 5


def test_a_loader_gives_the_same_batches(crops):
    loader = live_loader(crops())
    found, wanted = list(loader), list(crops())
    assert len(loader) == len(found) == 6
    assert all(map(same, found, wanted))
