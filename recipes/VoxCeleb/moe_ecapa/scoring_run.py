"""The scoring chain on one list, with what its training has to offer.

 * a training brings its own cohort and dev speakers; a package none, but
   takes both as files
 * speakers of the list are left out of the cohort; if any is a dev speaker
   nothing is calibrated, since the list would grade itself

Authors
 * The speechbrain_moe developers 2026
"""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scoring_chain import (
    NOTHING,
    Cohort,
    Learnt,
    learn,
    score_columns,
    step_scores,
)
from scoring_data import (
    DEV_UTTS,
    Files,
    OwnData,
    dev_trials,
    draw_cohort,
    draw_files,
    embeddings_of,
    make_all,
    training_settings,
)
from scoring_files import (
    read_cohort,
    read_learnt,
    write_cohort,
)

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import is_package
from speechbrain_moe.inference.file_embeddings import FileEmbeddings
from speechbrain_moe.inference.sharded_extraction import Share
from speechbrain_moe.scoring.cohort import check_cohort, speaker_means
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import Trials

logger = logging.getLogger(__name__)


class Chain(NamedTuple):
    """How to score beyond the raw cosine.

    Arguments
    ---------
    cohort : str, optional
        cohort.npz to use in place of the training's speakers.
    calibration : str, optional
        calibration.json to use in place of the training's dev speakers.
    cohort_utts : int
        Files of a cohort speaker, at most.
    train_folder : str, optional
        Audio of the training, if it was moved.
    metadata : str, optional
        csv with path or spk_id, for subgroups.
    columns : list of str
        Its columns to show.
    batch_size : int
        Utterances encoded at a time.
    checkpoint : str, optional
        Of a training, which was asked for; embeddings go below its name.
    seed : int
        Draws files and trials.
    share : Share
        This process and how many there are.
    """

    cohort: str | None = None
    calibration: str | None = None
    cohort_utts: int = 20
    train_folder: str | None = None
    metadata: str | None = None
    columns: tuple[str, ...] = ()
    batch_size: int = 1
    checkpoint: str | None = None
    seed: int = 0
    share: Share = Share()


class Scored(NamedTuple):
    """What became of a list.

    Arguments
    ---------
    steps : dict of np.ndarray
        Scores of each step.
    found : FileEmbeddings
        Embeddings and quality of its files.
    cohort : Cohort or None
        What AS-norm was done with.
    learnt : Learnt
        Calibrations and thresholds.
    model_key : str
        Of the encoder.
    dev : tuple or None
        Trials of dev speakers that were learnt from, and their scores by
        step.
    """

    steps: dict[str, np.ndarray]
    found: FileEmbeddings
    cohort: Cohort | None
    learnt: Learnt
    model_key: str
    dev: tuple[Trials, dict[str, np.ndarray]] | None = None


def run_chain(encoder, source, trials, test_files, chain):
    """Score a list by every step there is.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned.
    source : Path
        Folder it came from.
    trials : Trials
        What to compare.
    test_files : Files
        Their files.
    chain : Chain
        How.

    Returns
    -------
    Scored or None
        None in processes that only help to embed.

    Raises
    ------
    InputError
        If anything given cannot be used.
    """
    model_key, cohort = encoder_key(encoder), None
    learnt, dev = NOTHING, None
    if chain.cohort:
        cohort = read_cohort(chain.cohort, model_key)
        check_cohort(cohort.speakers, trials)
    if chain.calibration:
        learnt = read_learnt(chain.calibration, cohort, model_key)
    own = {} if is_package(source) else own_data(source, trials, chain)
    lists = [test_files, *(data.files for data in own.values())]
    make_all(encoder, lists, chain.share, chain.batch_size)
    if chain.share.process > 0:
        return None
    if "cohort" in own:
        cohort = own_cohort(encoder, own["cohort"], model_key)
        if chain.calibration:  # now its cohort can be compared too
            learnt = read_learnt(chain.calibration, cohort, model_key)
    if "dev" in own:
        data = own["dev"]
        learnt, dev = learn_from_dev(encoder, source, data, cohort, chain)
    found = embeddings_of(encoder, test_files)
    columns = score_columns(found, trials, cohort)
    steps = step_scores(columns, learnt.calibrations)
    return Scored(steps, found, cohort, learnt, model_key, dev)


def own_data(source, trials, chain):
    """Cohort and dev files of a training, as far as they are needed.

    Arguments
    ---------
    source : Path
        The training's output_folder.
    trials : Trials
        The list that is to be scored.
    chain : Chain
        What is given from elsewhere.

    Returns
    -------
    dict of OwnData
        cohort and dev, or one of them, or none.

    Raises
    ------
    InputError
        If the training's audio or lists are not there.
    """
    if chain.cohort and chain.calibration:
        return {}
    folder = chain.train_folder or training_settings(source)["train_folder"]
    if not Path(folder).is_dir():
        raise InputError(
            f"train_folder: no folder {folder}, whose files make cohort and "
            "calibration; give --train_folder, or --cosine_only"
        )
    listed = {*speakers_of({*trials.enrol, *trials.test})}
    save, drawn = source / "save", {}
    if not chain.cohort:
        drawn["cohort"] = draw_cohort(
            save / "train.csv", listed, chain.cohort_utts, chain.seed
        )
    if not chain.calibration:
        dev = draw_files(save / "dev.csv", DEV_UTTS, chain.seed)
        shared = listed & {*dev.spk_id}
        if shared:
            logger.warning(
                "%d speakers of the list are dev speakers, such as %s: "
                "nothing is calibrated",
                len(shared),
                min(shared),
            )
        else:
            drawn["dev"] = dev
    return {
        name: OwnData(
            table,
            Files(
                table.path.tolist(),
                folder,
                source / (chain.checkpoint or "") / "embeddings" / name,
            ),
        )
        for name, table in drawn.items()
    }


def own_cohort(encoder, data, model_key):
    """Mean embedding of each speaker; also written as cohort.npz.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned.
    data : OwnData
        Files of the cohort.
    model_key : str
        Of the encoder.

    Returns
    -------
    Cohort
        Without speakers none of whose files can be used.
    """
    found = embeddings_of(encoder, data.files, skip_broken=True)
    speaker = dict(zip(data.table.path, data.table.spk_id))
    speakers = [speaker[path] for path in found.paths]
    cohort = Cohort(*speaker_means(found.embeddings, speakers))
    path = data.files.shards.with_name("cohort.npz")
    write_cohort(path, cohort, model_key)
    return cohort


def learn_from_dev(encoder, source, data, cohort, chain):
    """Calibrations and thresholds from trials of dev speakers.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned.
    source : Path
        The training's output_folder.
    data : OwnData
        Files of dev speakers.
    cohort : Cohort or None
        For AS-norm.
    chain : Chain
        Says the seed.

    Returns
    -------
    Learnt
        With the number of dev speakers.
    tuple
        Their trials, and scores by step.
    """
    found = embeddings_of(encoder, data.files, skip_broken=True)
    table = data.table[data.table.path.isin(found.paths)]
    trials: Trials = dev_trials(
        table.reset_index(drop=True),
        source / "save" / "dev_trials.txt",
        seed=chain.seed,
    )
    if cohort is not None:
        check_cohort(cohort.speakers, trials)
    columns = score_columns(found, trials, cohort)
    learnt = learn(trials, columns)
    steps = step_scores(columns, learnt.calibrations)
    origin = {
        "source": source.name,
        "list": "pairs of save/dev.csv",
        "n_speakers": int(table.spk_id.nunique()),
        "n_cohort_speakers": 0 if cohort is None else len(cohort.speakers),
    }
    return learnt._replace(about={**origin, **learnt.about}), (trials, steps)
