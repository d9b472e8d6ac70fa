"""Augmentation of a whole batch at once, for a device that likes that.

 * what augment.py does row by row, each row with draws of its own still
 * noises and rooms lie in the device's memory
 * a quarter of the noises are other talkers of the batch instead
 * a channel takes narrow bands away and, from a quarter of the rows each,
   the low and the high end
 * last, a codec or a telephone: see batch_codecs.py
 * every draw is from torch's own generators: a step depends on its seed

Shape letters: B batch, S samples, N files of a list.

Authors
 * The speechbrain_moe developers 2026
"""

from functools import cached_property

import pandas as pd
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from speechbrain_moe.audio import read_audio
from speechbrain_moe.training.augment import (
    N_TALKERS,
    check_snr,
)
from speechbrain_moe.training.batch_codecs import through_codecs

CHANNEL_PROB = 0.25  # of a low end that is lacking, and of a high end
LOW_HZ, HIGH_HZ = (50.0, 400.0), (3000.0, 7500.0)
SLOPE = 8  # twice the order of the edges: 24 dB an octave
NOTCH_HZ = (50.0, 600.0)
N_NEIGHBOURS = 3  # of the batch, who talk at once
NEIGHBOUR_PROB = 0.25
CODEC_PROB = 0.3


class BatchAugment(nn.Module):
    """Waveforms of a batch in rooms, noises, channels and codecs of their own.

    Arguments
    ---------
    noise_csv, rir_csv : str
        Lists with the column wav, as ``prepare_noises`` and
        ``prepare_rooms`` write them; read at the first call.
    reverb_prob, noise_prob, drop_prob : float
        Shares of the utterances that get a room; a noise; a notch, and
        silent gaps.
    snr_db : dict
        Lowest and highest SNR, in dB, of noise, music and babble.
    longest_gap : int
        Samples of a gap, at most.
    sample_rate : int
        Rate of waveforms and files, in Hz.

    Raises
    ------
    HyperparameterError
        If snr_db names other kinds, or a range is no range.
    """

    def __init__(
        self,
        noise_csv,
        rir_csv,
        reverb_prob,
        noise_prob,
        drop_prob,
        snr_db,
        longest_gap,
        sample_rate=16000,
    ):
        super().__init__()
        check_snr(snr_db)
        self.noise_csv, self.rir_csv = noise_csv, rir_csv
        self.reverb_prob, self.noise_prob = reverb_prob, noise_prob
        self.drop_prob, self.longest_gap = drop_prob, longest_gap
        self.snr_db, self.sample_rate = snr_db, sample_rate

    @cached_property
    def rooms(self):
        """Impulse responses [N, samples], zeros after the end."""
        return pad_sequence(self._read(pd.read_csv(self.rir_csv).wav), True)

    @cached_property
    def noises(self):
        """Sounds of the list end to end [samples]; where each is [N]."""
        wavs = self._read(self._sounds.wav)
        lengths = torch.tensor([len(wav) for wav in wavs])
        return torch.cat(wavs), lengths.cumsum(0) - lengths, lengths

    @cached_property
    def kinds(self):
        """Of each kind: first sound, how many, SNR range, is it babble."""
        found = self._sounds.kind.tolist()
        names = [*dict.fromkeys(found)]
        return (
            torch.tensor([found.index(name) for name in names]),
            torch.tensor([found.count(name) for name in names]),
            torch.tensor([self.snr_db[name] for name in names]).float(),
            torch.tensor([name == "babble" for name in names]),
        )

    @cached_property
    def _sounds(self):
        """The list of noises, kind after kind."""
        table = pd.read_csv(self.noise_csv)
        return table.sort_values("kind", kind="stable")

    def _read(self, paths):
        return [read_audio(path, self.sample_rate) for path in paths]

    def forward(self, wavs, lengths):
        """Augment a batch.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S], all of one length.
        lengths : torch.Tensor
            Relative lengths [B], given back.

        Returns
        -------
        torch.Tensor
            Waveforms [B, S].
        torch.Tensor
            lengths.

        Raises
        ------
        AudioError
            If a file of a list cannot be used; the message names it.
        """
        loud = wavs
        drawn = draw_rows(wavs, self.reverb_prob)
        wavs = torch.where(drawn, self._into_rooms(wavs), wavs)
        drawn = draw_rows(wavs, self.noise_prob)
        wavs = torch.where(drawn, self._with_noise(wavs, loud), wavs)
        wavs = through_channels(wavs, self.drop_prob, self.sample_rate)
        for _ in range(2):
            drawn = draw_rows(wavs, self.drop_prob)
            gaps = draw_gaps(wavs, self.longest_gap)
            wavs = torch.where(drawn & gaps, 0.0, wavs)
        return through_codecs(wavs, CODEC_PROB, self.sample_rate), lengths

    def _into_rooms(self, wavs):
        """The waveforms, each in a room, at the level they had."""
        rooms = self.rooms = self.rooms.to(wavs)
        rows = torch.randint(len(rooms), (len(wavs),), device=wavs.device)
        n = wavs.shape[1] + rooms.shape[1] - 1
        spectra = torch.fft.rfft(wavs, n) * torch.fft.rfft(rooms[rows], n)
        heard = torch.fft.irfft(spectra, n)[:, : wavs.shape[1]]
        return heard * level(wavs) / level(heard)

    def _with_noise(self, wavs, talkers):
        """The waveforms with a noise of the list, or others of the batch."""
        noise, low, high = self._draw_noises(wavs)
        talkers = talkers / level(talkers)
        # Half a batch away is the same voice, in batches of two crops each
        shifts = [n for n in range(1, len(wavs)) if 2 * n != len(wavs)] or [1]
        chosen = torch.randperm(len(shifts))[:N_NEIGHBOURS].tolist()
        babble = sum(talkers.roll(shifts[n], 0) for n in chosen)
        drawn = draw_rows(wavs, NEIGHBOUR_PROB)
        noise = torch.where(drawn, babble, noise)
        ends = self.snr_db["babble"]
        low = torch.where(drawn, ends[0], low)
        high = torch.where(drawn, ends[1], high)
        snr_db = low + (high - low) * torch.rand_like(low)
        return wavs + noise * level(wavs) / level(noise) * 10 ** (-snr_db / 20)

    def _draw_noises(self, wavs):
        """A noise for each row [B, S], and its SNR range [B, 1] twice."""
        sounds, starts, lengths = self.noises
        sounds = sounds.to(wavs.device)
        self.noises = sounds, starts, lengths
        firsts, counts, ranges, is_babble = self.kinds
        drawn = torch.randint(len(firsts), (len(wavs), 1))
        # Of babble some talkers, of all else one sound
        few, many = N_TALKERS
        n_sounds = torch.randint(few, many + 1, drawn.shape)
        n_sounds = torch.where(is_babble[drawn], n_sounds, 1)
        steps = torch.arange(wavs.shape[1], device=wavs.device)
        noise = torch.zeros_like(wavs)
        for layer in range(int(n_sounds.max())):
            share = torch.rand(drawn.shape)
            rows = firsts[drawn] + (share * counts[drawn]).long()
            first = (torch.rand(drawn.shape) * lengths[rows]).long()
            ends = (starts[rows], first, lengths[rows], layer < n_sounds)
            start, first, length, heard = (e.to(wavs.device) for e in ends)
            one = sounds[start + (first + steps) % length]
            noise += heard * one / level(one)
        low, high = ranges[drawn].to(wavs.device).unbind(-1)
        return noise, low, high


def level(wavs):
    """Root mean square of each waveform [B, 1], above 0."""
    return wavs.square().mean(1, keepdim=True).sqrt().clamp(min=1e-5)


def draw_rows(wavs, prob):
    """True for a drawn share of the rows [B, 1]."""
    return torch.rand(len(wavs), 1, device=wavs.device) < prob


def draw_between(wavs, low, high):
    """A number for each row, even in its logarithm [B, 1]."""
    share = torch.rand(len(wavs), 1, device=wavs.device)
    return low * (high / low) ** share


def draw_gaps(wavs, longest):
    """True in one stretch of each row [B, S], of any length up to longest."""
    places = torch.arange(wavs.shape[1], device=wavs.device)
    length = torch.rand(len(wavs), 1, device=wavs.device) * longest
    start = torch.rand_like(length) * (wavs.shape[1] - length)
    return (places >= start) & (places < start + length)


def through_channels(wavs, notch_prob, sample_rate):
    """Waveforms without a low end, a high end, or a band, by the row.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S].
    notch_prob : float
        Share of rows that lack a band.
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S].

    Example
    -------
    >>> wavs = torch.randn(2, 16000)
    >>> through_channels(wavs, 1.0, 16000).shape
    torch.Size([2, 16000])
    """
    spectra = torch.fft.rfft(wavs)
    hz = torch.linspace(0, sample_rate / 2, spectra.shape[1])
    hz = hz.to(wavs.device).clamp(min=1)
    gains = torch.ones_like(spectra.real)
    for ends, sign in ((LOW_HZ, -1), (HIGH_HZ, 1)):
        # Butterworth's magnitude
        edge = (hz / draw_between(wavs, *ends)) ** (sign * SLOPE)
        drawn = draw_rows(wavs, CHANNEL_PROB)
        gains = torch.where(drawn, gains * (1 + edge).rsqrt(), gains)
    centre = draw_between(wavs, 100.0, sample_rate / 2)
    away = (hz - centre).abs() < draw_between(wavs, *NOTCH_HZ) / 2
    drawn = draw_rows(wavs, notch_prob)
    gains = torch.where(drawn & away, 0.0, gains)
    return torch.fft.irfft(spectra * gains, wavs.shape[1])
