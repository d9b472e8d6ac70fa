"""Write train.csv, dev.csv and dev_trials.txt for a VoxCeleb-like folder.

* Speakers of BOTH columns of every trial list stay out of train and dev.
* Dev speakers are held out whole, so no dev session is ever trained on.
* Files that cannot be trained on go to broken.csv with reason and mend.
* VoxCeleb1, VoxCeleb2, both, or any such tree; what is lacking of VoxCeleb is
  said, and so is a part that the trial lists leave nothing of.
* A second call is skipped; a changed list, file or argument makes all again.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import inspect
import json
import logging
import sys
from pathlib import Path
from typing import NamedTuple

from trial_sources import trial_paths
from voxceleb_counts import (
    compare_counts,
    named_as_voxceleb,
    voxceleb_part,
)
from voxceleb_layout import (
    PreparationError,
    count_speakers,
    find_speaker_folders,
)
from voxceleb_record import (
    OUTPUTS,
    check_no_training,
    earlier_counts,
    preparation_key,
    write_record,
)
from voxceleb_scan import list_files, read_headers
from voxceleb_split import hold_out, trial_speakers

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.trial_design import make_trials
from speechbrain_moe.scoring.trials import write_trials

logger = logging.getLogger(__name__)

COLUMNS = ["ID", "path", "spk_id", "session", "duration_s"]


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
        Holds <speaker>/<session>/<utterance>.<wav|flac|opus|ogg>, at any
        depth and in several folders at once (vox1/dev/wav, vox2/dev/flac);
        links are followed. A speaker must not stand in two of them.
    save_folder : str
        Where to write; made when missing.
    trial_lists : list of str
        Lists of "label enrol test" with speaker/session/utterance paths,
        of train_folder or of another folder: paths, URLs, or O, E, H for
        the cleaned lists of VoxCeleb1. E and H name all its speakers.
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
        If train_folder, a trial list, metadata or a number cannot be used,
        or a training has begun on other lists; the message names key, file
        and mend.
    TrialListError
        If a trial list cannot be fetched.

    Example
    -------
    >>> prepare_voxceleb("nowhere", "results", trial_lists=["veri.txt"])
    Traceback (most recent call last):
    ...
    voxceleb_layout.PreparationError: train_folder: no folder nowhere; ...
    """
    arguments = {
        "n_dev_speakers": _at_least_two(n_dev_speakers, "n_dev_speakers"),
        "n_dev_trials": _at_least_two(n_dev_trials, "n_dev_trials"),
        "min_duration_s": float(min_duration_s),
        "seed": int(seed),
        "sample_rate": int(sample_rate),
    }
    folder, save_folder = Path(train_folder), Path(save_folder)
    files = list_files(folder)
    trial_lists = trial_paths(trial_lists, save_folder / "lists")
    key = preparation_key(arguments, files, trial_lists, metadata)
    barred = trial_speakers(trial_lists)
    _say_what_is_there(files, barred)
    counts = earlier_counts(save_folder, key)
    if counts:
        return _result(save_folder, counts, remade=False)
    check_no_training(save_folder)
    headers = read_headers(folder, files, min_duration_s, sample_rate)
    del files  # a quarter of a gigabyte per million
    counts = _write_lists(
        headers, folder, save_folder, barred, metadata, arguments
    )
    write_record(save_folder, key, counts)
    logger.info("%s: %s", save_folder, counts)
    return _result(save_folder, counts, remade=True)


def _say_what_is_there(files, barred):
    """Log the numbers of each speaker folder, and what is lacking."""
    counts = count_speakers(files, find_speaker_folders(files))
    for folder, sizes in counts.items():
        name, n_barred = folder or "train_folder", len(barred & sizes.keys())
        logger.info(
            "%s: %d speakers, %d files; %d of the speakers stand in the "
            "trial lists",
            *(name, len(sizes), sum(sizes.values()), n_barred),
        )
        is_test = {voxceleb_part(spk) for spk in sizes} == {"VoxCeleb1 test"}
        if n_barred and n_barred == len(sizes) and not is_test:
            logger.warning(
                "%s: all its speakers stand in the trial lists, so nothing "
                "of it is trained on (E and H name all of VoxCeleb1)",
                name,
            )
    known = named_as_voxceleb(files)
    sizes = {k: n for part in counts.values() for k, n in part.items()}
    whole, differing = compare_counts(
        {speaker: n for speaker, n in sizes.items() if speaker in known}
    )
    for line in whole:
        logger.info("%s, as known", line)
    for line in differing:
        logger.warning(line)


def _write_lists(headers, folder, save_folder, barred, metadata, arguments):
    """Write all outputs; return their counts."""
    save_folder.mkdir(parents=True, exist_ok=True)
    utts = _usable(headers, folder, save_folder / "broken.csv")
    counts = {"n_removed_speakers": len(barred & {*utts.spk_id})}
    counts["n_broken"] = len(headers) - len(utts)
    pool = utts[~utts.spk_id.isin(barred)]
    return counts | _write_split(pool, save_folder, metadata, arguments)


def _at_least_two(value, key):
    """Return value as an int of at least 2, or say which key is wrong."""
    if int(value) != value or value < 2:
        raise PreparationError(
            f"{key}: {value!r} given, want a whole number of at least 2"
        )
    return int(value)


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
    parts = [path.split("/")[-3:-1] for path in utts.path]
    # One string for all files of a speaker, one for those of a session
    parts = [(sys.intern(spk), sys.intern(ses)) for spk, ses in parts]
    utts = utts.assign(
        spk_id=[spk for spk, _ in parts], session=[ses for _, ses in parts]
    )
    return utts[COLUMNS]


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
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result._asdict(), default=str, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
