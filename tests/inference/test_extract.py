import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError
from speechbrain_moe.inference.extract import embed_file, embed_files


def encode(wavs):
    """Mean and length: both change with any padding or mix-up."""
    values = torch.tensor([wavs.mean().item(), float(wavs.shape[1])])
    return values.view(1, 1, 2)


@pytest.fixture
def folder(tmp_path):
    for name, level, n_samples in (("a", 0.5, 4000), ("b/c", -0.25, 1600)):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.full(n_samples, level), 16000)
    return tmp_path


def test_rows_stand_in_the_order_of_the_paths(folder):
    found = embed_files(encode, ["b/c.wav", "a.wav", "b/c.wav"], folder)
    wanted = [[-0.25, 1600], [0.5, 4000], [-0.25, 1600]]
    assert found.dtype == np.float64
    assert np.allclose(found, wanted, atol=1e-4)


def test_embedding_does_not_depend_on_the_other_files(
    folder, tiny_model, compute_features
):
    model = tiny_model()
    rng = np.random.default_rng(0)
    soundfile.write(folder / "a.wav", rng.normal(0, 0.1, 8000), 16000)

    def embed(wavs):
        return model(compute_features(wavs))

    alone = embed_file(embed, folder / "a.wav")
    among = embed_files(embed, ["b/c.wav", "a.wav"], folder)
    assert np.array_equal(among[1], alone)
    assert np.linalg.norm(alone) == pytest.approx(1)


@pytest.mark.parametrize("n_samples", [1, 1599])
def test_too_short_file_is_refused_by_name(folder, n_samples):
    soundfile.write(folder / "short.wav", np.ones(n_samples), 16000)
    with pytest.raises(AudioError, match="short.wav: lasts .* leave it out"):
        embed_file(encode, folder / "short.wav")


def test_shortest_file_goes_through_the_real_network(
    folder, tiny_model, compute_features
):
    model = tiny_model()
    found = embed_file(lambda x: model(compute_features(x)), folder / "b/c.wav")
    assert np.isfinite(found).all() and found.shape == (32,)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_other_sample_rate_is_refused_by_name(folder, rate):
    soundfile.write(folder / "r.wav", np.ones(9000), rate)
    with pytest.raises(AudioError, match=f"r.wav: has {rate} Hz"):
        embed_files(encode, ["a.wav", "r.wav"], folder)


def test_missing_file_is_refused_by_name(folder):
    with pytest.raises(AudioError, match="nowhere.wav: no such file"):
        embed_files(encode, ["a.wav", "nowhere.wav"], folder)
