"""Tell whether what was prepared earlier still holds.

* prepared.json keys the outputs by everything that they depend on: names
  and bytes of all files, arguments, contents of trial lists and metadata.
* An output that was touched since is made again, too.

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import json
import logging
from pathlib import Path

from voxceleb_layout import PreparationError

from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.file_hashes import sha256_of

logger = logging.getLogger(__name__)

OUTPUTS = ("train.csv", "dev.csv", "dev_trials.txt", "broken.csv")
FORMAT = 2  # raise it when the meaning of an output changes


def preparation_key(arguments, files, trial_lists, metadata):
    """Hash of everything that the outputs depend on.

    Arguments
    ---------
    arguments : dict
        Numbers that the outputs depend on.
    files : list of (str, int)
        Path and bytes of each file; the folder they stand in may move.
    trial_lists : list of str
        Files whose contents count.
    metadata : str or None
        Another such file.

    Returns
    -------
    str
        Hexadecimal digits.

    Raises
    ------
    PreparationError
        If a list or the metadata is missing; names the key.

    Example
    -------
    >>> len(preparation_key({}, [("a/s/1.wav", 9)], [], None))
    64
    """
    named = [("trial_list", path) for path in trial_lists]
    named += [("metadata", metadata)] if metadata else []
    for key, path in named:
        if not Path(path).is_file():
            raise PreparationError(f"{key}: no file {path}; mend the path")
    contents = sorted((key, file_hash(path)) for key, path in named)
    total = hashlib.sha256(json.dumps([FORMAT, arguments, contents]).encode())
    for path, size in files:
        # surrogates: names that are not UTF-8 are listed as broken
        total.update(f"\n{path}\0{size}".encode(errors="surrogatepass"))
    return total.hexdigest()


def file_hash(path):
    """Hash of a file, '' when there is none.

    Arguments
    ---------
    path : str or Path
        File to read.

    Returns
    -------
    str
        Hexadecimal digits of its SHA-256.

    Example
    -------
    >>> file_hash("nowhere")
    ''
    """
    return sha256_of(path) if Path(path).is_file() else ""


def check_no_training(save_folder):
    """Refuse to write other lists below a training that has begun.

    Arguments
    ---------
    save_folder : Path
        Where the lists are to be written.

    Raises
    ------
    PreparationError
        If a training has numbered its speakers there.
    """
    if (save_folder / "label_encoder.txt").exists():
        raise PreparationError(
            f"{save_folder} holds a training, and files, trial lists or "
            "settings have changed since its lists were written: put them "
            "back, score another list by verify.py, or choose another "
            "output_folder"
        )


def earlier_counts(save_folder, key):
    """Counts of an earlier preparation, if its key and outputs still hold.

    Arguments
    ---------
    save_folder : pathlib.Path
        Where it was written.
    key : str
        What preparation_key gives now.

    Returns
    -------
    dict or None
        None when there is no earlier one, or a stale or damaged one.

    Example
    -------
    >>> earlier_counts(getfixture("tmp_path"), "0")
    """
    try:
        record = json.loads(
            (save_folder / "prepared.json").read_text(encoding="utf-8")
        )
        if (record["key"], record["outputs"]) == (key, _hashes(save_folder)):
            logger.info("%s is up to date: preparation skipped", save_folder)
            return record["counts"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("prepared.json is damaged: %r", error)
    logger.info("%s is stale: preparing it again", save_folder)
    return None


def write_record(save_folder, key, counts):
    """Write prepared.json, last of all.

    Arguments
    ---------
    save_folder : pathlib.Path
        Holds the outputs.
    key : str
        What preparation_key gave.
    counts : dict
        What earlier_counts will return.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> write_record(folder, "0", {"n_broken": 1})
    >>> earlier_counts(folder, "0")
    {'n_broken': 1}
    """
    record = {"key": key, "counts": counts, "outputs": _hashes(save_folder)}
    write_whole(save_folder / "prepared.json", json.dumps(record, indent=1))


def _hashes(save_folder):
    """Return the hash of each output."""
    return {name: file_hash(save_folder / name) for name in OUTPUTS}
