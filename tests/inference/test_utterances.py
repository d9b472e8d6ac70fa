import numpy as np
import pytest
import soundfile

from speechbrain_moe.errors import AudioError
from speechbrain_moe.inference.utterances import read_utterance

RATE = 16000


def test_an_utterance_is_read_as_it_was_written(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(4000, 0.5), RATE)
    wav = read_utterance(tmp_path / "a.wav", RATE)
    assert wav.shape == (4000,) and np.allclose(wav, 0.5, atol=1e-4)


def test_shortest_file_goes_through_the_real_network(
    tmp_path, tiny_model, compute_features
):
    soundfile.write(tmp_path / "a.wav", np.full(1600, 0.5), RATE)
    wav = read_utterance(tmp_path / "a.wav", RATE)
    found = tiny_model()(compute_features(wav.unsqueeze(0)))
    assert found.isfinite().all() and found.shape == (1, 1, 32)


@pytest.mark.parametrize("n_samples", [1, 1599])
def test_too_short_file_is_refused_by_name(tmp_path, n_samples):
    soundfile.write(tmp_path / "short.wav", np.ones(n_samples), RATE)
    with pytest.raises(AudioError, match="short.wav: lasts .* leave it out"):
        read_utterance(tmp_path / "short.wav", RATE)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_other_sample_rate_is_refused_by_name(tmp_path, rate):
    soundfile.write(tmp_path / "r.wav", np.ones(9000), rate)
    with pytest.raises(AudioError, match=f"r.wav: has {rate} Hz"):
        read_utterance(tmp_path / "r.wav", RATE)


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(AudioError, match="nowhere.wav: no such file"):
        read_utterance(tmp_path / "nowhere.wav", RATE)
