"""Trial lists from a path, from a URL, or by VoxCeleb's short names.

* O, E and H stand for VoxCeleb1's cleaned lists.
* A URL is fetched once, looked at, and put in place in one step.
* Without a network the message says what to fetch by hand.

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.trials import TrialListError, read_trials

VOXCELEB = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta"
SHORT_NAMES = {
    "O": f"{VOXCELEB}/veri_test2.txt",
    "E": f"{VOXCELEB}/list_test_all2.txt",
    "H": f"{VOXCELEB}/list_test_hard2.txt",
}
TIMEOUT_S = 60


def trial_paths(sources, folder):
    """Paths of trial lists, fetched where need be.

    Arguments
    ---------
    sources : str, Path, list of them, or None
        Each a path, a http(s) URL, or O, E, H for the cleaned lists of
        VoxCeleb1; a file of that name comes first.
    folder : str or Path
        Where fetched lists are kept, below a folder for each URL.

    Returns
    -------
    list of pathlib.Path
        One per source, in the same order.

    Raises
    ------
    TrialListError
        If a list cannot be fetched or what comes is no trial list. A path
        is not looked at: read_trials does that.

    Example
    -------
    >>> trial_paths(None, "lists"), [str(p) for p in trial_paths("a", "b")]
    ([], ['a'])
    """
    if sources is None:
        return []
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    return [_local_path(str(source), Path(folder)) for source in sources]


def _local_path(source, folder):
    """Return the path of one list."""
    url = SHORT_NAMES.get(source, source)
    if Path(source).exists() or not url.startswith(("http://", "https://")):
        return Path(source)
    name = Path(urlsplit(url).path).name or "trials.txt"
    # Two servers may give the same name to different lists
    path = folder / hashlib.sha256(url.encode()).hexdigest()[:8] / name
    if not path.exists():
        write_whole(path, lambda aside: _download(url, aside))
    return path


def _download(url, path):
    """Write what a URL gives, if it is a trial list."""
    mend = "Download it by hand and give its path as trial_list"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            path.write_bytes(answer.read())
    except (OSError, HTTPException) as error:
        raise TrialListError(
            f"trial_list: {url} cannot be fetched ({error}). {mend}"
        ) from error
    try:
        read_trials(path)
    except TrialListError as error:
        raise TrialListError(
            f"trial_list: what {url} gives is no trial list ({error}). {mend}"
        ) from error
