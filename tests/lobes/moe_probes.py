"""What several tests of the mixture do to a model and ask of it."""

import torch
import torch.nn.functional as F
from speechbrain.lobes.models.ECAPA_TDNN import Classifier
from torch.nn.modules.batchnorm import _BatchNorm

from speechbrain_moe.lobes.losses import AngularMarginLoss

SELECTIONS = [("soft", 1), ("top_k", 1), ("top_k", 2), ("uniform", 1)]
# Options of the mixture and of its bank that act together in one model
COMBINATIONS = {
    "noisy": {"gate_noise": 1.0, "expert_dropout": 0.5},
    "sparse": {"execution": "sparse", "gate_noise": 1.0},
    "shared": {"top_k": 2, "bank": {"n_shared_blocks": 3}},
    "sparse_shared": {
        "execution": "sparse",
        "expert_dropout": 0.5,
        "bank": {"n_shared_blocks": 5},
    },
    "always_on": {
        "top_k": 2,
        "always_on_weight": 0.4,
        "bank": {"always_on": True, "n_shared_blocks": 2},
    },
    "sparse_always_on": {
        "execution": "sparse",
        "always_on_weight": 0.4,
        "bank": {"always_on": True},
    },
}


def distance(one, other):
    """Largest 1 - cos of any row."""
    cosines = F.cosine_similarity(one.double(), other.double(), dim=-1)
    return (1 - cosines).max().item()


def pad(feats, n_frames, value=0.0):
    return F.pad(feats, (0, 0, 0, n_frames), value=value)


def run(model, feats, lengths=None):
    with torch.no_grad():
        return model(feats, lengths, return_routing=True)


def task_loss(embedding):
    """Speaker loss alone, of ten speakers by turns."""
    torch.manual_seed(0)
    classifier = Classifier(embedding.shape[-1], out_neurons=10)
    compute_loss = AngularMarginLoss(margin=0.2, scale=30.0)
    return compute_loss(
        classifier(embedding), torch.arange(len(embedding)) % 10
    )


def train_step(model, feats):
    """Gradients of the speaker loss alone, in training mode."""
    task_loss(model.train()(feats)).backward()


def gradient_norm(module):
    return sum(p.grad.norm().item() for p in module.parameters())


def close_gate(model, expert):
    """Let nobody choose an expert."""
    with torch.no_grad():
        model.gate.output.bias[expert] = -100


def train_with_fixed_norms(model):
    """Training mode, except that no row changes another's normalisation."""
    model.train()
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            part.eval()
    return model


def count_calls(bank):
    """Utterances of each call, by expert; filled as the bank runs."""
    calls = [[] for _ in bank.experts]
    for seen, expert in zip(calls, bank.experts):
        expert.fc.register_forward_hook(
            lambda module, args, out, seen=seen: seen.append(len(out))
        )
    return calls


def expert_similarity(raw):
    """Mean cosine [E, E] of the experts' embeddings [B, E, D]."""
    units = F.normalize(raw, dim=2)
    return (units @ units.transpose(1, 2)).mean(0)
