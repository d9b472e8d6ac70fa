"""Whole frame counts and masks from SpeechBrain's relative lengths.

 * marked features say where an utterance ends; relative lengths belong to
   the waveform and are only good to a frame
 * padded frames are zeroed after the mean is removed, never before

Shape letters: B batch, T frames, M mels.

Authors
 * The speechbrain_moe developers 2026
"""

import torch

from speechbrain_moe.errors import InputError
from speechbrain_moe.lobes.features import PAST_END_DB


def frame_counts(feats, lengths=None):
    """Number of valid frames of each utterance.

    Features of ``MarkedFbank`` say it themselves, exactly, unless the
    lengths say that the padding is no silence. For others it is worked out
    from the lengths: S samples at hop h give 1 + S // h frames, so an
    utterance that fills the share r of T frames has about
    1 + floor(r * (T - 1/2)), which is exact for r = n / T. Of utterances
    below 0.09 s, which have more frames than samples for them, a padded one
    may differ from one alone.

    Arguments
    ---------
    feats : torch.Tensor
        Features [B, T, M].
    lengths : torch.Tensor, optional
        Relative lengths [B], each in (0, 1]. Without them only marked
        frames are padding.

    Returns
    -------
    torch.Tensor
        Frame counts [B], int64, each in 1..T.

    Raises
    ------
    InputError
        If there is not one length for each utterance, or one is not in (0, 1].

    Example
    -------
    >>> frame_counts(torch.zeros(2, 10, 80), torch.tensor([0.5, 1.0])).tolist()
    [5, 10]
    """
    B, T = feats.shape[:2]
    if lengths is None:
        lengths = torch.ones(B, device=feats.device)
    check_lengths(lengths, B)
    past_end = feats[:, :, 0] == PAST_END_DB
    if not past_end.any():
        return ((lengths * (T - 0.5)).long() + 1).clamp(1, T)
    said = ((lengths * (T - 1.5)).long() + 1).clamp(1, T)
    marked = (~past_end).sum(1)
    return torch.where(marked <= said + 1, marked, said).clamp(min=1)


def check_lengths(lengths, n_utterances):
    """Refuse relative lengths that do not fit a batch.

    Arguments
    ---------
    lengths : torch.Tensor
        Relative lengths [B].
    n_utterances : int
        Utterances in the batch.

    Raises
    ------
    InputError
        If there is not one for each utterance, or one is not in (0, 1].
    """
    if lengths.shape != (n_utterances,):
        raise InputError(
            f"{n_utterances} utterances came with lengths of shape "
            f"{tuple(lengths.shape)}: give one relative length for each"
        )
    # not (a and b), so that NaN is refused too
    if not bool(((lengths > 0) & (lengths <= 1 + 1e-5)).all()):
        raise InputError(
            "relative lengths must lie in (0, 1], as a share of the longest "
            f"utterance; got {lengths.tolist()}"
        )


def frame_mask(counts, n_frames):
    """True where a frame is speech, False where it is padding.

    Arguments
    ---------
    counts : torch.Tensor
        Valid frames [B], int64.
    n_frames : int
        Frames of the padded batch, T.

    Returns
    -------
    torch.Tensor
        Mask [B, T, 1], bool.

    Example
    -------
    >>> frame_mask(torch.tensor([1, 3]), 3).squeeze(-1).tolist()
    [[True, False, False], [True, True, True]]
    """
    frames = torch.arange(n_frames, device=counts.device)
    return (frames < counts.unsqueeze(1)).unsqueeze(-1)


def relative_lengths(counts, n_frames):
    """Relative lengths that SpeechBrain's own masks turn into these counts.

    SpeechBrain keeps frame t when t < length * T; half a frame of slack
    keeps rounding from letting one more in.

    Arguments
    ---------
    counts : torch.Tensor
        Valid frames [B], int64.
    n_frames : int
        Frames of the padded batch, T.

    Returns
    -------
    torch.Tensor
        Relative lengths [B], each in (0, 1).

    Example
    -------
    >>> from speechbrain.dataio.dataio import length_to_mask
    >>> lengths = relative_lengths(torch.tensor([2, 3]), 3)
    >>> length_to_mask(lengths * 3, max_len=3).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    return (counts - 0.5) / n_frames


def remove_mean(feats, mask):
    """Features with the mean over time removed and the padding set to zero.

    Arguments
    ---------
    feats : torch.Tensor
        Features [B, T, M]; what padded frames hold has no effect.
    mask : torch.Tensor
        True for valid frames [B, T, 1].

    Returns
    -------
    torch.Tensor
        Mean of each mel over the valid frames 0; padded frames 0; [B, T, M].

    Example
    -------
    >>> feats = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> mask = torch.tensor([[[True], [True], [False]]])
    >>> remove_mean(feats, mask).flatten().tolist()
    [-1.0, 1.0, 0.0]
    """
    kept = feats.masked_fill(~mask, 0)
    mean = kept.sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    return (feats - mean).masked_fill(~mask, 0)


def remove_level(feats, mask):
    """Features with one scalar, the utterance's mean level, removed.

    What the sentence mean of each mel would take away (channel, timbre)
    stays in; only the gain of the recording goes.

    Arguments
    ---------
    feats : torch.Tensor
        Features [B, T, M]; what padded frames hold has no effect.
    mask : torch.Tensor
        True for valid frames [B, T, 1].

    Returns
    -------
    torch.Tensor
        Mean over valid frames and mels 0; padded frames 0; [B, T, M].

    Example
    -------
    >>> feats = torch.tensor([[[1.0, 5.0], [7.0, 7.0]]])
    >>> mask = torch.tensor([[[True], [False]]])
    >>> remove_level(feats, mask).tolist()
    [[[-2.0, 2.0], [0.0, 0.0]]]
    """
    kept = feats.masked_fill(~mask, 0)
    n_values = mask.sum(1, keepdim=True) * feats.shape[-1]
    level = kept.sum((1, 2), keepdim=True) / n_values
    return (feats - level).masked_fill(~mask, 0)
