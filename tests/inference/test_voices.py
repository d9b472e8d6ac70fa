import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError, InputError, PackageError
from speechbrain_moe.inference import recordings
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.voices import describe_voices

N_SAMPLES = [20000, 17000, 31000, 22345, 16000]


@pytest.fixture
def encoder(experiment):
    return load_encoder(experiment)


@pytest.fixture
def paths(tmp_path, voices):
    found = [tmp_path / f"{i}.wav" for i in range(len(N_SAMPLES))]
    for path, wav, n in zip(found, voices(len(N_SAMPLES), 31000), N_SAMPLES):
        soundfile.write(path, wav[:n].numpy(), 16000, subtype="FLOAT")
    return found


@pytest.fixture
def long_file(tmp_path, voices):
    """Four unlike voices of 0.5 s, one after the other."""
    path = tmp_path / "long.wav"
    wav = voices(4, 8000).flatten().numpy()
    soundfile.write(path, wav, 16000, subtype="FLOAT")
    return path


def stock(encoder, wav):
    wav = torch.as_tensor(wav, dtype=torch.float32)
    return encoder.encode_batch(wav[None]).flatten().numpy()


def test_embedding_of_a_short_file_is_that_of_stock(encoder, paths):
    for voice, path in zip(describe_voices(encoder, paths), paths):
        wav, _ = soundfile.read(path, dtype="float32")
        assert voice.path == str(path) and voice.faults == {}
        assert np.abs(voice.embedding - stock(encoder, wav)).max() < 1e-6
        assert voice.experts.shape == (4,)
        assert np.count_nonzero(voice.experts) == 2  # top_k of the model
        assert voice.experts.sum() == pytest.approx(1)


@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_batches_give_what_one_at_a_time_gives(encoder, paths, batch_size):
    alone = describe_voices(encoder, paths * 2)
    batches = describe_voices(encoder, paths * 2, batch_size)
    for one, other in zip(alone, batches):
        assert one.path == other.path and one.quality == other.quality
        assert np.abs(one.embedding - other.embedding).max() < 1e-5
        assert np.abs(one.experts - other.experts).max() < 1e-5


def test_long_file_is_the_mean_of_its_windows_by_speech(
    encoder, long_file, monkeypatch
):
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.5)
    wav, _ = soundfile.read(long_file, dtype="float32")
    wav[24000:30000] = 0  # the last window holds less speech
    soundfile.write(long_file, wav, 16000, subtype="FLOAT")
    (voice,) = describe_voices(encoder, [long_file], batch_size=3)
    parts = wav.reshape(4, 8000)
    weights = []
    for part in parts:
        path = long_file.with_name("part.wav")
        soundfile.write(path, part, 16000, subtype="FLOAT")
        (alone,) = describe_voices(encoder, [path])
        weights.append(alone.quality.voiced_s)
    wanted = sum(w * stock(encoder, p) for w, p in zip(weights, parts))
    assert 0 < weights[3] < min(weights[:3])
    wanted /= np.linalg.norm(wanted)
    assert np.abs(voice.embedding - wanted).max() < 1e-5
    assert voice.experts.sum() == pytest.approx(1)
    assert voice.quality.duration_s == 2.0


def test_windows_of_silence_count_for_nothing(encoder, long_file, monkeypatch):
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.5)
    (before,) = describe_voices(encoder, [long_file])
    wav, _ = soundfile.read(long_file, dtype="float32")
    longer = np.concatenate([wav, np.zeros_like(wav)])
    soundfile.write(long_file, longer, 16000, subtype="FLOAT")
    (after,) = describe_voices(encoder, [long_file])
    assert np.abs(after.embedding - before.embedding).max() < 1e-6
    assert after.quality.duration_s == 2 * before.quality.duration_s


def test_few_windows_are_held_at_a_time(encoder, long_file, monkeypatch):
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.125)
    seen = []
    forward = encoder.mods.compute_features.forward
    monkeypatch.setattr(
        encoder.mods.compute_features,
        "forward",
        lambda wavs: (seen.append(wavs.shape), forward(wavs))[1],
    )
    describe_voices(encoder, [long_file], batch_size=2)
    assert seen == [(2, 2000)] * 8


def test_silence_and_less_than_100_ms_have_no_embedding(
    encoder, tmp_path, voices
):
    soundfile.write(tmp_path / "s.wav", np.zeros(16000), 16000)
    for name, n in {"t": 1500, "u": 1600}.items():
        soundfile.write(tmp_path / f"{name}.wav", voices(1, n)[0], 16000)
    silent, tiny, short = describe_voices(
        encoder, [tmp_path / f"{name}.wav" for name in "stu"]
    )
    assert silent.embedding is silent.experts is tiny.embedding is None
    assert list(silent.faults) == ["silent"]
    assert tiny.faults == {"too_short": "lasts 0.09 s, 1 s wanted"}
    assert list(short.faults) == ["too_short"] and short.embedding.any()


def test_file_that_cannot_be_read_is_refused_by_name(encoder, paths):
    paths[2].write_bytes(b"no audio")
    with pytest.raises(AudioError, match="2.wav: cannot be decoded"):
        describe_voices(encoder, paths)


@pytest.mark.parametrize("bad", [0, -1, 1.5, None])
def test_batch_size_of_nothing_is_refused(encoder, paths, bad):
    with pytest.raises(InputError, match="batch_size is"):
        describe_voices(encoder, paths, bad)


def test_model_without_experts_is_refused(encoder, paths):
    encoder.mods.embedding_model = torch.nn.Identity()
    with pytest.raises(PackageError, match="is a Identity"):
        describe_voices(encoder, paths)
