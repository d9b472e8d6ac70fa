"""Write train.csv, dev.csv and dev_trials.txt for a VoxCeleb-like folder.

* Speakers of BOTH columns of every trial list stay out of train and dev.
* Dev speakers are held out whole, so no dev session is ever trained on.
* Files that cannot be trained on go to broken.csv with reason and mend.
* prepared.json keys the outputs by everything they depend on: a second call
  is skipped, a changed list, file or argument makes them again.
* Each file is written aside and put in place in one step.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import hashlib
import inspect
import json
import logging
import os
import sys
from pathlib import Path
from typing import NamedTuple

from voxceleb_scan import PreparationError, list_files, read_headers
from voxceleb_split import hold_out, trial_speakers

from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.trial_design import make_trials
from speechbrain_moe.scoring.trials import write_trials

logger = logging.getLogger(__name__)

OUTPUTS = ("train.csv", "dev.csv", "dev_trials.txt", "broken.csv")
COLUMNS = ["ID", "path", "spk_id", "session", "duration_s"]
FORMAT = 1  # raise it when the meaning of an output changes


class Preparation(NamedTuple):
    """Counts and paths of what was written; remade is False when skipped."""

    n_train_speakers: int
    n_train_utts: int
    n_dev_speakers: int
    n_dev_utts: int
    n_dev_trials: int
    n_removed_speakers: int  # of this folder, for standing in a trial list
    n_broken: int
    train_csv: Path
    dev_csv: Path
    dev_trials: Path
    broken_csv: Path
    remade: bool


def prepare_voxceleb(
    train_folder,
    save_folder,
    trial_lists=(),
    metadata=None,
    n_dev_speakers=24,
    n_dev_trials=6000,
    min_duration_s=1.0,
    seed=1234,
    sample_rate=16000,
):
    """Write train.csv, dev.csv, dev_trials.txt and broken.csv.

    The csv columns are ID, path, spk_id, session, duration_s, with paths
    below train_folder, so the outputs outlive a moved folder. Files are
    told apart by name and size: one replaced by another of the same size
    is not noticed.

    Arguments
    ---------
    train_folder : str
        Holds <speaker>/<session>/<utterance>.<wav|flac|opus|ogg>.
    save_folder : str
        Where to write; made when missing.
    trial_lists : list of str
        Lists of "label enrol test" with speaker/session/utterance paths,
        of train_folder or of another folder.
    metadata : str, optional
        csv with spk_id and any of gender, age (years); the first row of a
        speaker counts. Dev speakers are then balanced by gender x
        child/adult, and nontarget dev trials stay within such a group.
    n_dev_speakers : int
        Speakers held out for dev, at least 2.
    n_dev_trials : int
        Trials wanted, half target; fewer when dev has not as many.
    min_duration_s : float
        Shorter files go to broken.csv.
    seed : int
        Chooses dev speakers and dev trials.
    sample_rate : int
        In Hz; files of another rate go to broken.csv, since training reads
        crops by frame offset. Several channels are fine.

    Returns
    -------
    Preparation
        Counts and paths; remade is False when nothing had changed.

    Raises
    ------
    PreparationError
        If train_folder, a trial list, metadata or a number cannot be used;
        the message names key, file and mend.

    Example
    -------
    >>> prepare_voxceleb("nowhere", "results", trial_lists=["veri.txt"])
    Traceback (most recent call last):
    ...
    voxceleb_scan.PreparationError: train_folder: no folder nowhere; ...
    """
    if isinstance(trial_lists, (str, os.PathLike)):
        trial_lists = [trial_lists]
    arguments = {
        "n_dev_speakers": _at_least_two(n_dev_speakers, "n_dev_speakers"),
        "n_dev_trials": _at_least_two(n_dev_trials, "n_dev_trials"),
        "min_duration_s": float(min_duration_s),
        "seed": int(seed),
        "sample_rate": int(sample_rate),
    }
    folder, save_folder = Path(train_folder), Path(save_folder)
    files = list_files(folder)
    key = _key(arguments, files, trial_lists or (), metadata)
    previous = _previous(save_folder, key)
    if previous:
        return previous
    barred = trial_speakers(trial_lists or ())
    headers = read_headers(folder, files, min_duration_s, sample_rate)
    save_folder.mkdir(parents=True, exist_ok=True)
    utts = _usable(headers, folder, save_folder / "broken.csv")
    counts = {"n_removed_speakers": len(barred & {*utts.spk_id})}
    counts["n_broken"] = len(headers) - len(utts)
    pool = utts[~utts.spk_id.isin(barred)]
    counts |= _write_split(pool, save_folder, metadata, arguments)
    logger.info("%s: %s", save_folder, counts)
    return _seal(save_folder, key, counts)


def _at_least_two(value, key):
    """Return value as an int of at least 2, or say which key is wrong."""
    if int(value) != value or value < 2:
        raise PreparationError(
            f"{key}: {value!r} given, want a whole number of at least 2"
        )
    return int(value)


def _key(arguments, files, trial_lists, metadata):
    """Return the hash of everything that the outputs depend on."""
    named = [("trial_list", path) for path in trial_lists]
    named += [("metadata", metadata)] if metadata else []
    for key, path in named:
        if not Path(path).is_file():
            raise PreparationError(f"{key}: no file {path}; mend the path")
    contents = sorted((key, _sha256(path)) for key, path in named)
    everything = json.dumps([FORMAT, arguments, contents, files])
    return hashlib.sha256(everything.encode()).hexdigest()


def _sha256(path):
    """Return the hash of a file, '' when there is none."""
    if not Path(path).is_file():
        return ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _previous(save_folder, key):
    """Return the earlier Preparation if its key and outputs still hold."""
    try:
        record = json.loads(
            (save_folder / "prepared.json").read_text(encoding="utf-8")
        )
        hashes = {name: _sha256(save_folder / name) for name in OUTPUTS}
        if (record["key"], record["outputs"]) == (key, hashes):
            logger.info("%s is up to date: preparation skipped", save_folder)
            return _result(save_folder, record["counts"], remade=False)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("prepared.json is damaged: %r", error)
    logger.info("%s is stale: preparing it again", save_folder)
    return None


def _seal(save_folder, key, counts):
    """Write prepared.json, last of all, and return the result."""
    hashes = {name: _sha256(save_folder / name) for name in OUTPUTS}
    record = {"key": key, "counts": counts, "outputs": hashes}
    text = json.dumps(record, indent=1)
    write_whole(save_folder / "prepared.json", text)
    return _result(save_folder, counts, remade=True)


def _result(save_folder, counts, remade):
    """Return counts and output paths as a Preparation."""
    paths = {
        name.replace(".txt", "").replace(".", "_"): save_folder / name
        for name in OUTPUTS
    }
    return Preparation(**counts, **paths, remade=remade)


def _write_csv(path, table):
    """Write a table in one step, with the same bytes on every system."""
    form = {"lineterminator": "\n", "errors": "backslashreplace"}
    write_whole(path, lambda aside: table.to_csv(aside, index=False, **form))


def _usable(headers, folder, broken_csv):
    """Write the broken list; return the other rows, with all columns."""
    broken = headers[headers.reason != ""]
    _write_csv(broken_csv, broken[["path", "reason"]])
    if len(broken) == len(headers):
        raise PreparationError(
            f"train_folder: none of {len(headers)} files of {folder} is "
            f"usable; the first, {broken.path.iloc[0]}: "
            f"{broken.reason.iloc[0]}. All are listed in {broken_csv}"
        )
    if len(broken):
        logger.warning("left out %d files: see %s", len(broken), broken_csv)
    utts = headers[headers.reason == ""]
    parts = utts.path.str.split("/")
    utts = utts.assign(spk_id=parts.str[0], session=parts.str[1])
    return utts[COLUMNS].sort_values("path")


def _write_split(pool, save_folder, metadata, arguments):
    """Hold out dev speakers, write train, dev and trials; return counts."""
    n_dev, seed = arguments["n_dev_speakers"], arguments["seed"]
    groups = hold_out(pool.spk_id, n_dev, seed, metadata)
    is_dev = pool.spk_id.isin(groups)
    train, dev = pool[~is_dev], pool[is_dev]
    trials = make_trials(
        dev.path,
        dev.spk_id,
        arguments["n_dev_trials"] // 2,
        seed=seed,
        groups=dev.spk_id.map(groups),
    )
    _write_csv(save_folder / "train.csv", train)
    _write_csv(save_folder / "dev.csv", dev)
    write_trials(save_folder / "dev_trials.txt", trials)
    return {
        "n_train_speakers": train.spk_id.nunique(),
        "n_train_utts": len(train),
        "n_dev_speakers": dev.spk_id.nunique(),
        "n_dev_utts": len(dev),
        "n_dev_trials": len(trials.labels),
    }


def main(argv=None):
    """Run prepare_voxceleb on command line arguments; return exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train_folder")
    parser.add_argument("save_folder")
    parser.add_argument("--trial-lists", nargs="*", default=[])
    parser.add_argument("--metadata")
    known = inspect.signature(prepare_voxceleb).parameters
    for name in list(known)[4:]:
        default = known[name].default
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(default), default=default)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        result = prepare_voxceleb(**vars(parser.parse_args(argv)))
    except PreparationError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result._asdict(), default=str, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
