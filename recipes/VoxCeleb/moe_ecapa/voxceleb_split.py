"""Say which speakers may be trained on, and which are held out for dev.

* Both columns of a trial list are barred: its test speakers are in each.
* Dev speakers are drawn whole, in proportion to gender x child/adult.
* The first metadata row of a speaker counts; age 18 and over is adult.

Authors
 * The speechbrain_moe developers 2026
"""

import logging

import numpy as np
import pandas as pd
from voxceleb_layout import PreparationError

from speechbrain_moe.scoring.trials import TrialListError, read_trials

logger = logging.getLogger(__name__)


def trial_speakers(trial_lists):
    """Return the speakers of both columns of every trial list.

    Arguments
    ---------
    trial_lists : list of str
        Files of "label enrol test" lines with paths that end in
        speaker/session/utterance; folders above those are allowed.

    Returns
    -------
    set of str
        Speakers that must be kept out of train and dev.

    Raises
    ------
    PreparationError
        If a list cannot be read, or a path is too short.

    Example
    -------
    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile("w+", suffix=".txt") as file:
    ...     _ = file.write("0 id1/s01/1.wav id2/s01/1.wav")
    ...     _ = file.seek(0)
    ...     sorted(trial_speakers([file.name]))
    ['id1', 'id2']
    """
    speakers = set()
    for path in trial_lists:
        try:
            trials = read_trials(path)
        except TrialListError as error:
            raise PreparationError(f"trial_list: {error}") from error
        for side in {*trials.enrol, *trials.test}:
            if side.count("/") < 2:
                raise PreparationError(
                    f"trial_list: {path} names {side}, whose speaker cannot "
                    "be told; write the paths as speaker/session/utterance"
                )
            speakers.add(side.split("/")[-3])
    return speakers


def hold_out(spk_ids, n_dev_speakers, seed=1234, metadata=None):
    """Choose dev speakers, balanced by gender x child/adult if known.

    Arguments
    ---------
    spk_ids : pandas.Series
        Speaker of each usable file.
    n_dev_speakers : int
        Speakers to choose, at least 2, with two or more files each.
    seed : int
        Chooses within a group.
    metadata : str, optional
        csv with spk_id and any of gender, age (years).

    Returns
    -------
    dict
        Chosen speaker to group ("f-child", "unknown", or "all").

    Raises
    ------
    PreparationError
        If there are too few speakers, or metadata does not fit.

    Example
    -------
    >>> spk_ids = pd.Series([f"id{n // 2}" for n in range(12)])
    >>> hold_out(spk_ids, n_dev_speakers=2, seed=0)
    {'id2': 'all', 'id3': 'all'}
    """
    able = _candidates(spk_ids, n_dev_speakers)
    groups = _groups(able, metadata)
    quotas = _quotas(groups.value_counts().sort_index(), n_dev_speakers)
    generator = np.random.default_rng(seed)
    chosen = {}
    for group, quota in quotas.items():
        members = groups.index[groups == group].to_numpy(dtype=object)
        drawn = sorted(generator.permutation(members)[:quota])
        chosen |= dict.fromkeys(drawn, group)
    return chosen


def _candidates(spk_ids, n_dev_speakers):
    """Return the speakers who can be dev: two utterances make a target."""
    sizes = spk_ids.value_counts()
    able = sorted(sizes.index[sizes > 1])
    if n_dev_speakers > min(len(able), len(sizes) - 2):
        raise PreparationError(
            f"n_dev_speakers: {n_dev_speakers} wanted; without those of "
            f"trial_list, {len(sizes)} speakers are left, {len(able)} with "
            "two usable files, and two must stay for training. Lower "
            "n_dev_speakers, add speakers, or correct trial_lists"
        )
    return able


def _groups(speakers, metadata):
    """Return each speaker's gender-child/adult, or one group for all."""
    if not metadata:
        return pd.Series("all", index=speakers)
    table = _read_metadata(metadata)
    known = table.index.intersection(speakers)
    if not len(known):
        raise PreparationError(
            f"metadata: {metadata} has no row for any speaker, such as "
            f"{speakers[0]}; give the csv of this corpus, or leave it out"
        )
    if len(known) < len(speakers):
        lacking = len(speakers) - len(known)
        logger.warning("metadata lacks %d speakers: one group", lacking)
    return table.reindex(speakers, fill_value="unknown").agg("-".join, axis=1)


def _read_metadata(metadata):
    """Return gender and age class, as far as given, by spk_id."""
    try:
        table = pd.read_csv(metadata, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise PreparationError(f"metadata: {metadata}: {error}") from error
    given = [name for name in ("gender", "age") if name in table]
    if "spk_id" not in table or not given:
        raise PreparationError(
            f"metadata: {metadata} has the columns {', '.join(table)}; name "
            "one spk_id and at least one of the others gender or age"
        )
    table = table.drop_duplicates("spk_id").set_index("spk_id")[given]
    if "gender" in table:
        table["gender"] = table.gender.str.strip().str.lower()
    if "age" in table:
        table["age"] = [_age_class(age, metadata) for age in table.age]
    return table.replace("", "unknown")


def _age_class(age, metadata):
    """Return child below 18 years, adult from then on, '' when blank."""
    try:
        return ("child" if float(age) < 18 else "adult") if age.strip() else ""
    except ValueError as error:
        raise PreparationError(
            f"metadata: {metadata} gives the age {age!r}; want years, or blank"
        ) from error


def _quotas(sizes, n_dev_speakers):
    """Share n_dev_speakers over groups in proportion to their sizes."""
    quotas = sizes * n_dev_speakers // sizes.sum()
    rest = sizes * n_dev_speakers % sizes.sum()
    rest = rest.sort_values(ascending=False, kind="stable")
    quotas[rest.index[: n_dev_speakers - quotas.sum()]] += 1
    if quotas.max() < 2:
        raise PreparationError(
            f"n_dev_speakers: {n_dev_speakers} over {len(sizes)} groups of "
            "metadata leaves none with two, so no nontarget trial; raise it, "
            "or leave metadata out"
        )
    return quotas
