"""The data of a training: crops from files or shards, whole dev utterances.

 * files and shards give the same items, drawn in the same way
 * each process has its share of both; of an epoch's utterances each is seen
   once, but for the rest that fills no batch

Authors
 * The speechbrain_moe developers 2026
"""

import logging

import torch.distributed as dist
from corpora import number_corpora
from live_data import make_live
from training_lists import find_voices, read_rows, train_lists

from speechbrain_moe.checkpoints import count_processes
from speechbrain_moe.errors import InputError
from speechbrain_moe.training.crops import CropMaker
from speechbrain_moe.training.data import (
    read_table,
    train_dataset,
    utterance_dataset,
)
from speechbrain_moe.training.draws import Draws
from speechbrain_moe.training.shard_index import read_index
from speechbrain_moe.training.shards import ShardDataset, ShardLoader
from speechbrain_moe.training.teacher_centre import centred

logger = logging.getLogger(__name__)


def make_train(brain, settings, teacher):
    """Crops to train on; their draws follow the brain's epochs.

    Arguments
    ---------
    brain : SpeakerBrain
        Is given ``draws``, and with shards a recoverable.
    settings : dict
        Values by key, counts included.
    teacher : Teacher or None
        What ``find_teacher`` returned.

    Returns
    -------
    DynamicItemDataset or ShardLoader
        For ``Brain.fit``.

    Raises
    ------
    InputError
        If a list, a shard or the teacher does not fit.
    """
    lists = train_lists(settings)
    rows, voices = read_rows(lists), find_voices(settings)
    if settings["live_teacher"] is not None:
        brain.draws = Draws(settings["seed"])
        return make_live(brain, settings, teacher, rows)
    if settings["centre_teacher"]:
        corpora = find_corpora(rows.values(), voices, settings["metadata"])
        teacher = centred(teacher, corpora)
    brain.draws = Draws(settings["seed"])
    paths = [
        path
        for row in rows.values()
        for path in voices.paths(row["path"], row["spk_id"])
    ]
    make_crop = CropMaker(
        brain.hparams.label_encoder,
        settings["crop_s"],
        settings["speeds"],
        settings["sample_rate"],
        brain.draws,
        teacher,
        paths,
        voices,
    )
    if teacher is not None:
        check_known(make_crop.known, paths, settings["teacher_embeddings"])
    if settings["shards"] is None:
        return train_dataset(rows, make_crop)
    dataset = ShardDataset(
        read_index(settings["shards"], [*lists]),
        make_crop,
        settings["batch_size"],
        settings["train_folder"],
        settings["unlabelled_folder"],
        settings["n_shuffled"],
    )
    loader = ShardLoader(dataset, settings["num_workers"])
    brain.checkpointer.add_recoverable("shards", loader)
    return loader


def check_known(known, paths, source):
    """Say how many files the teacher knows, and refuse one that knows none.

    Arguments
    ---------
    known : dict
        What ``teacher_rows`` found.
    paths : list of str
        Every file that is trained on.
    source : str
        The teacher's npz, for the error.

    Raises
    ------
    InputError
        If there is nothing that it could teach.
    """
    if not known:
        raise InputError(
            f"teacher_embeddings {source} has no row of a file that is "
            f"trained on, such as {paths[0]}: its paths must end as these do, "
            "<speaker>/<session>/<utterance>.<suffix>"
        )
    logger.info("the teacher knows %d of %d files", len(known), len(paths))


def find_corpora(rows, voices, metadata=None):
    """Recordings, and all their files, of each corpus.

    Arguments
    ---------
    rows : iterable of dict
        ``path`` and ``spk_id`` of each recording.
    voices : ChangedVoices
        Their changed voices.
    metadata : str or Path, optional
        As ``number_corpora`` takes it.

    Returns
    -------
    list of tuple
        For ``centred``.
    """
    corpora, rows = {}, [*rows]
    for row, number in zip(rows, number_corpora(rows, metadata)):
        recordings, files = corpora.setdefault(number, ([], []))
        recordings.append(row["path"])
        files += voices.paths(row["path"], row["spk_id"])
    return [*corpora.values()]


def make_dev(settings):
    """This process's share of the dev utterances.

    Arguments
    ---------
    settings : dict
        Values by key.

    Returns
    -------
    DynamicItemDataset
        Whole utterances.
    """
    process = dist.get_rank() if dist.is_initialized() else 0
    return utterance_dataset(
        f"{settings['save_folder']}/dev.csv",
        settings["train_folder"],
        settings["sample_rate"],
        process,
        count_processes(),
    )


def some_speech(settings, n_recordings=400):
    """Recordings of the training speakers, spread evenly over the list.

    Arguments
    ---------
    settings : dict
        Values by key.
    n_recordings : int
        How many, about.

    Yields
    ------
    torch.Tensor
        Waveform [S].
    """
    csv_path = f"{settings['save_folder']}/train.csv"
    every = max(1, len(read_table(csv_path)) // n_recordings)
    dataset = utterance_dataset(
        csv_path, settings["train_folder"], settings["sample_rate"], 0, every
    )
    for row in dataset:
        yield row["sig"]
