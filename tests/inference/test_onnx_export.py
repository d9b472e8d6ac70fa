import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
from speechbrain.inference.speaker import SpeakerRecognition
from torch import nn

from speechbrain_moe import __version__
from speechbrain_moe.errors import (
    InputError,
    MissingPackageError,
    PackageError,
)
from speechbrain_moe.inference import onnx_export
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.onnx_export import build_onnx, export_onnx
from speechbrain_moe.inference.onnx_parity import sounds_to_check
from speechbrain_moe.lobes.moe_ecapa import PassThrough

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_embed.py"
# Two blocks: a trace takes seconds, and longer for more
SHORT = {
    "channels": [16, 16, 24],
    "kernel_sizes": [5, 3, 1],
    "dilations": [1, 2, 1],
    "groups": [1, 1, 1],
}
MODELS = {
    "soft": {"n_experts": 2, "selection": "soft"},
    "top_1_shared_always_on": {
        "n_experts": 3,
        "selection": "top_k",
        "top_k": 1,
        "gate_input": "normalised",
        "always_on_weight": 0.4,
        "bank": {"always_on": True, "n_shared_blocks": 1},
    },
    "uniform": {"n_experts": 3, "selection": "uniform"},
}
slow = pytest.mark.slow  # tracing a model takes seconds


@pytest.fixture(scope="module")
def written(experiment, tmp_path_factory):
    """The training folder's encoder as a file: top-2 of 4, all blocks."""
    path = tmp_path_factory.mktemp("onnx") / "encoder.onnx"
    return export_onnx(experiment, path)


@pytest.fixture(scope="module")
def session(written):
    return onnxruntime.InferenceSession(
        written.path, providers=["CPUExecutionProvider"]
    )


@pytest.fixture(scope="module")
def encoder(experiment):
    return load_encoder(experiment)


@pytest.fixture
def encoder_of(tiny_model, tiny_expert, compute_features):
    """Stock SpeechBrain's interface around a small model."""

    def make(settings):
        expert = {**tiny_expert, **SHORT}
        bank = {"expert": expert, **settings.get("bank", {})}
        modules = {
            "compute_features": compute_features,
            "mean_var_norm": PassThrough(),
            "embedding_model": tiny_model(**{**settings, "bank": bank}),
        }
        return SpeakerRecognition(
            modules=modules, hparams={"sample_rate": 16000}
        )

    return make


def distance(session, encoder, wavs):
    """Largest 1 - cos between onnxruntime and torch."""
    (ours,) = session.run(["embeddings"], {"wavs": wavs.numpy()})
    wanted = encoder.encode_batch(wavs).squeeze(1)
    cosine = F.cosine_similarity(
        torch.from_numpy(ours).double(), wanted.double()
    )
    return (1 - cosine).max()


@slow
@pytest.mark.parametrize("name", MODELS)
def test_onnx_gives_torchs_embeddings_and_choices(encoder_of, voices, name):
    encoder = encoder_of(MODELS[name])
    session = onnxruntime.InferenceSession(build_onnx(encoder))
    for wavs in sounds_to_check(16000):
        assert distance(session, encoder, wavs) < 1e-5
    wavs = voices(8, 8000)
    (weights,) = session.run(["expert_weights"], {"wavs": wavs.numpy()})
    _, routing = encoder.mods.embedding_model(
        encoder.mods.compute_features(wavs), return_routing=True
    )
    wanted = torch.zeros(weights.shape)
    wanted.scatter_(1, routing.expert_ids, routing.expert_weights)
    assert np.array_equal(weights > 0, wanted > 0)
    assert (weights > 0).any(0).all()  # every expert by somebody
    assert np.allclose(weights, wanted, atol=1e-5)


@slow
@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("n_samples", [1600, 8000, 16000, 53280, 160000])
def test_any_batch_size_and_length(
    session, encoder, voices, batch_size, n_samples
):
    wavs = voices(batch_size, n_samples)
    assert distance(session, encoder, wavs) < 1e-5


@slow
def test_every_remainder_of_the_hop(session, encoder, voices):
    wavs = voices(1, 4960)
    for n_samples in range(4800, 4960):
        assert distance(session, encoder, wavs[:, :n_samples]) < 1e-5


@slow
def test_zeros_that_pad_a_batch_have_no_effect(session, voices):
    wavs = voices(3, 16000).numpy()
    wavs[1, 9001:] = 0
    wavs[2, 1600:] = 0
    (together,) = session.run(["embeddings"], {"wavs": wavs})
    for row, n_samples in zip(range(3), (16000, 9001, 1600)):
        alone = wavs[row : row + 1, :n_samples]
        (wanted,) = session.run(["embeddings"], {"wavs": alone})
        assert together[row] @ wanted[0] > 1 - 1e-6


@slow
def test_silence_has_finite_embeddings_of_length_one(session):
    silence = np.zeros((1, 16000), dtype=np.float32)
    (embedding,) = session.run(["embeddings"], {"wavs": silence})
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


@slow
def test_report_is_of_the_file(written):
    model = onnx.load(written.path)
    onnx.checker.check_model(model, full_check=True)
    assert written.n_bytes == written.path.stat().st_size
    assert written.opset == model.opset_import[0].version == 18
    assert 0 <= written.distance < 1e-5


@slow
def test_file_says_how_to_use_it(session):
    about = session.get_modelmeta().custom_metadata_map
    assert about == {
        "sample_rate": "16000",
        "hop_samples": "160",
        "min_samples": "1600",
        "n_experts": "4",
        "selection": "top_k",
        "top_k": "2",
        "speechbrain_moe": __version__,
    }
    inputs = [(i.name, i.shape) for i in session.get_inputs()]
    outputs = [(o.name, o.shape) for o in session.get_outputs()]
    assert inputs == [("wavs", ["batch", "samples"])]
    assert outputs == [
        ("embeddings", ["batch", 32]),
        ("expert_weights", ["batch", 4]),
    ]


@slow
def test_file_holds_no_path_of_the_machine_it_was_written_on(written):
    content = written.path.read_bytes()
    for forbidden in (b".py", b"site-packages", str(Path.home()).encode()):
        assert forbidden not in content


@slow
def test_parity_is_checked_before_an_older_file_is_replaced(
    experiment, written, tmp_path, monkeypatch
):
    content = written.path.read_bytes()
    monkeypatch.setattr(onnx_export, "build_onnx", lambda encoder: content)
    older = tmp_path / "encoder.onnx"
    older.write_text("older")
    with pytest.raises(PackageError, match="differ by 1 - cos = "):
        export_onnx(experiment, older, checkpoint="CKPT+worse")
    assert [p.name for p in tmp_path.iterdir()] == ["encoder.onnx"]
    assert older.read_text() == "older"
    assert export_onnx(experiment, older).n_bytes == len(content)


@slow
def test_package_gives_the_file_that_its_training_gives(
    experiment, written, tmp_path, monkeypatch
):
    content = written.path.read_bytes()
    monkeypatch.setattr(onnx_export, "build_onnx", lambda encoder: content)
    package = export_package(experiment, tmp_path / "package")
    again = export_onnx(package, tmp_path / "encoder.onnx")
    assert again.distance == pytest.approx(written.distance, abs=1e-9)


@slow
def test_example_scores_files_as_torch_does_without_torch(
    written, encoder, voices, tmp_path
):
    wavs = voices(2, 20000)
    paths = [str(tmp_path / f"{i}.wav") for i in range(2)]
    for path, wav in zip(paths, wavs):
        soundfile.write(path, wav.numpy(), 16000, subtype="FLOAT")
    # None in sys.modules makes an import fail
    code = (
        "import runpy, sys; sys.modules['torch'] = None; "
        "sys.modules['speechbrain_moe'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    given = [EXAMPLE, written.path, *paths]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, given)],
        capture_output=True,
        text=True,
        check=True,
    )
    one, other = encoder.encode_batch(wavs).squeeze(1)
    assert float(done.stdout) == pytest.approx((one @ other).item(), abs=1e-4)


@slow
@pytest.mark.parametrize(
    "wav, rate, said",
    [
        (np.ones(8000), 8000, "has 8000 Hz, wanted 16000"),
        (np.ones(1599), 16000, "1599 samples, too few"),
        (np.full(8000, np.nan), 16000, "NaN"),
    ],
)
def test_example_refuses_what_it_cannot_embed(
    written, tmp_path, wav, rate, said
):
    soundfile.write(tmp_path / "a.wav", wav, rate, subtype="FLOAT")
    example = runpy.run_path(EXAMPLE)
    model = example["load"](written.path)
    with pytest.raises(ValueError, match=f"a.wav: .*{said}"):
        example["embed"](model, tmp_path / "a.wav")


def test_path_that_is_no_onnx_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="a.pt: give a file that ends in"):
        export_onnx("nowhere", tmp_path / "a.pt")
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(InputError, match="a.onnx is a folder"):
        export_onnx("nowhere", tmp_path / "a.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_missing_package_is_named_with_its_pip_line(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError) as caught:
        export_onnx("nowhere", "a.onnx")
    assert f"needs {package}: pip install" in str(caught.value)
    assert "speechbrain-moe[export]" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["compute_features", "mean_var_norm", "embedding_model"]
)
def test_encoder_of_other_modules_is_refused_by_name(
    experiment, encoder, tmp_path, monkeypatch, name
):
    monkeypatch.setitem(encoder.mods._modules, name, nn.Identity())
    monkeypatch.setattr(onnx_export, "load_encoder", lambda *a, **k: encoder)
    with pytest.raises(PackageError, match=f"its {name} is Identity"):
        export_onnx(experiment, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
