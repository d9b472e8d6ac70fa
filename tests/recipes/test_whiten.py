"""Embeddings whitened a little, within the experts themselves."""

import numpy as np
import pytest
import torch
import train
from average import dev_eer
from tiny_corpus import arguments
from whiten import covariances, fold, main, whiten, whitening

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.experiment import find_checkpoint, read_weights
from speechbrain_moe.inference.export import export_package, load_encoder


def test_whitened_data_are_even_in_all_directions():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4000, 4)) @ rng.normal(size=(4, 4))
    total = np.cov(mixed.T)
    total *= 4 / np.trace(total)
    found = np.cov((mixed @ whitening(total, total, 1e-9)).T)
    assert np.allclose(found / found[0, 0], np.eye(4), atol=1e-3)


def test_a_matrix_shrunk_wholly_changes_nothing():
    within, total = np.diag([3.0, 0.5]), np.diag([0.5, 3.0])
    assert np.allclose(whitening(within, total, 1e9), np.eye(2), atol=1e-6)


def test_within_is_what_speakers_do_not_share():
    """Speakers differ in the first direction, recordings in the second."""
    embeddings = np.array([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]])
    within, total = covariances(embeddings, ["ann", "ann", "bob", "bob"])
    assert np.allclose(within, np.diag([0, 2]))
    assert total[0, 0] > 1.9 and np.trace(total) == pytest.approx(2)


def test_speakers_of_one_recording_each_teach_nothing():
    with pytest.raises(InputError, match="no speaker has two recordings"):
        covariances(np.eye(3), ["ann", "bob", "cid"])


def test_an_expert_gives_the_product_of_matrix_and_embedding(
    tiny_model, utterances
):
    model = tiny_model(n_experts=2, selection="uniform").eval()
    feats = utterances(3)
    counts = torch.full((3,), feats.shape[1])
    before = model.experts.run_all(feats, counts)
    matrix = torch.randn(before.shape[2], before.shape[2]).double()
    model.load_state_dict(fold(model.state_dict(), matrix))
    found = model.experts.run_all(feats, counts)
    assert torch.allclose(found, before @ matrix.float().T, atol=1e-3)


@pytest.fixture(scope="module")
def trained(corpus, small_yaml, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "out"
    train.main(arguments(small_yaml, corpus, folder))
    return folder


@pytest.mark.slow
def test_the_folder_is_that_of_a_training(trained, tmp_path, voices):
    out = tmp_path / "white"
    eers = whiten(trained, out)
    assert [*eers] == [str(trained), str(out)]
    state, heads = (
        read_weights(find_checkpoint(out / "save"), name)
        for name in ("embedding_model", "classifier")
    )
    assert eers[str(out)] == dev_eer(trained, state)
    before = read_weights(find_checkpoint(trained / "save"), "classifier")
    assert heads["weight"].shape == before["weight"].shape
    package = export_package(out, tmp_path / "package")
    wavs = voices(2)
    found = load_encoder(package).encode_batch(wavs)
    assert torch.allclose(found, load_encoder(out).encode_batch(wavs))
    assert not torch.allclose(found, load_encoder(trained).encode_batch(wavs))


@pytest.mark.slow
def test_what_cannot_be_is_refused_and_nothing_written(
    trained, tmp_path, capsys
):
    for given in (
        [str(trained), "--out", str(trained)],
        [str(trained), "--out", str(tmp_path / "w"), "--shrinkage", "0"],
        [str(tmp_path), "--out", str(tmp_path / "w")],
    ):
        with pytest.raises(SystemExit):
            main(given)
        assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "w").exists()
