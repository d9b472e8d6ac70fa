"""What a network must beat: two verifiers that learn next to nothing.

 * `mean_log_mel_scores` compares average spectra: the long-term timbre, with
   the room, the microphone and the noise in it.
 * `median_pitch_scores` compares one number, the height of the voice.
 * Both are SpeechBrain's own features and no training, so that an EER close
   to theirs says that a network has not learnt who speaks.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from speechbrain.dataio.audio_io import load
from speechbrain.lobes.features import Fbank
from speechbrain.processing.vocal_features import compute_autocorr_features

from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import read_trials, trial_scores

SAMPLE_RATE = 16000
PITCH_HZ = (60, 400)  # where a median pitch is looked for
VOICED = 0.5  # harmonicity above which a frame has a pitch


def mean_log_mel_scores(folder, trials):
    """Cosine of mean log-mel vectors, less the mean of the training files.

    Arguments
    ---------
    folder : str or Path
        Corpus with dev/<speaker>/<session>/*.wav and test, 16 kHz mono.
    trials : Trials
        Paths relative to folder/test.

    Returns
    -------
    numpy.ndarray
        Scores in [-1, 1], higher for the same speaker, [N] float64.

    Raises
    ------
    FileNotFoundError
        If there is no training file under folder/dev.

    Example
    -------
    >>> trials = read_trials("corpus/meta/veri_test.txt")  # doctest: +SKIP
    >>> scores = mean_log_mel_scores("corpus", trials)  # doctest: +SKIP
    """
    folder = Path(folder)
    train = sorted((folder / "dev").glob("*/*/*.wav"))
    if not train:
        raise FileNotFoundError(
            f"{folder / 'dev'} holds no <speaker>/<session>/*.wav; make the "
            "corpus first: python synthesise_voices.py <folder>"
        )
    fbank = Fbank(n_mels=80)
    centre = np.mean([_mean_log_mel(file, fbank) for file in train], axis=0)
    paths = sorted({*trials.enrol, *trials.test})
    means = [_mean_log_mel(folder / "test" / path, fbank) for path in paths]
    return trial_scores(np.stack(means) - centre, paths, trials)


def median_pitch_scores(folder, trials):
    """Negative distance in octaves between the two median pitches.

    Arguments
    ---------
    folder : str or Path
        Corpus; only folder/test is read, 16 kHz mono.
    trials : Trials
        Paths relative to folder/test.

    Returns
    -------
    numpy.ndarray
        Scores, at most 0, higher for the same speaker, [N] float64.

    Example
    -------
    >>> trials = read_trials("corpus/meta/veri_test.txt")  # doctest: +SKIP
    >>> scores = median_pitch_scores("corpus", trials)  # doctest: +SKIP
    """
    test = Path(folder) / "test"
    octave = {
        path: np.log2(_median_pitch_hz(test / path))
        for path in {*trials.enrol, *trials.test}
    }
    enrol, other = (
        np.array([octave[path] for path in side])
        for side in (trials.enrol, trials.test)
    )
    return -np.abs(enrol - other)


def _load(file):
    """The first channel of a file, [1, samples]."""
    wav, rate_hz = load(str(file))
    if rate_hz != SAMPLE_RATE:
        raise ValueError(f"{file} has {rate_hz} Hz; wanted {SAMPLE_RATE}")
    return wav[:1]


@torch.no_grad()
def _mean_log_mel(file, fbank):
    """Mean over time of the log-mel, [80] float64."""
    return fbank(_load(file))[0].mean(dim=0).double().numpy()


def _median_pitch_hz(file):
    """Median over the voiced frames, or over all when none is voiced."""
    frames = _load(file).unfold(-1, 800, 160)  # 50 ms every 10 ms
    low_hz, high_hz = PITCH_HZ
    harmonicity, lags = compute_autocorr_features(
        frames, SAMPLE_RATE // high_hz, SAMPLE_RATE // low_hz
    )
    voiced = harmonicity > VOICED
    lags = lags[voiced] if voiced.any() else lags.flatten()
    return SAMPLE_RATE / lags.double().median().item()


def main(argv=None):
    """Print the EER of both on the trials of a corpus.

    Arguments
    ---------
    argv : list of str, optional
        Words of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of synthesise_voices.py")
    folder = parser.parse_args(argv).folder
    trials = read_trials(folder / "meta" / "veri_test.txt")
    for score in (mean_log_mel_scores, median_pitch_scores):
        eer = equal_error_rate(trials.labels, score(folder, trials))[0]
        print(f"{score.__name__.removesuffix('_scores')}: EER {eer:.1f} %")


if __name__ == "__main__":
    main()
