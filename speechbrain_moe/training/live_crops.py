"""Crops from memory, in voices without end, with a teacher that hears them.

 * each voice is heard in two crops of a batch, of a speaker's recordings or
   of the one recording: pairs that a teacher finds alike, and many it does not
 * a changed voice of a speaker is a speaker of its own and always the same;
   speech without a speaker has another voice each time
 * the teacher hears the very crop, before augmentation
 * where a teacher is slow, an epoch hears its batches again, each time in
   other rooms and noises
 * what is drawn follows from seed, epoch, process and step: see draws.py

Shape letters: B batch, S samples.

Authors
 * The speechbrain_moe developers 2026
"""

import math
from typing import NamedTuple

import torch
import torch.distributed as dist
from speechbrain.dataio.batch import PaddedData
from torch.utils.data import DataLoader, IterableDataset

from speechbrain_moe.training.speech_memory import play
from speechbrain_moe.training.voice_warp import (
    Voices,
    draw_voices,
    own_voices,
    warp_envelopes,
)


class LiveBatch(NamedTuple):
    """A batch as MoEBrain reads it.

    Arguments
    ---------
    id : list of str
        Names of the utterances.
    sig : PaddedData
        Waveforms [B, S] and relative lengths, all 1.
    spk_label : torch.Tensor
        Speakers [B]; -1 where none is known.
    teacher : torch.Tensor
        What the teacher says [B, teacher_dim].
    has_teacher : torch.Tensor
        True [B].
    """

    id: list
    sig: PaddedData
    spk_label: torch.Tensor
    teacher: torch.Tensor
    has_teacher: torch.Tensor

    def to(self, device):
        """Itself: it was made where it is needed."""
        return self


class LiveCrops(IterableDataset):
    """Batches of an epoch.

    Arguments
    ---------
    rows : dict
        ``path`` and ``spk_id`` of each recording, by ID.
    speech : Speech
        What ``load_speech`` made of their paths.
    speakers : list of str
        Speakers in the order of their labels.
    corpora : list of int
        Number of the corpus of each recording.
    teach : callable
        Waveforms [B, S] and numbers of their corpora [B] to the teacher's
        embeddings [B, teacher_dim].
    draws : Draws
        What the batches follow from; its ``step`` is the first one.
    n_steps : int
        Batches of an epoch.
    batch_size : int
        Crops of a batch, even.
    crop_s : float
        Their length, in seconds.
    n_voices : int
        Changed voices of a speaker.
    voice_prob : float
        That a voice is a changed one.
    sample_rate : int
        Of the recordings, in Hz.
    n_hearings : int
        How often a batch is in an epoch, at most; all are in memory then.
    """

    def __init__(
        self,
        rows,
        speech,
        speakers,
        corpora,
        teach,
        draws,
        n_steps,
        batch_size,
        crop_s,
        n_voices,
        voice_prob,
        sample_rate=16000,
        n_hearings=1,
    ):
        self.names = list(rows)
        self.speech, self.teach, self.draws = speech, teach, draws
        self.n_steps, self.n_voices = n_steps, n_voices
        self.n_made = math.ceil(n_steps / n_hearings)
        self.n_pairs, self.voice_prob = batch_size // 2, voice_prob
        self.n_samples = round(crop_s * sample_rate)
        self.n_speakers, self.corpora = len(speakers), torch.tensor(corpora)
        numbers = {name: number for number, name in enumerate(speakers)}
        labels = [numbers.get(row["spk_id"], -1) for row in rows.values()]
        self.speakers = torch.tensor(labels)
        # A recording without a speaker is the one of its kind
        alone = self.n_speakers + torch.arange(len(self.names))
        self.kinds = torch.where(self.speakers >= 0, self.speakers, alone)
        self.order = self.kinds.argsort(stable=True)
        self.counts = self.kinds.bincount()
        self.firsts = self.counts.cumsum(0) - self.counts
        generator = torch.Generator().manual_seed(draws.seed)
        changed = draw_voices(self.n_speakers * n_voices, generator)
        own = own_voices(self.n_speakers)
        self.voices = Voices(*map(torch.cat, zip(own, changed)))

    def __len__(self):
        """Batches of an epoch."""
        return self.n_steps

    def __iter__(self):
        """LiveBatch after LiveBatch."""
        process = dist.get_rank() if dist.is_initialized() else 0
        made = {}
        for step in range(self.draws.step, self.n_steps):
            number = step % self.n_made
            if number not in made:
                draws = self.draws.of("live", process, number)
                made[number] = self.batch(draws)
            is_last = step + self.n_made >= self.n_steps
            yield made.pop(number) if is_last else made[number]

    def batch(self, generator):
        """One batch.

        Arguments
        ---------
        generator : torch.Generator
            On the CPU, what it is drawn from.

        Returns
        -------
        LiveBatch
            On the device of the speech.
        """
        rows, labels, voices = self._draw(generator)
        shares = torch.rand(len(rows), generator=generator)
        device = self.speech.samples.device
        voices = voices.to(device)
        wavs = play(
            self.speech,
            rows.to(device),
            shares.to(device),
            voices.speeds,
            self.n_samples,
        )
        wavs = warp_envelopes(wavs, voices)
        ones = torch.ones(len(rows), device=device)
        return LiveBatch(
            [self.names[row] for row in rows.tolist()],
            PaddedData(wavs, ones),
            labels.to(device),
            self.teach(wavs, self.corpora[rows].to(device)),
            ones.bool(),
        )

    def _draw(self, generator):
        """Recordings [B], labels [B] and voices of a batch, twice each."""

        def below(n):
            return torch.randint(n, (self.n_pairs,), generator=generator)

        first = below(len(self.names))
        speakers = self.speakers[first]
        known = speakers >= 0
        dice = torch.rand(self.n_pairs, generator=generator)
        changed = (dice < self.voice_prob) & (self.n_voices > 0)
        which = (1 + below(max(1, self.n_voices))) * changed
        labels = torch.where(known, speakers + which * self.n_speakers, -1)
        given = self.voices.of(labels.clamp(min=0))
        drawn = draw_voices(self.n_pairs, generator)
        own = own_voices(self.n_pairs)
        voices = Voices(
            *(
                select(known, one, select(changed, two, three))
                for one, two, three in zip(given, drawn, own)
            )
        )
        kinds = self.kinds[first]
        places = torch.rand(self.n_pairs, generator=generator)
        places = (places * self.counts[kinds]).long()
        second = self.order[self.firsts[kinds] + places]
        twice = Voices(*(torch.cat([one, one]) for one in voices))
        rows = torch.cat([first, second])
        return rows, torch.cat([labels, labels]), twice


def select(mask, one, other):
    """Rows of one tensor where a mask [B] is True, else of the other."""
    return torch.where(mask.view(-1, *[1] * (one.ndim - 1)), one, other)


def live_loader(dataset):
    """A loader that ``Brain.fit`` takes as it is.

    Arguments
    ---------
    dataset : LiveCrops
        Makes the batches.

    Returns
    -------
    torch.utils.data.DataLoader
        Of these batches, in this process.
    """
    return DataLoader(dataset, batch_size=None, collate_fn=as_it_is)


def as_it_is(batch):
    """The batch."""
    return batch
