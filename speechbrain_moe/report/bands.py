"""Numbers as bands with about as many files each.

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

N_BANDS = 4


def bands(values, unit: str = "") -> pd.Series:
    """Cut numbers into four bands with about as many files each.

    Arguments
    ---------
    values : array_like
        Numbers [U]; NaN stays unknown, infinite ones are in an outer band.
    unit : str
        For the labels.

    Returns
    -------
    pandas.Series
        Ordered categories, fewer where values repeat.

    Example
    -------
    >>> bands([1, 2, 3, 4, 5, 6, 7, 8], "s").cat.categories.tolist()
    ['under 2.8 s', '2.8 to 4.5 s', '4.5 to 6.2 s', 'from 6.2 s']
    """
    values = pd.Series(np.asarray(values, dtype=np.float64))
    known = values[np.isfinite(values)]
    shares = np.arange(1, N_BANDS) / N_BANDS
    edges, places = np.array([]), 1
    if known.max() > known.min():
        lowest, spread = known.min(), known.max() - known.min()
        places = max(1, 1 - math.floor(math.log10(spread)))
        edges = np.unique(np.round(np.quantile(known, shares), places))
        edges = edges[(edges > lowest) & (edges <= known.max())]
        if not len(edges):  # most are alike, and the lowest
            edges = np.array([known[known > lowest].min()])
    codes = np.digitize(values, edges)
    texts = [f"{edge:.{places}f}" for edge in edges]
    names = [f"all near {values.median():.3g}"]
    if texts:
        between = [f"{a} to {b}" for a, b in zip(texts, texts[1:])]
        names = [f"under {texts[0]}", *between, f"from {texts[-1]}"]
    names = [f"{name} {unit}".strip() for name in names]
    codes = np.where(values.isna(), -1, codes)
    return pd.Series(pd.Categorical.from_codes(codes, names, ordered=True))
