from pathlib import Path

import pandas as pd
import pytest
import soundfile
import torch
from noise_files import write_audio

from speechbrain_moe.errors import AudioError, HyperparameterError
from speechbrain_moe.training import batch_augment
from speechbrain_moe.training.batch_augment import BatchAugment, draw_gaps
from speechbrain_moe.training.noises import sound_kind

SNR_DB = {"noise": [2, 5], "music": [9, 10], "babble": [20, 23]}
N_SAMPLES = 4000


def write_list(path, wavs):
    """A list whose kinds are those of the folders that the files are in."""
    names = [str(wav) for wav in wavs]
    kinds = [sound_kind(name, Path(name).parents[1]) for name in names]
    table = pd.DataFrame({"wav": names, "kind": kinds})
    table.to_csv(path, index=False)
    return str(path)


@pytest.fixture
def wavs():
    return 0.1 * torch.randn(200, N_SAMPLES)


@pytest.fixture
def lists(tmp_path):
    """Lists of a noise and of a room, which repeats what it hears."""
    noise = write_audio(tmp_path / "noise/a.wav")
    echo = torch.zeros(800)
    echo[0], echo[400] = 1.0, 0.5
    soundfile.write(tmp_path / "rir.wav", echo.numpy(), 16000, subtype="FLOAT")
    return {
        "noise_csv": write_list(tmp_path / "noise.csv", [noise]),
        "rir_csv": write_list(tmp_path / "rir.csv", [tmp_path / "rir.wav"]),
    }


@pytest.fixture
def augment(lists, monkeypatch):
    """Makes the augmentation; what is not given leaves waveforms alone."""

    def make(room=0.0, noise=0.0, drop=0.0, channel=0.0, codec=0.0, **changes):
        monkeypatch.setattr(batch_augment, "CHANNEL_PROB", channel)
        monkeypatch.setattr(batch_augment, "CODEC_PROB", codec)
        return BatchAugment(
            **{**lists, **changes},
            reverb_prob=room,
            noise_prob=noise,
            drop_prob=drop,
            snr_db=SNR_DB,
            longest_gap=1000,
        )

    return make


def run(augmentation, wavs):
    """What a batch becomes; it is itself not changed."""
    before, lengths = wavs.clone(), torch.rand(len(wavs))
    found, given_back = augmentation(wavs, lengths)
    assert given_back is lengths and torch.equal(wavs, before)
    assert found.shape == wavs.shape and found.isfinite().all()
    return found


def rms(wavs):
    return wavs.square().mean(-1).sqrt()


def test_probabilities_of_zero_leave_a_batch_as_it_is(augment, wavs):
    assert torch.allclose(run(augment(), wavs), wavs, atol=1e-6)


@pytest.mark.parametrize("part", ["room", "noise", "drop", "channel", "codec"])
@pytest.mark.parametrize("prob", [0.3, 1.0])
def test_each_part_changes_its_share_of_the_rows(augment, wavs, part, prob):
    found = run(augment(**{part: prob}), wavs)
    # Drop: one draw of the channel, two of gaps; channel: a low and a high end
    n_draws = {"drop": 3, "channel": 2}.get(part, 1)
    share = (found - wavs).abs().amax(1).gt(1e-5).float().mean().item()
    assert share == pytest.approx(1 - (1 - prob) ** n_draws, abs=0.1)


def test_noise_is_at_the_snr_of_its_kind(augment, wavs):
    """A file's, or that of other talkers, who are the noise of a quarter."""
    added = run(augment(noise=1.0), wavs) - wavs
    snr_db = 20 * torch.log10(rms(wavs) / rms(added))
    inside = {
        kind: (low - 0.01 < snr_db) & (snr_db < high + 0.01)
        for kind, (low, high) in SNR_DB.items()
    }
    assert (inside["noise"] | inside["babble"]).all()
    share = inside["babble"].float().mean().item()
    assert share == pytest.approx(0.25, abs=0.08)
    for kind in ("noise", "babble"):
        low, high = SNR_DB[kind]
        drawn = snr_db[inside[kind]]
        assert drawn.max() - drawn.min() > 0.8 * (high - low)


def test_a_file_has_the_snr_of_its_folders_kind(augment, wavs, tmp_path):
    music = write_audio(tmp_path / "music/a.wav")
    changes = {"noise_csv": write_list(tmp_path / "m.csv", [music])}
    added = run(augment(noise=1.0, **changes), wavs) - wavs
    snr_db = 20 * torch.log10(rms(wavs) / rms(added))
    of_file = snr_db[snr_db < 15]  # the rest are talkers
    assert len(of_file) > 100
    assert 8.99 < of_file.min() < of_file.max() < 10.01


def test_a_short_noise_starts_again(augment, wavs, tmp_path):
    short = write_audio(tmp_path / "noise/short.wav", seconds=0.1)
    changes = {"noise_csv": write_list(tmp_path / "s.csv", [short])}
    added = run(augment(noise=1.0, **changes), wavs) - wavs
    again = added.roll(1600, 1)[:, 1600:]
    repeats = torch.cosine_similarity(again, added[:, 1600:]) > 0.999
    assert repeats.float().mean().item() == pytest.approx(0.75, abs=0.08)


def shares_of(added, wavs):
    """How loud each waveform is in what was added to each [B, B].

    Rows where something else was added are NaN.
    """
    units = wavs / rms(wavs).unsqueeze(1)
    shares = torch.linalg.lstsq(units.T, added.T).solution.T
    rest = rms(added - shares @ units)
    return shares.where((rest < 1e-3 * rms(added)).unsqueeze(1), torch.nan)


def test_babble_is_of_three_others_each_as_loud(augment):
    wavs = torch.randn(20, N_SAMPLES) * torch.logspace(-2, 0, 20).unsqueeze(1)
    shares = shares_of(run(augment(noise=1.0), wavs) - wavs, wavs)
    babble = (~shares.isnan().any(1)).nonzero().flatten().tolist()
    assert 0 < len(babble) < 20
    for row in babble:
        most = shares[row].max()
        talkers = (shares[row] > 0.01 * most).nonzero().flatten()
        assert len(talkers) == 3 and row not in talkers
        assert torch.allclose(shares[row, talkers], most, rtol=0.01)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_batches_have_fewer_talkers(augment, n):
    wavs = 0.1 * torch.randn(n, N_SAMPLES)
    for _ in range(10):
        run(augment(room=1.0, noise=1.0, drop=1.0, channel=1.0), wavs)


def test_a_room_repeats_and_keeps_the_level(augment, wavs):
    found = run(augment(room=1.0), wavs)
    wanted = wavs.clone()
    wanted[:, 400:] += 0.5 * wavs[:, :-400]
    assert torch.cosine_similarity(found, wanted).min() > 0.9999
    assert torch.allclose(rms(found), rms(wavs), rtol=1e-4)


def test_every_room_and_noise_is_drawn(augment, wavs, tmp_path):
    rooms, noises = [], []
    for i, delay in enumerate((10, 500, 1500)):  # of unlike lengths
        echo = torch.zeros(delay + 1)
        echo[-1] = 1.0
        rooms.append(tmp_path / f"{delay}.wav")
        soundfile.write(rooms[-1], echo.numpy(), 16000, subtype="FLOAT")
        noises.append(write_audio(tmp_path / f"noise/{i}.wav", seed=i))
    changes = {
        "rir_csv": write_list(tmp_path / "r.csv", rooms),
        "noise_csv": write_list(tmp_path / "n.csv", noises),
    }
    found = run(augment(room=1.0, **changes), wavs)
    delays = found.abs().gt(1e-6).float().argmax(1)
    assert {10, 500, 1500} == {*delays.tolist()}
    sounds, starts, lengths = augment(**changes).noises
    assert lengths.tolist() == [16000] * 3
    assert starts.tolist() == [0, 16000, 32000]
    assert len(sounds) == 48000


def test_babble_is_of_some_talkers_and_noise_of_one_sound(
    augment, wavs, tmp_path
):
    time = torch.arange(16000) / 16000
    paths = []
    for hz in range(200, 3200, 100):  # one a file
        kind = "noise" if hz < 1700 else "speech"
        paths.append(tmp_path / kind / f"{hz}.wav")
        paths[-1].parent.mkdir(exist_ok=True)
        tone = 0.3 * torch.sin(2 * torch.pi * hz * time)
        soundfile.write(paths[-1], tone.numpy(), 16000)
    noise_csv = write_list(tmp_path / "n.csv", paths)
    made = augment(noise_csv=noise_csv)
    found, low, _ = made._draw_noises(wavs)
    tones = torch.fft.rfft(found[:, :1600]).abs() > 40  # 10 Hz apart
    is_babble = low.flatten() == made.snr_db["babble"][0]
    n_noise, n_babble = (
        tones[:, a:b].sum(1) for a, b in ((0, 165), (165, 800))
    )
    assert 0 < is_babble.sum() < len(wavs)
    assert (n_noise[~is_babble] == 1).all() and not n_noise[is_babble].any()
    assert not n_babble[~is_babble].any()
    assert set(n_babble[is_babble].tolist()) <= set(range(2, 8))
    assert n_babble[is_babble].max() > 2


def test_rows_differ(augment):
    wavs = (0.1 * torch.randn(1, N_SAMPLES)).repeat(20, 1)
    found = run(augment(noise=1.0, drop=1.0, channel=1.0), wavs)
    assert len({tuple(row.tolist()) for row in found}) == 20


def test_gaps_are_silent_and_no_longer_than_asked_for(augment, wavs):
    lengths = draw_gaps(wavs, 1000).sum(1)
    assert lengths.max() <= 1000 and lengths.max() > 900 > 100 > lengths.min()
    silent = run(augment(drop=1.0), wavs).eq(0)
    edges = silent.int().diff(dim=1).abs().sum(1)
    assert edges.max() == 4 and edges.min() >= 1  # at most two stretches
    assert silent.sum(1).max() <= 2000
    assert silent[:, 500:-500].any(0).all()  # anywhere


@pytest.mark.parametrize("n_before", [0, 3])
def test_a_batch_follows_from_the_seed_alone(augment, wavs, n_before):
    """Whatever was drawn before: what a resumed training relies on."""
    probs = {"room": 0.5, "noise": 0.5, "drop": 0.5, "channel": 0.5}
    found = []
    for n in (1, n_before):
        augmentation = augment(**probs)
        for _ in range(n):
            run(augmentation, wavs)
        torch.manual_seed(3)
        found.append(run(augmentation, wavs))
    assert torch.equal(*found)


def test_silence_stays_finite(augment):
    probs = {"room": 1.0, "noise": 1.0, "drop": 1.0, "channel": 1.0}
    run(augment(**probs), torch.zeros(6, N_SAMPLES))


@pytest.mark.parametrize("key", ["noise_csv", "rir_csv"])
def test_a_missing_file_is_named_when_it_is_needed(
    augment, wavs, tmp_path, key
):
    csv = write_list(tmp_path / "gone.csv", [tmp_path / "noise/gone.wav"])
    augmentation = augment(room=1.0, noise=1.0, **{key: csv})
    with pytest.raises(AudioError, match="noise/gone.wav: no such file"):
        run(augmentation, wavs)


def test_lists_may_be_written_after_it_is_made(augment, tmp_path):
    augment(noise_csv=str(tmp_path / "later"), rir_csv=str(tmp_path / "too"))


def test_snr_that_is_no_range_is_refused(lists):
    with pytest.raises(HyperparameterError, match="for music"):
        BatchAugment(
            **lists,
            reverb_prob=0,
            noise_prob=0,
            drop_prob=0,
            snr_db=SNR_DB | {"music": [5, 0]},
            longest_gap=100,
        )
