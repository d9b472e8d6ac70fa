"""Tiny models, sounds and a tiny training folder, for all tests."""

import io
from pathlib import Path

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml, resolve_references

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.features import MarkedFbank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

GRAPH = Path(__file__).parents[1] / "hparams" / "moe_ecapa.yaml"
EMB_DIM = 32
TINY = {
    "channels": [16, 16, 16, 16, 48],
    "res2net_scale": 4,
    "attention_channels": 16,
    "se_channels": 16,
}
TRAINING_YAML = """\
seed: 1
n_experts: 4
selection: top_k
top_k: 2
n_speakers: 6
channels: [16, 16, 16, 16, 48]
model: !include:{graph}
    n_experts: !ref <n_experts>
    selection: !ref <selection>
    top_k: !ref <top_k>
    gate_channels: [16, 16]
    emb_dim: 32
    expert_channels: !ref <channels>
    expert_attention_channels: 16
    expert_res2net_scale: 4
    expert_se_channels: 16
    n_speakers: !ref <n_speakers>
modules:
    embedding_model: !ref <model[embedding_model]>
    classifier: !ref <model[classifier]>
label_encoder: !ref <model[label_encoder]>
"""


@pytest.fixture(autouse=True)
def seeded():
    """Each test draws the same numbers, alone or after others."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_expert():
    return TINY


@pytest.fixture(scope="session")
def utterances():
    """Log-mel-like features [B, T, 80] that differ as recordings do."""

    def make(n, n_frames=100, seed=0):
        rng = torch.Generator().manual_seed(seed)
        level = 10 * torch.randn(n, 1, 1, generator=rng) - 30
        channel = 6 * torch.randn(n, 1, 10, generator=rng)
        channel = channel.repeat_interleave(8, dim=2)
        speech = torch.randn(n, n_frames // 5 + 1, 20, generator=rng)
        speech = speech.repeat_interleave(5, 1).repeat_interleave(4, 2)
        noise = torch.randn(n, n_frames, 80, generator=rng)
        return level + channel + 8 * speech[:, :n_frames] + 2 * noise

    return make


@pytest.fixture(scope="session")
def voices():
    """Waveforms [B, S]: harmonics of differing pitch, in noise."""

    def make(n, n_samples=16000, seed=0):
        rng = torch.Generator().manual_seed(seed)
        t = torch.arange(n_samples) / 16000
        pitch = 80 + 200 * torch.rand(n, 1, 1, generator=rng)
        order = torch.arange(1, 20).view(1, -1, 1)
        tilt = 0.5 + torch.rand(n, 1, 1, generator=rng)
        harmonics = torch.sin(2 * torch.pi * pitch * order * t) / order**tilt
        syllables = 1.1 + torch.sin(2 * torch.pi * pitch[:, 0] / 40 * t)
        noise = torch.randn(n, n_samples, generator=rng)
        return 0.05 * (harmonics.sum(1) * syllables + 0.1 * noise)

    return make


@pytest.fixture(scope="session")
def compute_features():
    return MarkedFbank(sample_rate=16000, n_mels=80)


@pytest.fixture
def tiny_model(utterances):
    """Models in evaluation mode whose embeddings differ by utterance.

    Fresh batch normalisation gives all utterances nearly one embedding, and
    a fresh gate nearly one probability; claims on either would be empty.
    """

    def make(n_experts=4, selection="top_k", top_k=1, bank=None, **settings):
        torch.manual_seed(0)
        bank = {"emb_dim": EMB_DIM, "expert": TINY, **(bank or {})}
        model = MoEECAPA(
            GatingCNN(n_experts=n_experts, channels=[16, 16]),
            ExpertBank(n_experts, **bank),
            selection,
            top_k,
            **settings,
        )
        settle_batch_norm(model, utterances(16, seed=99))
        if model.gate is not None:
            spread_choices(model, utterances(64, seed=98))
        return model.eval()

    return make


def settle_batch_norm(model, feats):
    """Take the statistics of one batch for those of training."""
    norms = [m for m in model.modules() if hasattr(m, "running_mean")]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(feats)
    for norm in norms:
        norm.momentum = 0.1


def spread_choices(model, feats):
    """Scale and centre the logits, so that every expert is chosen."""
    with torch.no_grad():
        _, routing = model.eval()(feats, return_routing=True)
        scale = 1 / routing.gate_logits.std(0)
        model.gate.output.weight.mul_(scale.unsqueeze(1))
        model.gate.output.bias.copy_(-routing.gate_logits.mean(0) * scale)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """A training folder: 3 speakers at 2 speeds, two checkpoints."""
    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("training") / "1234"
    (folder / "save").mkdir(parents=True)
    source = io.StringIO(TRAINING_YAML.format(graph=GRAPH))
    text = resolve_references(source).read()
    (folder / "hyperparams.yaml").write_text(text, encoding="utf-8")
    hparams = load_hyperpyyaml(text)
    labels = hparams["label_encoder"]
    labels.update_from_iterable(["ann", "bob", "cid"], sequence_input=False)
    labels.save(folder / "save" / "label_encoder.txt")
    checkpointer = WholeCheckpointer(
        folder / "save", recoverables=hparams["modules"]
    )
    worse = checkpointer.save_checkpoint(
        meta={"dev_eer": 20.0, "epoch": 1}, name="worse"
    )
    with torch.no_grad():
        for weight in hparams["modules"]["embedding_model"].parameters():
            weight.add_(0.01 * torch.randn_like(weight))
    best = checkpointer.save_checkpoint(
        meta={"dev_eer": 10.0, "epoch": 2}, name="best"
    )
    assert worse.path != best.path
    return folder
