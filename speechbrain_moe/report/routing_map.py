"""A map of embeddings in two dimensions, by t-SNE.

 * neighbours on the map are neighbours by cosine; distances between
   far-off groups mean nothing
 * scikit-learn is imported when a map is asked for, not before

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.errors import MissingPackageError

MOST_POINTS = 2000  # more would cost minutes and hide one another


def embedding_map(embeddings, routes=None, seed: int = 0):
    """Lay out embeddings in two dimensions.

    Van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008,
    as scikit-learn implements it, from the first principal components.

    Arguments
    ---------
    embeddings : numpy.ndarray
        One per file [U, D].
    routes : numpy.ndarray, optional
        Expert of each file [U].
    seed : int
        Seed of the choice of files, above 2000, and of the layout.

    Returns
    -------
    dict or None
        points: [n][2]; routes: n experts, or None. None for fewer than 8
        files, which have no map worth the name.

    Raises
    ------
    MissingPackageError
        If scikit-learn is missing; the message gives the pip line.

    Example
    -------
    >>> embedding_map(np.eye(3))
    """
    n_files = len(embeddings)
    if n_files < 8:
        return None
    rng = np.random.default_rng(seed)
    shown = np.arange(n_files)
    if n_files > MOST_POINTS:
        shown = np.sort(rng.choice(n_files, MOST_POINTS, replace=False))
    layout = layout_of(min(30.0, (len(shown) - 1) / 3), seed)
    points = layout.fit_transform(np.asarray(embeddings, np.float64)[shown])
    return {
        "points": np.round(points.astype(np.float64), 3).tolist(),
        "routes": None if routes is None else routes[shown].tolist(),
    }


def layout_of(perplexity: float, seed: int):
    """Make the t-SNE that lays out a map.

    Arguments
    ---------
    perplexity : float
        About how many neighbours count, below the number of files.
    seed : int
        Seed of the layout.

    Returns
    -------
    sklearn.manifold.TSNE
        Not fitted.

    Raises
    ------
    MissingPackageError
        If scikit-learn is missing; the message gives the pip line.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingPackageError(
            "the map of embeddings needs scikit-learn: "
            'pip install "speechbrain-moe[plots]"'
        ) from error
    return TSNE(
        perplexity=perplexity, metric="cosine", init="pca", random_state=seed
    )
