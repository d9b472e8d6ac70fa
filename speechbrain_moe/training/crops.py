"""Crops of utterances to train on, with speaker and teacher.

 * a crop is drawn and read per epoch; short files are repeated to fill it
 * a changed speed or voice counts as a new speaker, with label = speaker +
   (voice * n_speeds + speed_index) * n_speakers, the recording as it is first
 * speech without a speaker trains by a teacher alone: its label is -1
 * what is drawn follows from seed, epoch and ID: see draws.py

Shape letters: S samples.

Authors
 * The speechbrain_moe developers 2026
"""

import math

import torch
import torchaudio

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.changed_voices import ChangedVoices
from speechbrain_moe.training.sound_list import audio_header
from speechbrain_moe.training.teacher import teacher_rows

NO_VOICES = ChangedVoices()


class CropMaker:
    """Training items: a crop, its speaker, and what a teacher says of it.

    Arguments
    ---------
    label_encoder : CategoricalEncoder
        Holds the speakers.
    crop_s : float
        Length of a crop, in seconds.
    speeds : list of float
        Speed factors, each drawn equally often; the first is 1.0. Speech
        without a speaker keeps its own speed.
    sample_rate : int
        Rate of the files, in Hz.
    draws : Draws
        Where speed and start of a crop are drawn from, by the ID.
    teacher : Teacher, optional
        What ``read_teacher`` returned.
    paths : iterable of str
        Every path that will be read; needed with a teacher.
    voices : ChangedVoices, optional
        Changed voices, which a crop is of with their ``prob``.

    Raises
    ------
    HyperparameterError
        If the speeds cannot be used, or two files share a teacher's row.
    """

    def __init__(
        self,
        label_encoder,
        crop_s,
        speeds,
        sample_rate,
        draws,
        teacher=None,
        paths=(),
        voices=NO_VOICES,
    ):
        check_speeds(speeds)
        self.label_encoder = label_encoder
        self.n_samples = round(crop_s * sample_rate)
        self.speeds, self.sample_rate = speeds, sample_rate
        self.draws, self.teacher, self.voices = draws, teacher, voices
        self.items = ["sig", "spk_label"]
        self.known = {}
        if teacher is not None:
            self.known = teacher_rows(teacher, paths)
            self.unknown = torch.zeros(teacher.embeddings.shape[1])
            self.items += ["teacher", "has_teacher"]

    def __call__(self, name, path, duration_s, spk_id, file=None):
        """One item.

        Arguments
        ---------
        name : str
            ID of the utterance.
        path : str
            Its path, as the teacher and errors know it.
        duration_s : float
            Its length, in seconds; that of a changed voice is read.
        spk_id : str
            Its speaker; empty if not known.
        file : file, optional
            Its open audio; by default path is opened.

        Returns
        -------
        list
            ``sig`` (waveform of crop_s) and ``spk_label`` (int, 0 ..
            n_speakers * len(speeds) * (1 + n_voices) - 1; -1 without a
            speaker). With a teacher also ``teacher`` (embedding of the whole
            file [teacher_dim], zeros without one) and ``has_teacher``
            (bool): False where the file has no row, or the speed made it
            another voice.

        Raises
        ------
        AudioError
            If the file cannot be used; the message names it.
        """
        generator = self.draws.of(name)
        voice = i = 0
        if self.voices.n_voices:
            voice = self._draw_voice(generator)
        if voice:
            path = self.voices.paths(path, spk_id)[voice]
            duration_s = audio_header(path, self.sample_rate).duration
        if spk_id:
            i = draw(len(self.speeds), generator)
        wav = random_crop(
            path if file is None else file,
            int(duration_s * self.sample_rate),
            math.ceil(self.n_samples * self.speeds[i]),
            self.sample_rate,
            generator,
        )
        wav = fill(change_speed(wav, self.speeds[i]), self.n_samples)
        copy_index = voice * len(self.speeds) + i
        item = [wav, speaker_label(self.label_encoder, spk_id, copy_index)]
        return item if self.teacher is None else item + self._taught(path, i)

    def _draw_voice(self, generator):
        """Number of the voice to hear, 0 for the recording."""
        if torch.rand((), generator=generator) >= self.voices.prob:
            return 0
        return 1 + draw(self.voices.n_voices, generator)

    def _taught(self, path, speed_index):
        """The teacher's embedding of a file, and whether there is one."""
        row = self.known.get(path) if speed_index == 0 else None
        if row is None:
            return [self.unknown, False]
        return [torch.tensor(self.teacher.embeddings[row]), True]


def draw(n, generator=None):
    """A whole number from 0 to n - 1, each equally often."""
    return int(torch.randint(n, (1,), generator=generator))


def random_crop(path, n_available, n_samples, sample_rate, generator=None):
    """A crop of an audio file that starts at a random sample.

    Arguments
    ---------
    path : str, Path or file
        Audio file; or an open one, as it comes out of a shard.
    n_available : int
        Samples the file has.
    n_samples : int
        Samples wanted; a shorter file is repeated.
    sample_rate : int
        Rate of the file, in Hz.
    generator : torch.Generator, optional
        What the start is drawn from.

    Returns
    -------
    torch.Tensor
        Waveform [n_samples], float32.

    Raises
    ------
    AudioError
        If the file cannot be used; the message names it.
    """
    slack = max(0, n_available - n_samples)
    start = draw(slack + 1, generator)
    return fill(read_audio(path, sample_rate, start, n_samples), n_samples)


def change_speed(wav, speed):
    """Waveform played faster: pitch and formants rise with the tempo.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform [S].
    speed : float
        Factor; 1.1 is a tenth faster. Taken to whole percents.

    Returns
    -------
    torch.Tensor
        Waveform [ceil(S / speed)].

    Example
    -------
    >>> change_speed(torch.zeros(1100), 1.1).shape
    torch.Size([1000])
    """
    percent = round(100 * speed)
    return torchaudio.functional.resample(wav, percent, 100)


def fill(wav, n_samples):
    """Waveform repeated or cut to n_samples.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform [S], S at least 1.
    n_samples : int
        Samples wanted.

    Returns
    -------
    torch.Tensor
        Waveform [n_samples].

    Example
    -------
    >>> fill(torch.tensor([1.0, 2.0]), 5).tolist()
    [1.0, 2.0, 1.0, 2.0, 1.0]
    """
    return wav.repeat(math.ceil(n_samples / len(wav)))[:n_samples]


def speaker_label(label_encoder, spk_id, copy_index):
    """Number of a speaker, as recorded or changed.

    Arguments
    ---------
    label_encoder : CategoricalEncoder
        Holds the speakers.
    spk_id : str
        The speaker; empty if not known.
    copy_index : int
        Which speed of which voice: voice * n_speeds + place of the speed; 0
        is the recording as it is.

    Returns
    -------
    int
        speaker + copy_index * n_speakers, or -1 if not known.

    Example
    -------
    >>> from speechbrain.dataio.encoder import CategoricalEncoder
    >>> encoder = CategoricalEncoder()
    >>> encoder.update_from_iterable(["ann", "bob"], sequence_input=False)
    >>> encoder.expect_len(2)
    >>> speaker_label(encoder, "bob", 1), speaker_label(encoder, "", 0)
    (3, -1)
    """
    if not spk_id:
        return -1
    label = label_encoder.encode_label(spk_id)
    return label + copy_index * len(label_encoder)


def check_speeds(speeds):
    """Refuse speed factors that cannot be used.

    Arguments
    ---------
    speeds : list of float
        Value of the yaml key; the first must be 1.0.

    Raises
    ------
    HyperparameterError
        If the first is not 1.0, one is not above 0, or two are the same.

    Example
    -------
    >>> check_speeds([0.9, 1.1])
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: speeds is [0.9, 1.1]: start
    with 1.0, then other factors above 0, each once, in whole percents
    """
    valid = speeds and speeds[0] == 1.0 and min(speeds) > 0
    percents = {round(100 * speed) for speed in speeds}
    if not valid or len(percents) < len(speeds):
        raise HyperparameterError(
            f"speeds is {list(speeds)}: start with 1.0, then other factors "
            "above 0, each once, in whole percents"
        )
