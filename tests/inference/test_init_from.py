import re
import shutil

import pytest
import torch
import torch.nn.functional as F
from hyperpyyaml import load_hyperpyyaml
from speechbrain.inference.classifiers import EncoderClassifier
from stock_folder import settled_state, write_stock_folder

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.init_from import init_experts
from speechbrain_moe.lobes.expert_settings import build_expert
from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.features import MarkedFbank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA, PassThrough


@pytest.fixture(scope="module")
def dense_state(tiny_expert, voices):
    return settled_state(tiny_expert, voices(16, 16000, seed=9))


@pytest.fixture
def stock_folder(tmp_path, dense_state):
    """Writes a stock folder; weights and a part of its yaml may differ."""

    def write(old="", new="", state=dense_state):
        return write_stock_folder(tmp_path, state, old, new)

    return write


@pytest.fixture
def graph(tiny_expert):
    """The modules of a training, up to the embedding."""

    def make(selection="top_k", top_k=1, n_experts=4, **bank):
        expert = {**tiny_expert, **bank.pop("expert", {})}
        model = MoEECAPA(
            GatingCNN(n_experts=n_experts, channels=[16, 16]),
            ExpertBank(n_experts, emb_dim=32, expert=expert, **bank),
            selection,
            top_k,
        )
        return {
            "compute_features": MarkedFbank(n_mels=80),
            "mean_var_norm": PassThrough(),
            "embedding_model": model,
        }

    return make


def open_stock(folder):
    return EncoderClassifier.from_hparams(
        source=str(folder), overrides={"pretrained_path": str(folder)}
    )


@torch.no_grad()
def embed(modules, wavs, lens=None):
    feats = modules["compute_features"](wavs)
    feats = modules["mean_var_norm"](feats, lens)
    return modules["embedding_model"].eval()(feats, lens)


@pytest.mark.parametrize("n_shared_blocks", [0, 5])
@pytest.mark.parametrize(
    "selection, top_k",
    [("soft", 1), ("top_k", 1), ("top_k", 2), ("uniform", 1)],
)
def test_mixture_gives_the_dense_direction_from_the_waveform_on(
    stock_folder, graph, voices, selection, top_k, n_shared_blocks
):
    folder = stock_folder()
    modules = graph(selection, top_k, n_shared_blocks=n_shared_blocks)
    init_experts(modules, folder)
    dense = open_stock(folder)
    for n_samples in (8000, 16000, 16079, 30001):
        wavs = voices(3, n_samples)
        wanted = dense.encode_batch(wavs)
        cosine = F.cosine_similarity(embed(modules, wavs), wanted, dim=2)
        assert cosine.min() > 0.99999


def test_dense_embeddings_of_voices_differ(stock_folder, voices):
    found = open_stock(stock_folder()).encode_batch(voices(3, 16000))
    units = F.normalize(found.squeeze(1), dim=1)
    assert (units @ units.T - torch.eye(3)).max() < 0.9


def test_padded_batch_gives_the_dense_direction_of_each_alone(
    stock_folder, graph, voices
):
    folder = stock_folder()
    modules = graph("top_k", 2)
    init_experts(modules, folder)
    dense = open_stock(folder)
    n_samples = [8000, 30001, 16079, 24000]
    alone = [voices(1, n, seed=n) for n in n_samples]
    padded = [F.pad(wav, (0, 30001 - wav.shape[1])) for wav in alone]
    lens = torch.tensor(n_samples) / 30001
    found = embed(modules, torch.cat(padded), lens)
    wanted = torch.cat([dense.encode_batch(wav) for wav in alone])
    assert F.cosine_similarity(found, wanted, dim=2).min() > 0.99999


def test_noise_moves_the_experts(stock_folder, graph, voices):
    folder, modules = stock_folder(), graph("soft")
    init_experts(modules, folder, noise=0.2, seed=3)
    wavs = voices(3, 16000)
    wanted = open_stock(folder).encode_batch(wavs)
    cosine = F.cosine_similarity(embed(modules, wavs), wanted, dim=2)
    assert 0.3 < cosine.min() and cosine.max() < 0.999


def test_modules_stay_in_the_mode_they_were_in(stock_folder, graph):
    modules = graph()
    modules["embedding_model"].train()
    init_experts(modules, stock_folder())
    assert all(m.training for m in modules["embedding_model"].modules())


@pytest.fixture(scope="module")
def one_expert(experiment, tmp_path_factory):
    """A training folder with one expert, and its exported package."""
    folder = tmp_path_factory.mktemp("dense") / "1234"
    (folder / "save").mkdir(parents=True)
    text = (experiment / "hyperparams.yaml").read_text(encoding="utf-8")
    text = re.sub(r"n_experts: (&\w+ )?4", r"n_experts: \g<1>1", text)
    text = re.sub(r"top_k: (&\w+ )?2", r"top_k: \g<1>1", text)
    (folder / "hyperparams.yaml").write_text(text, encoding="utf-8")
    labels = "label_encoder.txt"
    shutil.copy(experiment / "save" / labels, folder / "save" / labels)
    modules = load_hyperpyyaml(text)["modules"]
    WholeCheckpointer(folder / "save", recoverables=modules).save_checkpoint(
        meta={"dev_eer": 1.0, "epoch": 1}
    )
    return folder, export_package(folder, folder.parent / "package")


@pytest.mark.parametrize("which", [0, 1], ids=["training", "package"])
def test_own_folder_of_one_expert_is_a_source(graph, voices, one_expert, which):
    modules, folder = graph(), one_expert[which]
    init_experts(modules, folder)
    wavs = voices(3, 8000)
    wanted = load_encoder(folder).encode_batch(wavs)
    cosine = F.cosine_similarity(embed(modules, wavs), wanted, dim=2)
    assert cosine.min() > 0.99999


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("<n_mels>\nmean", "<n_mels>\n    n_fft: 512\nmean", "n_fft 512"),
        ("<n_mels>\nmean", "<n_mels>\n    hop_length: 8\nmean", "hop_length 8"),
        ("<n_mels>\nmean", "<n_mels>\n    deltas: True\nmean", "deltas True"),
        ("features.Fbank", "features.MFCC", "is a MFCC"),
        ("sentence", "global", "norm_type global, std_norm False; supported"),
        ("std_norm: False", "std_norm: True", "std_norm True; supported"),
        ("[1, 2, 3, 4, 1]", "[1, 2, 2, 2, 1]", "cosine.*expert_dilations"),
    ],
)
def test_source_trained_in_another_way_is_refused_by_key(
    stock_folder, graph, old, new, message
):
    folder = stock_folder(old, new)
    with pytest.raises(HyperparameterError, match=f"init_from.*{message}"):
        init_experts(graph(), folder)


def test_source_with_other_mels_is_refused_by_key(
    stock_folder, graph, tiny_expert
):
    state = build_expert(60, 32, tiny_expert).state_dict()
    folder = stock_folder("n_mels: 80", "n_mels: 60", state)
    with pytest.raises(HyperparameterError, match="n_mels 60 and.*has 80"):
        init_experts(graph(), folder)


def test_expert_of_another_width_is_refused_by_key(stock_folder, graph):
    modules = graph(expert={"channels": [16, 16, 16, 16, 96]})
    with pytest.raises(HyperparameterError, match="mfa.*expert_channels"):
        init_experts(modules, stock_folder())
