"""Augmentation drawn anew for each utterance of a batch.

 * SpeechBrain's AddReverb takes one room for a whole batch, its AddNoise one
   starting point, and its Augmenter decides once per batch; speakers would
   then share rooms by batch
 * the augmentations themselves are SpeechBrain's

Authors
 * The speechbrain_moe developers 2026
"""

import torch
from speechbrain.utils.callchains import lengths_arg_exists
from torch import nn

from speechbrain_moe.errors import HyperparameterError


class PerUtterance(nn.Module):
    """Waveforms of which each one was augmented, or left, by its own draw.

    Arguments
    ---------
    augmentation : torch.nn.Module
        A waveform augmentation of SpeechBrain that keeps the length. It is
        called once for each drawn utterance.
    prob : float
        Share of the utterances that are augmented, in [0, 1].

    Raises
    ------
    HyperparameterError
        If prob is outside [0, 1].

    Example
    -------
    >>> from speechbrain.augment.time_domain import AddNoise
    >>> augment = PerUtterance(AddNoise(snr_low=0, snr_high=15), prob=0.5)
    >>> augment(torch.randn(4, 16000), torch.ones(4)).shape
    torch.Size([4, 16000])
    """

    def __init__(self, augmentation, prob=1.0):
        super().__init__()
        if not 0 <= prob <= 1:
            raise HyperparameterError(
                f"an augmentation probability is {prob!r}: choose 0 to 1"
            )
        self.augmentation = augmentation
        self.prob = prob
        self.takes_lengths = lengths_arg_exists(augmentation.forward)

    def forward(self, wavs, lengths):
        """Augment the drawn utterances.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S].
        lengths : torch.Tensor
            Relative lengths [B], in (0, 1].

        Returns
        -------
        torch.Tensor
            Waveforms [B, S], same lengths.
        """
        drawn = torch.rand(len(wavs)) < self.prob
        wavs = wavs.clone()
        for row in drawn.nonzero().flatten().tolist():
            one = slice(row, row + 1)
            given = (lengths[one],) if self.takes_lengths else ()
            wavs[one] = self.augmentation(wavs[one], *given)
        return wavs
