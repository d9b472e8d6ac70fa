"""A small network where CAM++'s class is looked for, and weights of it."""

import sys
import types

import torch


class MeanTeacher(torch.nn.Module):
    """Stands for CAM++: a linear map of the features' deviations."""

    def __init__(self, feat_dim, embedding_size):
        super().__init__()
        self.linear = torch.nn.Linear(feat_dim, embedding_size)

    def forward(self, feats):
        return self.linear(feats.std(1))


def stand_in(monkeypatch, folder):
    """Put it there; returns the path of its weights, below a folder."""
    name = "speakerlab.models.campplus.DTDNN"
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        module = types.ModuleType(".".join(parts[:i]))
        monkeypatch.setitem(sys.modules, module.__name__, module)
    module.CAMPPlus = MeanTeacher
    torch.manual_seed(0)
    path = folder / "teacher.pt"
    torch.save(MeanTeacher(80, 192).state_dict(), path)
    return path
