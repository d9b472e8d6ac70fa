"""Check the files that SpeechBrain collected against the manifest's hashes.

 * SpeechBrain takes what a savedir holds before it looks at the source, so
   files of another revision would load; the manifest comes from the source
 * a package of before there were manifests has nothing to be checked against
 * without a network there is no manifest to be had either, which is logged

Authors
 * The speechbrain_moe developers 2026
"""

import json
import logging
import re
from pathlib import Path

from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from speechbrain.utils.fetching import FetchFrom, fetch, guess_source

from speechbrain_moe import __version__
from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.file_hashes import MANIFEST_FILE, sha256_of
from speechbrain_moe.inference.hub_errors import hub_errors

logger = logging.getLogger(__name__)
# What a file that is no manifest raises, be it nested without end
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)
NO_NETWORK = (LocalEntryNotFoundError, ConnectionError)


def check_collected(source, files, fetch_config):
    """Refuse files that are not those of the source's manifest.

    Arguments
    ---------
    source : str, Path or FetchSource
        A folder or a Hub id.
    files : dict of Path
        Where each file is, by its name in the package.
    fetch_config : FetchConfig
        As ``from_hparams`` was given it.

    Raises
    ------
    PackageError
        Names the first file that is missing from the manifest or is not
        what it says.
    """
    path = find_manifest(source, fetch_config)
    if path is None:
        return
    manifest = read_sums(path)
    check_version(manifest, path)
    for name, file in files.items():
        said = manifest["files"].get(name, {}).get("sha256")
        if not file.is_file() or sha256_of(file) != said:
            raise PackageError(
                f"{file} is not the {name} that {MANIFEST_FILE} of "
                f"{getattr(source, 'path', source)} names: it was changed, "
                "or a savedir holds another revision; remove it there, and "
                "export or fetch again (or, if you changed it yourself, "
                "speechbrain-moe sign)"
            )


def check_absent(source, name, fetch_config):
    """Refuse that a file is not there which the source's manifest names.

    Arguments
    ---------
    source : str, Path or FetchSource
        A folder or a Hub id.
    name : str
        The file.
    fetch_config : FetchConfig
        As ``from_hparams`` was given it.

    Raises
    ------
    PackageError
        If the manifest names it.
    """
    path = find_manifest(source, fetch_config)
    if path is not None and name in read_sums(path)["files"]:
        raise PackageError(
            f"{getattr(source, 'path', source)}: {name} is gone, which "
            f"{MANIFEST_FILE} names; export or fetch the package again (or, "
            "if you took it away yourself, speechbrain-moe sign)"
        )


def find_manifest(source, fetch_config):
    """The manifest of a source, fetched if need be.

    Arguments
    ---------
    source : str, Path or FetchSource
        A folder or a Hub id.
    fetch_config : FetchConfig
        As ``from_hparams`` was given it.

    Returns
    -------
    Path or None
        None where the package has no manifest, or it cannot be reached.

    Raises
    ------
    PackageError
        If the Hub knows no such repository or revision.
    """
    kind, place = guess_source(source)
    if kind == FetchFrom.LOCAL:
        path = Path(place) / MANIFEST_FILE
        return path if path.is_file() else None
    if kind == FetchFrom.URI:
        return None  # SpeechBrain fetches those only into a savedir
    try:
        with hub_errors(place, fetch_config.revision or "main"):
            return fetch(MANIFEST_FILE, source, fetch_config=fetch_config)
    except PackageError as error:
        if isinstance(error.__cause__, NO_NETWORK):
            logger.warning(
                "%s: its manifest cannot be fetched, so a savedir may hold "
                "another revision (%s)",
                place,
                error,
            )
        elif not isinstance(error.__cause__, EntryNotFoundError):
            raise
    return None


def read_sums(path):
    """Read a manifest's versions and hashes.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    dict
        With files and package_version.

    Raises
    ------
    PackageError
        If it is damaged.

    Example
    -------
    >>> path = getfixture("tmp_path") / "manifest.json"
    >>> _ = path.write_text("{}")
    >>> read_sums(path)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: .../manifest.json is damaged
    (KeyError('files')); export or fetch it again
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        _ = [(f["sha256"], f["size"]) for f in content["files"].values()]
        _ = content["package_version"].split(".")
    except DAMAGE as error:
        raise PackageError(
            f"{path} is damaged ({error!r}); export or fetch it again"
        ) from error
    return content


def check_version(manifest, name):
    """Refuse a package that a later speechbrain-moe wrote.

    Arguments
    ---------
    manifest : dict
        Its package_version is read; a later third number changes no file.
    name : str or Path
        Where it came from, for the error.

    Raises
    ------
    PackageError
        Names both versions.

    Example
    -------
    >>> check_version({"package_version": "99.0.0"}, "manifest.json")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: manifest.json: written by
    speechbrain-moe 99.0.0, ... pip install "speechbrain-moe>=99.0.0"
    """
    written = manifest["package_version"]
    if first_two(written) > first_two(__version__):
        raise PackageError(
            f"{name}: written by speechbrain-moe {written}, and "
            f"{__version__} is installed: pip install "
            f'"speechbrain-moe>={written}"'
        )


def first_two(version):
    """First two numbers of a version.

    Arguments
    ---------
    version : str
        Such as 0.1.0.

    Returns
    -------
    list of int
        For comparison.

    Example
    -------
    >>> first_two("0.12.0rc1")
    [0, 12]
    """
    return [int(n) for n in re.findall(r"\d+", version)[:2]]
