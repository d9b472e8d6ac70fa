"""SpeechBrain's ECAPA_TDNN, stage by stage, exact on padded batches.

 * drives the submodules of an ECAPA_TDNN instance; the weights and their
   names stay SpeechBrain's
 * each convolution sees the reflected end of each utterance, as it would
   without padding, so that a padded batch needs one call and not one for
   each length
 * the pooling's attention splits into a part by frame and a part by
   utterance, and 1x1 convolutions copy nothing: the same numbers to
   rounding, sooner
 * in training mode batch normalisation counts padded frames, as stock
   SpeechBrain does: train on crops of one length

Shape letters: B batch, T frames, M mels, C channels, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from speechbrain_moe.lobes.padding import frame_mask, relative_lengths


class Ends(NamedTuple):
    """Where each utterance of a batch ends.

    Arguments
    ---------
    counts : torch.Tensor
        Valid frames [B], int64, each in 1..T.
    n_frames : int
        Frames of the padded batch, T.
    ragged : bool
        Whether any utterance is padded.
    """

    counts: torch.Tensor
    n_frames: int
    ragged: bool

    @property
    def lengths(self):
        """Relative lengths [B] that SpeechBrain's masks turn into counts."""
        return relative_lengths(self.counts, self.n_frames)

    def of(self, rows):
        """The same for some rows of the batch."""
        return self._replace(counts=self.counts[rows])


def find_ends(counts, n_frames):
    """Ends of a padded batch; looks once whether there is padding at all.

    Arguments
    ---------
    counts : torch.Tensor
        Valid frames [B], int64, each in 1..T.
    n_frames : int
        Frames of the padded batch, T.

    Returns
    -------
    Ends
        The ends.

    Example
    -------
    >>> find_ends(torch.tensor([3, 2]), 3).ragged
    True
    """
    return Ends(counts, n_frames, bool((counts < n_frames).any()))


def n_stages(expert):
    """Stages of an ECAPA-TDNN before its pooling: the blocks and the MFA.

    Arguments
    ---------
    expert : ECAPA_TDNN
        SpeechBrain's module.

    Returns
    -------
    int
        5 for the usual four blocks.
    """
    return len(expert.blocks) + 1


def run_stages(expert, hidden, ends, first, last):
    """Run stages first..last - 1 of an ECAPA-TDNN.

    Arguments
    ---------
    expert : ECAPA_TDNN
        SpeechBrain's module.
    hidden : list of torch.Tensor
        The features [B, M, T], then what the stages before ``first`` gave.
    ends : Ends
        Where the utterances end.
    first : int
        First stage to run; 0 is the first block.
    last : int
        Stage before which to stop, at most ``n_stages(expert)``.

    Returns
    -------
    list of torch.Tensor
        hidden, longer by one [B, C, T] for each block; after the MFA its
        output alone. Frames past an end hold anything.

    Example
    -------
    >>> from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
    >>> expert = ECAPA_TDNN(80, channels=[8] * 4 + [24], res2net_scale=2)
    >>> ends = find_ends(torch.tensor([30, 20]), 30)
    >>> hidden = run_stages(expert, [torch.randn(2, 80, 30)], ends, 0, 2)
    >>> [tuple(h.shape) for h in hidden]
    [(2, 80, 30), (2, 8, 30), (2, 8, 30)]
    """
    for stage in range(first, last):
        if stage == len(expert.blocks):
            # All blocks but the first are aggregated
            hidden = [_tdnn(expert.mfa, torch.cat(hidden[2:], dim=1), ends)]
        elif stage == 0:
            hidden = [*hidden, _tdnn(expert.blocks[0], hidden[-1], ends)]
        else:
            block = expert.blocks[stage]
            hidden = [*hidden, _se_res2net(block, hidden[-1], ends)]
    return hidden


def embed(expert, hidden, ends):
    """Pool over time and project: the rest of an ECAPA-TDNN after its MFA.

    Arguments
    ---------
    expert : ECAPA_TDNN
        SpeechBrain's module.
    hidden : torch.Tensor
        Output of the MFA [B, C, T].
    ends : Ends
        Where the utterances end.

    Returns
    -------
    torch.Tensor
        Raw embeddings [B, D], of any length (not normalised).
    """
    pooled = expert.asp_bn(_pool(expert.asp, hidden, ends))
    return expert.fc(pooled).squeeze(2)


def _tdnn(block, hidden, ends):
    """A TDNNBlock of SpeechBrain."""
    hidden = block.activation(_convolve(block.conv, hidden, ends))
    return block.dropout(block.norm(hidden))


def _convolve(layer, hidden, ends):
    """A Conv1d of SpeechBrain, reflecting each utterance at its own ends."""
    pad = layer.dilation * (layer.kernel_size - 1) // 2
    if pad:
        hidden = _reflect(hidden, pad, ends)
    return layer.conv(hidden)


def _reflect(hidden, pad, ends):
    """hidden with pad mirrored frames before and after each utterance."""
    padded = F.pad(hidden, (pad, pad), mode="reflect")
    if not ends.ragged:
        return padded
    steps = torch.arange(pad, device=hidden.device)
    counts = ends.counts.unsqueeze(1)
    size = (-1, hidden.shape[1], -1)
    mirrored = (counts - 2 - steps).clamp(min=0).unsqueeze(1).expand(size)
    past_end = (counts + pad + steps).unsqueeze(1).expand(size)
    ends_of = hidden.gather(2, mirrored).to(padded.dtype)  # autocast differs
    return padded.scatter_(2, past_end, ends_of)


def _se_res2net(block, hidden, ends):
    """An SERes2NetBlock of SpeechBrain."""
    residual = hidden
    if block.shortcut is not None:
        residual = block.shortcut.conv(hidden)
    hidden = _tdnn(block.tdnn1, hidden, ends)
    hidden = _res2net(block.res2net_block, hidden, ends)
    hidden = _tdnn(block.tdnn2, hidden, ends)
    return block.se_block(hidden, ends.lengths) + residual


def _res2net(block, hidden, ends):
    """A Res2NetBlock of SpeechBrain."""
    first, *parts = hidden.chunk(block.scale, dim=1)
    outputs, carried = [first], 0
    for layer, part in zip(block.blocks, parts):
        carried = _tdnn(layer, part + carried, ends)
        outputs.append(carried)
    return torch.cat(outputs, dim=1)


def _pool(asp, hidden, ends):
    """AttentiveStatisticsPooling of SpeechBrain: mean, then std [B, 2C, 1].

    The stock layer sees [hidden, mean, std] of 3C channels at each frame;
    mean and std are the same at all frames, and so is their product.
    """
    if not asp.global_context:
        return asp(hidden, ends.lengths)
    mask = frame_mask(ends.counts, ends.n_frames).transpose(1, 2)
    even = mask / ends.counts.view(-1, 1, 1)
    layer = asp.tdnn.conv.conv
    C = hidden.shape[1]
    shared = F.linear(
        _statistics(hidden, even, asp.eps), layer.weight[:, C:, 0]
    )
    by_frame = F.conv1d(hidden, layer.weight[:, :C], layer.bias)
    attention = asp.tdnn.activation(by_frame + shared.unsqueeze(2))
    attention = asp.conv.conv(asp.tanh(asp.tdnn.norm(attention)))
    weights = attention.masked_fill(~mask, -torch.inf).softmax(dim=2)
    return _statistics(hidden, weights, asp.eps).unsqueeze(2)


def _statistics(hidden, weights, eps):
    """Weighted mean and standard deviation over time [B, 2C]."""
    mean = (weights * hidden).sum(2)
    square = (hidden - mean.unsqueeze(2)).square()
    std = (weights * square).sum(2).clamp(eps).sqrt()
    return torch.cat([mean, std], dim=1)
