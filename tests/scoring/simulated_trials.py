"""Trials of made-up speakers, for the tests of intervals and of pairs."""

import numpy as np


def simulate(rng, n_speakers=30, n_each=240, gap=2.0):
    """Trials whose scores share a speaker part; true EER Phi(-gap / 2)."""
    enrol = rng.integers(n_speakers, size=2 * n_each)
    other = rng.integers(1, n_speakers, size=2 * n_each)
    labels = np.repeat([1, 0], n_each)
    test = np.where(labels == 1, enrol, (enrol + other) % n_speakers)
    target_part = np.sqrt(0.5) * rng.normal(size=n_speakers)
    nontarget_part = 0.5 * rng.normal(size=n_speakers)
    shared = np.where(
        labels == 1,
        gap + target_part[enrol],
        nontarget_part[enrol] + nontarget_part[test],
    )
    scores = shared + np.sqrt(0.5) * rng.normal(size=2 * n_each)
    return labels, scores, enrol, test
