"""A MoEBrain of a few hundred weights, for tests in one process or two."""

from types import SimpleNamespace

import torch
from speechbrain import Stage
from speechbrain.lobes.models.ECAPA_TDNN import Classifier
from speechbrain.utils.epoch_loop import EpochCounter

from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.losses import AngularMarginLoss
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
from speechbrain_moe.training.balance import LoadWindow
from speechbrain_moe.training.brain import MoEBrain
from speechbrain_moe.training.distillation import Distillation

EXPERT = {
    "channels": [8, 8, 8, 8, 24],
    "res2net_scale": 2,
    "attention_channels": 8,
    "se_channels": 8,
}
N_SPEAKERS, TEACHER_DIM = 5, 6
HPARAMS = {
    "balance_weight": 0.0,
    "z_weight": 0.0,
    "balance_bias_rate": 0.0,
    "temperature_start": 1.0,
    "temperature_end": 1.0,
    "margin": 0.2,
    "margin_epochs": [0, 0],
    "max_skipped_steps": 20,
    "seed": 1234,
}


class TinyBrain(MoEBrain):
    """Batches hold features."""

    def compute_forward(self, batch, stage):
        model = self.modules.embedding_model
        return model(batch.feats, return_routing=True)

    def compute_objectives(self, predictions, batch, stage):
        return self.training_loss(*predictions, batch)


def tiny_brain(teacher=False, run_opts=None, settings=None, **hparams):
    """A brain in its first epoch; settings are the mixture's."""
    torch.manual_seed(0)
    model = MoEECAPA(
        GatingCNN(channels=[8, 8]),
        ExpertBank(4, emb_dim=16, expert=EXPERT),
        **(settings or {}),
    )
    modules = {"embedding_model": model}
    modules["classifier"] = Classifier(16, out_neurons=N_SPEAKERS)
    if teacher:
        modules["distillation"] = Distillation(16, TEACHER_DIM)
    brain = TinyBrain(
        modules=modules,
        opt_class=lambda weights: torch.optim.Adam(weights, lr=1e-3),
        hparams={
            "compute_loss": AngularMarginLoss(),
            "load_window": LoadWindow(4, window=200),
            "epoch_counter": EpochCounter(limit=3),
            **HPARAMS,
            **hparams,
        },
        run_opts={"device": "cpu", **(run_opts or {})},
    )
    brain.on_train_epoch_start(1)
    brain.modules.train()
    return brain


def tiny_batch(n_rows=8, n_frames=40, seed=0):
    """Features of utterances that differ, with labels and a teacher."""
    rng = torch.Generator().manual_seed(seed)
    feats = torch.randn(n_rows, n_frames, 80, generator=rng)
    feats = feats + 8 * torch.randn(n_rows, 1, 80, generator=rng)
    return SimpleNamespace(
        id=[f"{seed}_{i}" for i in range(n_rows)],
        feats=feats,
        spk_label=torch.arange(n_rows) % N_SPEAKERS,
        teacher=torch.randn(n_rows, TEACHER_DIM, generator=rng),
        has_teacher=torch.ones(n_rows, dtype=torch.bool),
    )


def loss_of(brain, batch):
    """Loss of a training step, without its gradients."""
    predictions = brain.compute_forward(batch, Stage.TRAIN)
    return brain.compute_objectives(predictions, batch, Stage.TRAIN)
