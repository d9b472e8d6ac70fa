"""Who spoke when in a recording of several people.

 * speech is cut into overlapping windows, each embedded, the embeddings
   clustered; a moment belongs to the speaker whom the windows over it are
   most like
 * the recording is read twice, window by window, and is never in memory
   whole; the same file gives the same answer
 * one speaker at a time: of two who speak at once, one is told; who has less
   than 3 % of the speech is told as somebody else
 * speakers are numbered as they first speak; ``write_rttm`` writes the form
   that scoring tools read

Shape letters: S samples, N windows, K speakers, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import itertools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from speechbrain_moe.errors import AudioError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.recordings import read_windows
from speechbrain_moe.inference.speaker_clusters import (
    MAX_DISTANCE,
    check_settings,
    find_speakers,
)
from speechbrain_moe.inference.speech_regions import Region, find_speech
from speechbrain_moe.inference.voices import encode_wavs

# All chosen on speakers held out of training: benchmarks/diarization.py
WINDOW_S = 2.0
HOP_S = 0.5
MIN_WINDOW_S = 1.0  # shorter ones are told, but do not make speakers
CELL_S = 0.1  # resolution of the answer within a stretch of speech
BATCH_SIZE = 16


class Segment(NamedTuple):
    """A stretch of one speaker.

    Arguments
    ---------
    start_s, end_s : float
        In seconds from the start of the recording.
    speaker : str
        ``speaker_1`` for who speaks first, and so on.

    Example
    -------
    >>> Segment(0.5, 2.0, "speaker_1")._asdict()
    {'start_s': 0.5, 'end_s': 2.0, 'speaker': 'speaker_1'}
    """

    start_s: float
    end_s: float
    speaker: str


def diarize_file(recognition, path, n_speakers=None, max_distance=MAX_DISTANCE):
    """Tell who spoke when.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        Its embedding model is a MoEECAPA.
    path : str or Path
        A recording of any rate from 8 kHz and any length.
    n_speakers : int, optional
        How many speak; by default that is found.
    max_distance : float
        Mean of 1 - cos up to which two groups of windows are one speaker:
        lower finds more speakers. Without effect where n_speakers is given.

    Returns
    -------
    list of Segment
        In order of time, apart from each other.

    Raises
    ------
    AudioError
        If the file cannot be used, or nobody speaks in it.
    InputError
        If n_speakers is below 1 or more than the speech allows, or
        max_distance is not above 0.
    MissingPackageError
        If silero-vad or onnxruntime is not installed.

    Example
    -------
    >>> diarize_file(None, "nowhere.wav")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.AudioError: nowhere.wav: no such file; correct the
    path
    """
    check_settings(n_speakers, max_distance)
    regions = find_speech(path)
    if not regions:
        raise AudioError(
            f"{path}: nobody speaks in it; give a recording of speech"
        )
    spans = [span for region in regions for span in windows_of(region)]
    embeddings = embed_spans(recognition, path, spans)
    centres = find_centres(spans, embeddings, n_speakers, max_distance)
    return tell_segments(regions, spans, embeddings @ centres.T)


def windows_of(region):
    """Windows over a region, all of one length, evenly spaced.

    Example
    -------
    >>> [span.start_s for span in windows_of(Region(1.0, 4.0))]
    [1.0, 1.5, 2.0]
    >>> windows_of(Region(1.0, 1.4))
    [Region(start_s=1.0, end_s=1.4)]
    """
    start, end = region
    n_more = max(0, math.ceil((end - start - WINDOW_S) / HOP_S - 1e-6))
    last = max(start, end - WINDOW_S)
    starts = np.linspace(start, last, n_more + 1).tolist()
    return [Region(begin, min(begin + WINDOW_S, end)) for begin in starts]


def embed_spans(recognition, path, spans):
    """Embeddings of parts of a recording.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        Its embedding model is a MoEECAPA.
    path : str or Path
        The recording.
    spans : list of Region
        Parts of it, by their start.

    Returns
    -------
    np.ndarray
        Rows of length 1, [N, D] float32.
    """
    wavs = cut_spans(path, spans, recognition.audio_normalizer)
    wavs = iter(tqdm(wavs, "windows", len(spans), disable=None, delay=2))
    rows = []
    while batch := list(itertools.islice(wavs, BATCH_SIZE)):
        rows.append(encode_wavs(recognition, batch)[0])
    return np.concatenate(rows)


def cut_spans(path, spans, normalizer):
    """Yield the waveform [S] of each span, holding little more than one.

    Arguments
    ---------
    path : str or Path
        The recording.
    spans : list of Region
        Parts of it, by their start.
    normalizer : AudioNormalizer
        Resamples; says the rate wanted.

    Yields
    ------
    torch.Tensor
        In the order of spans.
    """
    rate = normalizer.sample_rate
    blocks = read_windows(path, normalizer)
    held, first = torch.zeros(0), 0  # samples, and where they begin
    for span in spans:
        start, end = (round(second * rate) for second in span)
        while end > first + len(held):
            block = next(blocks, None)
            if block is None:  # resampling may lose a sample
                break
            keep = held[max(0, start - first) :]
            first += len(held) - len(keep)
            held = torch.cat([keep, block])
        yield held[start - first : end - first]


def find_centres(spans, embeddings, n_speakers, max_distance):
    """Mean embedding of each speaker [K, D], by the windows long enough."""
    lengths = np.array([span.end_s - span.start_s for span in spans])
    enough = lengths >= MIN_WINDOW_S
    if np.count_nonzero(enough) < (n_speakers or 1):
        enough[:] = True
    return find_speakers(embeddings[enough], n_speakers, max_distance)


def tell_segments(regions, spans, similarity):
    """Segments from how like each speaker each window is.

    Arguments
    ---------
    regions : list of Region
        Where somebody speaks.
    spans : list of Region
        The windows by their start, each within one region and together all
        over it.
    similarity : np.ndarray
        Cosine of each window with each speaker [N, K].

    Returns
    -------
    list of Segment
        They cover the regions.

    Example
    -------
    >>> two = [Region(0.0, 2.0), Region(3.0, 4.0)]
    >>> tell_segments(two, two, np.array([[0.1, 0.5], [0.6, 0.2]]))
    [Segment(start_s=0.0, end_s=2.0, speaker='speaker_1'),
     Segment(start_s=3.0, end_s=4.0, speaker='speaker_2')]
    """
    starts, ends = np.array(spans).T
    names, told = {}, []
    for start, end in regions:
        n_cells = max(1, round((end - start) / CELL_S))
        edges = np.linspace(start, end, n_cells + 1)
        centres = (edges[1:] + edges[:-1]) / 2
        inside = slice(*np.searchsorted(starts, [start, end]))
        first = np.searchsorted(ends[inside], centres)
        behind = np.searchsorted(starts[inside], centres, side="right")
        # running sums: every cell by every window would not fit in memory
        sums = np.pad(similarity[inside].cumsum(0), ((1, 0), (0, 0)))
        labels = (sums[behind] - sums[first]).argmax(1)
        changes = np.flatnonzero(np.diff(labels)) + 1
        for left, right in itertools.pairwise([0, *changes, n_cells]):
            name = names.setdefault(labels[left], f"speaker_{len(names) + 1}")
            told.append(Segment(*edges[[left, right]].tolist(), name))
    return told


def write_rttm(path, segments, recording):
    """Write segments as NIST's Rich Transcription Time Marked text.

    Arguments
    ---------
    path : str or Path
        File to write.
    segments : list of Segment
        Who spoke when.
    recording : str or Path
        The recording; its name without suffix goes into each line. Blanks,
        which separate the fields, become underscores, in speakers too.

    Example
    -------
    >>> path = getfixture("tmp_path") / "talk.rttm"
    >>> write_rttm(path, [Segment(0.5, 2.0, "speaker_1")], "talk.wav")
    >>> print(path.read_text(), end="")
    SPEAKER talk 1 0.500 1.500 <NA> <NA> speaker_1 <NA> <NA>
    """
    name, lines = one_word(Path(recording).stem), []
    for start, end, speaker in segments:
        # rounded first: what meets in time meets in the file
        start, end = round(start, 3), round(end, 3)
        times = f"{start:.3f} {end - start:.3f} <NA> <NA>"
        speaker = one_word(speaker)
        lines.append(f"SPEAKER {name} 1 {times} {speaker} <NA> <NA>\n")
    write_whole(path, "".join(lines))


def one_word(text):
    """Text with underscores for blanks.

    Example
    -------
    >>> one_word("a talk")
    'a_talk'
    """
    return "_".join(text.split())
