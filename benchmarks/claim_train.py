"""One run of the experiment: build a system, train it, keep its weights.

 * the model is the recipe's graph, the losses are MoEBrain's
 * two gates that the package has no use for stand here: one that looks at
   another utterance, and one that is told the speaker's group

Authors
 * The speechbrain_moe developers 2026
"""

import copy
from pathlib import Path

import speechbrain as sb
import torch
import torch.nn.functional as F
from hyperpyyaml import load_hyperpyyaml
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from speechbrain_moe.lobes import moe_ecapa
from speechbrain_moe.lobes.upcycle import perturb_experts, upcycle
from speechbrain_moe.training.brain import MoEBrain

YAML = Path(__file__).with_name("claim.yaml")


class ShuffledGate(nn.Module):
    """A gate that decides by another utterance of the batch, if any."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, feats, counts):
        shift = int(torch.randint(1, max(2, len(feats)), (1,)))
        return self.gate(feats.roll(shift, 0), counts.roll(shift, 0))


class OracleGate(nn.Module):
    """A gate that is told the group of each speaker before each batch."""

    def __init__(self, n_experts):
        super().__init__()
        self.n_experts = n_experts
        self.groups = None

    def forward(self, feats, counts):
        groups = self.groups
        if groups is None:
            groups = torch.zeros(len(feats), dtype=torch.long)
        one_hot = F.one_hot(groups.to(feats.device), self.n_experts)
        return 20.0 * one_hot.float()


class RawMixture(moe_ecapa.MoEECAPA):
    """Sums the experts' embeddings as they come, of any length."""

    @staticmethod
    def mix(raw, weights, always_on_weight):
        mixed = (weights.unsqueeze(2) * raw.float()).sum(1)
        embedding = F.normalize(mixed, dim=1).unsqueeze(1)
        return embedding, mixed.norm(dim=1), torch.ones(len(raw))


class ClaimBrain(MoEBrain):
    """Trains on stored features; nothing is validated while it runs."""

    def compute_forward(self, batch, stage):
        batch = batch.to(self.device)
        tell_groups(self.encoder, batch.group)
        return self.modules.embedding_model(batch.feats, return_routing=True)

    def compute_objectives(self, predictions, batch, stage):
        return self.training_loss(*predictions, batch.to(self.device))

    def on_stage_start(self, stage, epoch=None):
        self.on_train_epoch_start(epoch)

    def on_fit_batch_start(self, batch, should_step):
        self.hparams.lr_scheduler(self.optimizer)

    def on_stage_end(self, stage, stage_loss, epoch=None):
        self.log.append({"epoch": epoch, **self.epoch_figures()})
        print(self.log[-1], flush=True)


def tell_groups(model, groups):
    """Give an oracle gate what it is to be told; others are left alone."""
    if isinstance(model.gate, OracleGate):
        model.gate.groups = groups


def build(overrides, n_speakers, seed):
    """The hparams of a system, its model changed where the yaml cannot."""
    given = {**overrides, "n_speakers": n_speakers, "seed": seed}
    with open(YAML, encoding="utf-8") as file:
        hparams = load_hyperpyyaml(file, given)
    model = hparams["modules"]["embedding_model"]
    if hparams["routing"] == "shuffled":
        model.gate = ShuffledGate(model.gate)
    elif hparams["routing"] == "oracle":
        model.gate = OracleGate(model.n_experts)
    if hparams["mixing"] == "raw":
        model.__class__ = RawMixture
    return hparams


def start_from(hparams, state, seed):
    """Copy a dense system's weights, classifier included, into a model.

    One expert becomes several; those get the yaml's init_noise.
    """
    modules = hparams["modules"]
    prefix = "experts.experts.0."
    dense = {
        key.removeprefix(prefix): value
        for key, value in state["embedding_model"].items()
        if key.startswith(prefix)
    }
    upcycle(modules["embedding_model"], dense)
    if hparams["init_noise"]:
        perturb_experts(modules["embedding_model"], hparams["init_noise"], seed)
    for name in ("classifier", "distillation"):
        modules[name].load_state_dict(state[name])


def train(hparams, crops, device="cpu"):
    """Train a system to its end.

    Returns
    -------
    ClaimBrain
        The trained system, with a log of its epochs.
    float
        Operations of one training step.
    """
    brain = ClaimBrain(
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts={"device": device, "max_grad_norm": hparams["max_grad_norm"]},
    )
    brain.log = []
    step_flops = count_step(brain, next(iter(crops)))
    loader = DataLoader(crops, batch_size=None)
    brain.fit(hparams["epoch_counter"], loader, progressbar=False)
    return brain, step_flops


def count_step(brain, batch):
    """Operations of a step forward and back; the state stays."""
    brain.on_train_epoch_start(1)
    stateful = [*brain.modules.values(), brain.hparams.load_window]
    before = [copy.deepcopy(module.state_dict()) for module in stateful]
    brain.modules.train()
    counter = FlopCounterMode(display=False)
    with counter:
        predictions = brain.compute_forward(batch, sb.Stage.TRAIN)
        brain.compute_objectives(predictions, batch, sb.Stage.TRAIN).backward()
    brain.modules.zero_grad()
    for module, state in zip(stateful, before):
        module.load_state_dict(state)
    return counter.get_total_flops()
