"""What the scoring chain learns from: a training's own cohort and dev files.

 * cohort: speakers that were trained on; dev: speakers that were not
 * dev trials are all pairs of dev files, nontargets between the speakers
   that dev_trials.txt compares, which are alike where metadata was given
 * embeddings are kept in shards, so a second call reads them

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import ruamel.yaml

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference.package import HPARAMS_FILE
from speechbrain_moe.inference.sharded_extraction import (
    Share,
    lacking_shards,
    make_shards,
    read_shards,
)
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import Trials, read_trials

logger = logging.getLogger(__name__)
DEV_UTTS = 40  # of a dev speaker, at most
MEAN_FILE = "mean_of.txt"  # in a folder that average.py wrote: of which
MOST_DEV_TRIALS = 200_000
WAIT_S = 1.0  # between two looks for the shards of other processes


class Files(NamedTuple):
    """Files to embed.

    Arguments
    ---------
    paths : list of str
        Relative to folder.
    folder : str or Path
        Where they are.
    shards : Path
        Folder of their embeddings.
    """

    paths: list[str]
    folder: str | Path
    shards: Path


class OwnData(NamedTuple):
    """What a training can be learnt from.

    Arguments
    ---------
    table : pandas.DataFrame
        Columns path and spk_id.
    files : Files
        The same to embed.
    """

    table: pd.DataFrame
    files: Files


def training_settings(source):
    """Settings of a training, as they were used.

    Arguments
    ---------
    source : str or Path
        The training's output_folder.

    Returns
    -------
    dict
        Top-level keys of its hyperparams.yaml.

    Raises
    ------
    InputError
        If the folder holds no training.
    """
    path = Path(source) / HPARAMS_FILE
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give the output_folder of a training"
        )
    with open(path, encoding="utf-8") as file:
        return ruamel.yaml.YAML().load(file)


def draw_files(csv_path, n_per_speaker, seed):
    """Some files of each speaker of a prepared list.

    Arguments
    ---------
    csv_path : str or Path
        train.csv or dev.csv.
    n_per_speaker : int
        Files of a speaker, at most.
    seed : int
        Chooses them.

    Returns
    -------
    pandas.DataFrame
        Columns path and spk_id, sorted by path.

    Raises
    ------
    InputError
        If there is no such list, or n_per_speaker is below 1.
    """
    if n_per_speaker < 1:
        raise InputError(f"cohort_utts is {n_per_speaker}; give 1 or more")
    if not Path(csv_path).is_file():
        raise InputError(
            f"{csv_path}: no such file; the training's save folder has it, "
            "or give --cohort and --calibration"
        )
    table = pd.read_csv(
        csv_path, usecols=["path", "spk_id"], dtype=str, keep_default_na=False
    )
    drawn = table.sort_values("path").sample(frac=1, random_state=seed)
    drawn = drawn.groupby("spk_id").head(n_per_speaker)
    return drawn.sort_values("path").reset_index(drop=True)


def draw_cohort(csv_path, listed, n_per_speaker, seed):
    """Files of the cohort: of speakers trained on who are not listed.

    Arguments
    ---------
    csv_path : Path
        train.csv.
    listed : set of str
        Speakers of the list that is to be scored.
    n_per_speaker : int
        Files of a speaker, at most.
    seed : int
        Chooses them.

    Returns
    -------
    pandas.DataFrame
        Columns path and spk_id.

    Raises
    ------
    InputError
        If fewer than two speakers are left.
    """
    whole = draw_files(csv_path, n_per_speaker, seed)
    table = whole[~whole.spk_id.isin(listed)].reset_index(drop=True)
    n_shared = whole.spk_id.nunique() - table.spk_id.nunique()
    if n_shared:
        logger.warning(
            "%d speakers of the list were trained on: they are left out of "
            "the cohort, and error rates flatter",
            n_shared,
        )
    if table.spk_id.nunique() < 2:
        raise InputError(
            f"{csv_path}: fewer than two speakers who are not in the list, "
            "so no cohort; give --cohort or --cosine_only"
        )
    return table


def dev_trials(table, dev_list, n_most=MOST_DEV_TRIALS, seed=0):
    """All pairs of dev files, as far as the speakers are compared.

    Arguments
    ---------
    table : pandas.DataFrame
        Columns path and spk_id of the dev files.
    dev_list : str or Path
        dev_trials.txt; its nontargets say which speakers to compare.
    n_most : int
        Trials at most, half of them targets at most.
    seed : int
        Chooses where there are more.

    Returns
    -------
    Trials
        Targets first.
    """
    listed = read_trials(dev_list)
    sides = zip(speakers_of(listed.enrol), speakers_of(listed.test))
    pairs = sorted({tuple(sorted(pair)) for pair in sides})
    rows = table.groupby("spk_id").indices
    rng = np.random.default_rng(seed)
    targets = some_of(
        file_pairs(rows, [(s, s) for s in rows]), n_most // 2, rng
    )
    others = [pair for pair in pairs if pair[0] != pair[1]]
    nontargets = file_pairs(rows, [p for p in others if {*p} <= {*rows}])
    nontargets = some_of(nontargets, n_most - len(targets), rng)
    labels = np.repeat([1, 0], [len(targets), len(nontargets)])
    enrol, test = np.concatenate([targets, nontargets]).T
    paths = table.path.to_numpy()
    return Trials(labels, paths[enrol].tolist(), paths[test].tolist())


def file_pairs(rows, speaker_pairs):
    """All pairs of files of pairs of speakers [n, 2]; no file with itself."""
    found = [np.empty((0, 2), dtype=np.int64)]
    for one, other in speaker_pairs:
        if one == other:
            found.append(
                rows[one][np.stack(np.triu_indices(len(rows[one]), 1))].T
            )
        else:
            grid = np.meshgrid(rows[one], rows[other])
            found.append(np.stack(grid, axis=-1).reshape(-1, 2))
    return np.concatenate(found)


def some_of(pairs, n_most, rng):
    """At most n_most rows, in their order."""
    if len(pairs) <= n_most:
        return pairs
    return pairs[np.sort(rng.choice(len(pairs), n_most, replace=False))]


def make_all(encoder, lists, share=None, batch_size=1):
    """Embed lists of files, as far as they are not there yet.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned.
    lists : list of Files
        What to embed.
    share : Share, optional
        This process and how many there are. The first one returns when all
        of them are done.
    batch_size : int
        Utterances at a time.
    """
    share = share or Share()
    for files in lists:
        make_shards(encoder, *files, share, batch_size=batch_size)
    for files in lists if share.process == 0 else ():
        while share.n_processes > 1 and lacking_shards(encoder, *files):
            time.sleep(WAIT_S)


def embeddings_of(encoder, files, skip_broken=False):
    """Embeddings of a list that ``make_all`` embedded.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned.
    files : Files
        The list.
    skip_broken : bool
        Whether to go on without files that cannot be used, as the log says.

    Returns
    -------
    FileEmbeddings
        In the order of the list.

    Raises
    ------
    AudioError
        If a file cannot be used, unless they are to be skipped.
    """
    found = read_shards(encoder, *files)
    for path, reason in found.broken.items():
        said = f"{Path(files.folder) / path}: {reason}"
        if not skip_broken:
            raise AudioError(said)
        logger.warning("left out: %s", said)
    return found
