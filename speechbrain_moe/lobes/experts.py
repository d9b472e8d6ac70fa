"""A bank of SpeechBrain's own ECAPA_TDNN, of which only chosen ones run.

 * the class and its state_dict keys are SpeechBrain's: expert i of a bank is
   ``experts.i.<keys of ECAPA_TDNN>``
 * experts may differ in kernels, dilations and widths, not in emb_dim
 * each expert runs on the utterances that chose it, once for each length
   among them, without their padding; one that nobody chose costs nothing

Shape letters: B batch, T frames, M mels, E experts, K chosen, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import inspect

import torch
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from torch import nn

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.gate import check_n_experts
from speechbrain_moe.lobes.padding import relative_lengths

FIXED = ("input_size", "lin_neurons", "device", "activation", "self")
EXPERT_KEYS = sorted(
    set(inspect.signature(ECAPA_TDNN.__init__).parameters) - set(FIXED)
)


class ExpertBank(nn.Module):
    """Raw embeddings of the chosen experts, each an ECAPA-TDNN.

    The expert is that of Desplanques et al., "ECAPA-TDNN", 2020
    (https://arxiv.org/abs/2005.07143), as SpeechBrain implements it.

    Arguments
    ---------
    n_experts : int
        Number of experts.
    input_size : int
        Mel bands of the features.
    emb_dim : int
        Size of each expert's embedding.
    expert : dict, optional
        Arguments of ``ECAPA_TDNN`` that all experts share (channels,
        kernel_sizes, dilations, attention_channels, res2net_scale,
        se_channels, global_context, groups, dropout).
    expert_overrides : list of dict, optional
        One dict for each expert with the arguments in which it differs;
        empty dicts for those that do not.

    Raises
    ------
    HyperparameterError
        If a value does not fit; the message names the yaml key.

    Example
    -------
    >>> small = {"channels": [8, 8, 8, 8, 24], "res2net_scale": 2}
    >>> bank = ExpertBank(n_experts=3, emb_dim=16, expert=small).eval()
    >>> expert_ids = torch.tensor([[2], [0]])
    >>> counts = torch.tensor([20, 15])
    >>> bank(torch.randn(2, 20, 80), counts, expert_ids).shape
    torch.Size([2, 1, 16])
    """

    def __init__(
        self,
        n_experts,
        input_size=80,
        emb_dim=192,
        expert=None,
        expert_overrides=None,
    ):
        super().__init__()
        check_n_experts(n_experts)
        overrides = expert_overrides or [{}] * n_experts
        if len(overrides) != n_experts:
            raise HyperparameterError(
                f"expert_overrides has {len(overrides)} entries and n_experts "
                f"is {n_experts}: give one (maybe empty) dict for each expert"
            )
        self.emb_dim = emb_dim
        self.experts = nn.ModuleList(
            build_expert(input_size, emb_dim, {**(expert or {}), **override})
            for override in overrides
        )

    def forward(self, feats, counts, expert_ids):
        """Run chosen experts, once for each length, with the padding cut off.

        ECAPA_TDNN reflects the end of its input at each layer. Padding would
        stand in the place of that reflection and move the embedding: by
        1 - cos of about 3e-4 for speech, which a threshold may notice.

        Arguments
        ---------
        feats : torch.Tensor
            Normalised features [B, T, M], zero in the padding.
        counts : torch.Tensor
            Valid frames [B], int64, each in 1..T.
        expert_ids : torch.Tensor
            Chosen experts [B, K], int64, no expert twice in a row.

        Returns
        -------
        torch.Tensor
            Raw embeddings [B, K, D], in the order of expert_ids, of any
            length (not normalised). Padding has no effect.
        """
        embeddings = feats.new_zeros(*expert_ids.shape, self.emb_dim)
        for n in counts.unique().tolist():
            wanted = expert_ids.masked_fill((counts != n).unsqueeze(1), -1)
            for i, expert in enumerate(self.experts):
                rows, slots = (wanted == i).nonzero(as_tuple=True)
                if len(rows):
                    output = expert(feats[rows, :n]).squeeze(1)
                    embeddings[rows, slots] = output.to(embeddings.dtype)
        return embeddings

    def run_all(self, feats, counts):
        """Run every expert on every utterance, as dense training does.

        Arguments
        ---------
        feats : torch.Tensor
            Normalised features [B, T, M], zero in the padding.
        counts : torch.Tensor
            Valid frames [B], int64, each in 1..T.

        Returns
        -------
        torch.Tensor
            Raw embeddings [B, E, D]. Padding is masked by ECAPA_TDNN, whose
            edges see it: training takes crops of one length.
        """
        lengths = relative_lengths(counts, feats.shape[1])
        outputs = [expert(feats, lengths) for expert in self.experts]
        return torch.cat(outputs, dim=1)


def build_expert(input_size, emb_dim, settings):
    """One ECAPA_TDNN, with its settings checked first.

    Arguments
    ---------
    input_size : int
        Mel bands of the features.
    emb_dim : int
        Size of the embedding.
    settings : dict
        Other arguments of ``ECAPA_TDNN``.

    Returns
    -------
    ECAPA_TDNN
        A randomly initialised expert.

    Raises
    ------
    HyperparameterError
        If a key is unknown, the layer lists differ in length, or the widths
        are not divisible by res2net_scale.

    Example
    -------
    >>> build_expert(80, 192, {"channels": [9] * 5})
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: expert channels [9, 9, 9, 9, 9]
    are not all divisible by res2net_scale 8: change one of them
    """
    unknown = sorted(set(settings) - set(EXPERT_KEYS))
    if unknown:
        raise HyperparameterError(
            f"experts take no {', '.join(unknown)}: choose from "
            f"{', '.join(EXPERT_KEYS)}"
        )
    sizes = {key: 5 for key in ("channels", "kernel_sizes", "dilations")}
    given = [key for key in (*sizes, "groups") if key in settings]
    sizes.update({key: len(settings[key]) for key in given})
    if len(set(sizes.values())) > 1:
        raise HyperparameterError(
            f"expert layer lists differ in length: {sizes} "
            "(a list that is not given has 5 entries)"
        )
    scale = settings.get("res2net_scale", 8)
    channels = settings.get("channels", [512] * 4)
    if any(width % scale for width in channels[1:-1]):
        raise HyperparameterError(
            f"expert channels {list(channels)} are not all divisible by "
            f"res2net_scale {scale}: change one of them"
        )
    return ECAPA_TDNN(input_size, lin_neurons=emb_dim, **settings)
