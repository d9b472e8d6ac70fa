"""A dense speaker encoder as stock SpeechBrain keeps it, tiny."""

import torch
from speechbrain.lobes.features import Fbank

from speechbrain_moe.lobes.expert_settings import build_expert

STOCK_YAML = """\
pretrained_path: nobody/nowhere
n_mels: 80
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    lin_neurons: 32
    channels: [16, 16, 16, 16, 48]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 16
    res2net_scale: 4
    se_channels: 16
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
"""


def settled_state(settings, wavs, seed=5):
    """Weights of an ECAPA_TDNN whose batch normalisation has seen speech."""
    torch.manual_seed(seed)
    dense = build_expert(80, 32, settings).train()
    feats = Fbank(n_mels=80)(wavs)
    for module in dense.modules():
        if hasattr(module, "running_mean"):
            module.momentum = 1.0
    with torch.no_grad():
        dense(feats - feats.mean(1, keepdim=True))
    return dense.state_dict()


def write_stock_folder(folder, state, old="", new=""):
    """Write the folder; a part of its yaml may be another."""
    assert old in STOCK_YAML
    text = STOCK_YAML.replace(old, new) if old else STOCK_YAML
    (folder / "hyperparams.yaml").write_text(text, encoding="utf-8")
    torch.save(state, folder / "embedding_model.ckpt")
    return folder
