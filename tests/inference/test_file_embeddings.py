import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError, InputError, PackageError
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.file_embeddings import (
    QUALITY,
    describe_files,
)

NAMES = [f"{i}.wav" for i in range(7)]


@pytest.fixture
def folder(tmp_path, voices):
    """Seven voices, each of another length, not sorted by it."""
    for i, (name, wav) in enumerate(zip(NAMES, voices(7, 20000))):
        n_samples = 8000 + 1531 * (3 * i % 7)
        soundfile.write(tmp_path / name, wav[:n_samples].numpy(), 16000)
    return tmp_path


@pytest.fixture
def encoder(experiment):
    return load_encoder(experiment)


def test_quality_is_that_of_the_routing_of_each_file(encoder, folder):
    found = describe_files(encoder, NAMES, folder)
    wav, _ = soundfile.read(folder / NAMES[4], dtype="float32")
    feats = encoder.mods.compute_features(torch.from_numpy(wav)[None])
    with torch.no_grad():
        embedding, routing = encoder.mods.embedding_model(
            feats, return_routing=True
        )
    probs = routing.gate_probs[0].double().numpy()
    wanted = {
        "duration_s": len(wav) / 16000,
        "magnitude": routing.norm.item(),
        "entropy": -(probs * np.log(probs)).sum(),
        "agreement": routing.agreement.item(),
    }
    assert np.array_equal(found.embeddings[4], embedding[0, 0].numpy())
    assert tuple(found.quality) == QUALITY
    for name, value in wanted.items():
        assert found.quality[name][4] == pytest.approx(value, rel=1e-5), name


def test_one_at_a_time_equals_the_stock_interface_bit_for_bit(encoder, folder):
    found = describe_files(encoder, NAMES, folder)
    for name, row in zip(found.paths, found.embeddings):
        wav, _ = soundfile.read(folder / name, dtype="float32")
        stock = encoder.encode_batch(torch.from_numpy(wav)[None])
        assert np.array_equal(stock.flatten().numpy(), row)


def test_batches_give_what_one_at_a_time_gives(encoder, folder):
    alone = describe_files(encoder, NAMES, folder)
    batches = describe_files(encoder, NAMES, folder, batch_size=3)
    assert batches.paths == alone.paths == NAMES
    assert len(np.unique(alone.embeddings, axis=0)) == len(NAMES)
    assert np.abs(batches.embeddings - alone.embeddings).max() < 1e-5
    for name in QUALITY:
        assert np.allclose(
            batches.quality[name], alone.quality[name], rtol=1e-5
        )


def test_broken_file_is_set_aside_with_the_reason_alone(encoder, folder):
    (folder / "3.wav").write_bytes(b"no audio")
    soundfile.write(folder / "5.wav", np.ones(800), 16000)
    found = describe_files(encoder, NAMES, folder, skip_broken=True)
    assert found.paths == [x for x in NAMES if x not in ("3.wav", "5.wav")]
    assert len(found.embeddings) == len(found.quality["entropy"]) == 5
    assert found.broken["3.wav"].startswith("cannot be decoded")
    assert found.broken["5.wav"].startswith("lasts 0.050 s")


def test_broken_file_is_refused_by_name_unless_asked_otherwise(encoder, folder):
    (folder / "3.wav").unlink()
    with pytest.raises(AudioError, match="3.wav: no such file"):
        describe_files(encoder, NAMES, folder)


def test_model_without_a_routing_is_refused(encoder, folder):
    encoder.mods.embedding_model = torch.nn.Identity()
    with pytest.raises(PackageError, match="is a Identity"):
        describe_files(encoder, NAMES, folder)


def test_batch_size_of_nothing_is_refused(encoder, folder):
    with pytest.raises(InputError, match="batch_size is 0"):
        describe_files(encoder, NAMES, folder, batch_size=0)
