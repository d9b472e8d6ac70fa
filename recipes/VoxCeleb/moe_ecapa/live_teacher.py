"""A teacher that hears the crops of a training while they are made.

 * features and embeddings are those of teach.py, for a batch on any device
 * what it says alike of all recordings of a corpus is taken off where
   centre_teacher asks for it

Shape letters: B batch, S samples, T frames.

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np
import torch
import torch.nn.functional as F
from teach import SAMPLE_RATE, load_teacher
from torchaudio.compliance.kaldi import get_mel_banks

from speechbrain_moe.errors import HyperparameterError, InputError
from speechbrain_moe.training.teacher import teacher_rows

FRAME, SHIFT, N_FFT = 400, 160, 512  # samples
EMB_DIM = 192
EPSILON = torch.finfo(torch.float32).eps


class LiveTeacher:
    """CAM++ on the device of a training.

    Arguments
    ---------
    weights : str or Path
        campplus_cn_en_common.pt, see teach.py.
    means : torch.Tensor
        What is taken off its embeddings, for each corpus [C, 192].
    device : torch.device or str
        Where it runs.

    Raises
    ------
    InputError
        If its network is not installed, the file holds other weights, or
        the means are of another teacher.
    """

    def __init__(self, weights, means, device):
        if means.shape[1] != EMB_DIM:
            raise HyperparameterError(
                f"teacher_embeddings holds {means.shape[1]} numbers a file "
                f"and live_teacher says {EMB_DIM}: embed the recordings by "
                "teach.py with the same weights"
            )
        try:
            network = load_teacher(weights)
        except InputError as error:
            raise InputError(f"live_teacher: {error}") from error
        self.network = network.to(device).requires_grad_(False)
        self.means = means.to(device)
        self.features = BatchFeatures(device)
        self.graph = None

    @torch.no_grad()
    def __call__(self, wavs, corpora):
        """What it says of a batch.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S], 16 kHz; on a GPU of the same shape each time.
        corpora : torch.Tensor
            Number of the corpus of each [B], int64.

        Returns
        -------
        torch.Tensor
            Embeddings of length 1 [B, 192], float32.
        """
        embeddings = self._replay(wavs) if wavs.is_cuda else self._embed(wavs)
        return F.normalize(embeddings - self.means[corpora], dim=1)

    def _embed(self, wavs):
        """Embeddings of length 1, nothing taken off."""
        half = torch.float16 if wavs.is_cuda else torch.bfloat16
        feats = self.features(wavs)
        device = wavs.device.type
        with torch.autocast(device, dtype=half, cache_enabled=False):
            embeddings = self.network(feats)
        return F.normalize(embeddings.float(), dim=1)

    def _replay(self, wavs):
        """The same as one launch: by itself, each layer waits for Python."""
        if self.graph is None:
            self._record(wavs)
        self.heard.copy_(wavs)
        self.graph.replay()
        return self.said.clone()

    def _record(self, wavs):
        """Take down what the GPU does for a batch."""
        self.heard = wavs.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # kernels are chosen, memory is found
                self._embed(self.heard)
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.said = self._embed(self.heard)


class BatchFeatures:
    """Kaldi's log-mel of a batch, as ``teacher_features`` of a file.

    Arguments
    ---------
    device : torch.device or str
        Where the waveforms are.

    Example
    -------
    >>> BatchFeatures("cpu")(torch.randn(2, 16000)).shape
    torch.Size([2, 98, 80])
    """

    def __init__(self, device):
        window = torch.hann_window(FRAME, periodic=False, device=device)
        self.window = window**0.85  # Povey's
        banks, _ = get_mel_banks(
            80, N_FFT, SAMPLE_RATE, 20.0, 0.0, 100.0, -500.0, 1.0
        )
        self.banks = F.pad(banks, (0, 1)).T.to(device)

    def __call__(self, wavs):
        """The features.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S], 16 kHz, in [-1, 1]; S at least 400.

        Returns
        -------
        torch.Tensor
            [B, T, 80], their mean over time taken off, 10 ms a frame.
        """
        frames = wavs.unfold(1, FRAME, SHIFT)
        frames = frames - frames.mean(2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
        frames = (frames - 0.97 * before) * self.window
        power = torch.fft.rfft(frames, N_FFT).abs().square()
        feats = (power @ self.banks).clamp(min=EPSILON).log()
        return feats - feats.mean(1, keepdim=True)


def corpus_means(teacher, paths, corpora, centre):
    """What a teacher's embeddings of recordings have in common.

    Arguments
    ---------
    teacher : Teacher
        What ``read_teacher`` returned.
    paths : list of str
        The recordings.
    corpora : list of int
        Which corpus each is of: what ``number_corpora`` returned.
    centre : bool
        Whether it is wanted.

    Returns
    -------
    torch.Tensor
        Means of the corpora [C, Dt]; zeros where there is no recording, or
        it is not wanted.

    Raises
    ------
    HyperparameterError
        If a mean is wanted and the teacher knows no recording of a corpus.
    """
    shape = max(corpora) + 1, teacher.embeddings.shape[1]
    means = np.zeros(shape, np.float32)
    for corpus in {*corpora} if centre else ():
        part = [p for p, number in zip(paths, corpora) if number == corpus]
        known = [*teacher_rows(teacher, part).values()]
        if not known:
            raise HyperparameterError(
                f"centre_teacher is True, and teacher_embeddings has no row "
                f"for {part[0]} and all others of its corpus: embed them by "
                "teach.py, or give False"
            )
        means[corpus] = teacher.embeddings[known].mean(0)
    return torch.from_numpy(means)
