"""Augmentation drawn anew for each utterance of a batch.

 * SpeechBrain's AddReverb takes one room for a whole batch, its AddNoise one
   starting point, and its Augmenter decides once per batch; speakers would
   then share rooms by batch
 * of a noise, only the stretch that is added is read
 * every draw is from torch's own generator, and no position in a list is
   kept: a step depends on its seed alone
 * mixing at an SNR and reverberation are SpeechBrain's

Shape letters: B batch, S samples.

Authors
 * The speechbrain_moe developers 2026
"""

from functools import cached_property

import pandas as pd
import torch
from speechbrain.augment.time_domain import AddNoise
from speechbrain.processing.signal_processing import reverberate
from speechbrain.utils.callchains import lengths_arg_exists
from torch import nn

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.crops import random_crop
from speechbrain_moe.training.values import is_list, is_number

KINDS = ("noise", "music", "babble")
N_TALKERS = (3, 7)  # of one babble, as in Kaldi's and WeSpeaker's recipes


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
    >>> from speechbrain.augment.time_domain import DropChunk
    >>> augment = PerUtterance(DropChunk(), prob=0.5)
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


class MixNoise(nn.Module):
    """Waveforms with a noise, music or babble of a list mixed in.

    One draw a call: a kind, then a file of it, a stretch of that and an SNR.
    Babble is the sum of 3 to 7 talkers, as in Snyder et al., "X-vectors:
    robust DNN embeddings for speaker recognition", ICASSP 2018, section 3.3.

    Arguments
    ---------
    csv_file : str
        List with the columns wav (path), duration (s) and kind, as
        ``prepare_noises`` writes it; read at the first call.
    snr_db : dict
        Lowest and highest SNR, in dB, of each kind.
    sample_rate : int
        Rate of waveforms and files, in Hz.

    Raises
    ------
    HyperparameterError
        If snr_db names other kinds, or a range is no range.
    """

    def __init__(self, csv_file, snr_db, sample_rate=16000):
        super().__init__()
        check_snr(snr_db)
        self.csv_file, self.sample_rate = csv_file, sample_rate
        self.snr_db = {kind: tuple(snr_db[kind]) for kind in KINDS}

    @cached_property
    def sounds(self):
        """Paths and durations of each kind that the list holds."""
        table = pd.read_csv(self.csv_file)
        found = {}
        for row in table.itertuples():
            found.setdefault(row.kind, []).append((row.wav, row.duration))
        return found

    def forward(self, wavs, lengths):
        """Mix one noise in.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S]; all get the same noise, see ``PerUtterance``.
        lengths : torch.Tensor
            Relative lengths [B], in (0, 1].

        Returns
        -------
        torch.Tensor
            Waveforms [B, S].

        Raises
        ------
        AudioError
            If a file cannot be used; the message names it.
        """
        kind = choice(sorted(self.sounds))
        low, high = self.snr_db[kind]
        noise = self.draw(kind, wavs.shape[1]).to(wavs)
        mix = AddNoise(
            snr_low=low,
            snr_high=high,
            noise_funct=lambda wavs: noise.repeat(len(wavs), 1),
        )
        return mix(wavs, lengths)

    def draw(self, kind, n_samples):
        """A stretch of a file of one kind [n_samples]."""
        low, high = N_TALKERS
        n = low + draw_below(high - low + 1) if kind == "babble" else 1
        voices = [self._stretch(kind, n_samples) for _ in range(n)]
        return torch.stack(voices).sum(0)

    def _stretch(self, kind, n_samples):
        """A stretch of one file, at one level so that talkers are equal."""
        path, duration_s = choice(self.sounds[kind])
        n_available = int(duration_s * self.sample_rate)
        wav = random_crop(path, n_available, n_samples, self.sample_rate)
        return wav / wav.square().mean().sqrt().clamp(min=1e-5)


class AddRoom(nn.Module):
    """Waveforms as they sound in one room of a list, drawn in each call.

    Arguments
    ---------
    csv_file : str
        List with the column wav (path of a room's impulse response), as
        ``prepare_rooms`` writes it; read at the first call.
    sample_rate : int
        Rate of waveforms and files, in Hz.
    """

    def __init__(self, csv_file, sample_rate=16000):
        super().__init__()
        self.csv_file, self.sample_rate = csv_file, sample_rate

    @cached_property
    def paths(self):
        """Paths of the impulse responses."""
        return list(pd.read_csv(self.csv_file).wav)

    def forward(self, wavs):
        """Put the waveforms into a room.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S].

        Returns
        -------
        torch.Tensor
            Waveforms [B, S], of the level they had.

        Raises
        ------
        AudioError
            If a file cannot be used; the message names it.
        """
        room = read_audio(choice(self.paths), self.sample_rate).to(wavs)
        args = (wavs.unsqueeze(-1), room.view(1, -1, 1))
        return reverberate(*args, rescale_amp="avg").squeeze(-1)


def check_snr(snr_db):
    """Refuse SNR ranges that are none.

    Arguments
    ---------
    snr_db : dict
        Lowest and highest SNR, in dB, of each kind.

    Raises
    ------
    HyperparameterError
        If kinds are missing or unknown, or a range is no range.

    Example
    -------
    >>> check_snr({"noise": [0, 15], "music": [5, 15]})
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: snr_db names noise, music:
    give noise, music, babble
    """
    if not isinstance(snr_db, dict):
        raise HyperparameterError(
            f"snr_db is {snr_db!r}: give a range for {', '.join(KINDS)} each"
        )
    if set(snr_db) != set(KINDS):
        named = ", ".join(map(str, snr_db)) or "nothing"
        raise HyperparameterError(
            f"snr_db names {named}: give {', '.join(KINDS)}"
        )
    for kind, span in snr_db.items():
        fits = is_list(span) and len(span) == 2 and all(map(is_number, span))
        if not (fits and -100 <= span[0] <= span[1] <= 100):
            raise HyperparameterError(
                f"snr_db has {span!r} for {kind}: give the lowest and the "
                "highest SNR in dB, such as [0, 15]"
            )


def draw_below(n):
    """A whole number from 0 to n - 1, from torch's own generator."""
    return int(torch.randint(n, (1,)))


def choice(values):
    """One of a list, from torch's own generator."""
    return values[draw_below(len(values))]
