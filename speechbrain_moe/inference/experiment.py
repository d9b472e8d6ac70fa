"""The checkpoint of a training folder, as a filled inference graph.

 * best is the average of the last checkpoints, where the training wants one:
   the lowest of many dev EERs is partly luck, the average was not picked
 * the graph is the ``model`` section of the training folder's resolved
   hyperparams.yaml: the one that was trained, inline, with no include
 * the classifier keeps the speakers as recorded, without the copies that
   speed perturbation made
 * with half_weights in the yaml, weights are rounded to 16 bits here, so that
   what is verified is what a package holds

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.graph_check import check_text
from speechbrain_moe.inference.half_weights import rounded
from speechbrain_moe.inference.package import HPARAMS_FILE, LABELS_FILE
from speechbrain_moe.inference.training_graph import (
    build,
    keep_recorded_speakers,
    read_tree,
    to_text,
)

WEIGHTS = ("embedding_model", "classifier")
AVERAGE = "average"  # below save_folder: the mean of the last checkpoints


class Experiment(NamedTuple):
    """The checkpoint of a training folder, ready for use.

    Arguments
    ---------
    graph : dict
        The inference graph as a yaml tree.
    hparams : dict
        The graph built, its modules filled, on the CPU.
    checkpoint : str
        Name of the checkpoint.
    meta : dict
        What the checkpoint says of itself (epoch, dev_eer in %).
    """

    graph: dict
    hparams: dict
    checkpoint: str
    meta: dict


def read_experiment(folder, checkpoint=None, allow_code=False):
    """Load the average of a training's last checkpoints, or its best one.

    Arguments
    ---------
    folder : str or Path
        The ``output_folder`` of a training.
    checkpoint : str, optional
        Name of another checkpoint to take, such as ``CKPT+average``.
    allow_code : bool
        Whether its graph may name classes and functions of any kind, which
        then run with your rights; of a training of one's own they ran before.

    Returns
    -------
    Experiment
        Its classifier holds the speakers as recorded, without the copies
        that speed perturbation made.

    Raises
    ------
    PackageError
        If the folder is no training folder, holds no checkpoint yet, or
        its weights are damaged, not finite or do not fit its graph, or the
        graph would run code.
    """
    folder = Path(folder)
    tree = read_tree(folder / HPARAMS_FILE)
    graph = tree["model"]
    if not allow_code:
        check_text(to_text(graph), f"{folder / HPARAMS_FILE}, section model")
    found = find_checkpoint(folder / "save", checkpoint)
    states = {name: read_weights(found, name) for name in WEIGHTS}
    if tree.get("half_weights"):
        states = {name: rounded(state) for name, state in states.items()}
    labels_file = folder / "save" / LABELS_FILE
    keep_recorded_speakers(graph, states["classifier"], labels_file)
    hparams = build(graph, states, labels_file)
    return Experiment(graph, hparams, found.path.name, dict(found.meta))


def list_checkpoints(folder):
    """Checkpoints of whole epochs, and the average, lowest dev EER first.

    Arguments
    ---------
    folder : str or Path
        The save_folder of a training.

    Returns
    -------
    list of Checkpoint
        Those that are whole and say their ``dev_eer``.
    """
    places = [Path(folder), Path(folder) / AVERAGE]
    found = [
        checkpoint
        for place in places
        if place.is_dir()
        for checkpoint in WholeCheckpointer(place).list_checkpoints()
        if "dev_eer" in checkpoint.meta
    ]
    return sorted(found, key=lambda one: one.meta["dev_eer"])


def find_checkpoint(folder, name=None):
    """The average, else the lowest dev EER, or the checkpoint with a name.

    Arguments
    ---------
    folder : str or Path
        The save_folder of a training.
    name : str, optional
        Name of the checkpoint's folder.

    Returns
    -------
    Checkpoint
        As SpeechBrain's Checkpointer lists it.

    Raises
    ------
    PackageError
        If there is none, or none of that name; or there is an average, and no
        hyperparams.yaml to say whether it is wanted.
    """
    found = list_checkpoints(folder)
    if not found:
        raise PackageError(
            f"{folder} holds no checkpoint with a dev_eer: train for an epoch "
            "first"
        )
    if name is None:
        return choose(found, folder)
    for checkpoint in found:
        if checkpoint.path.name == name:
            return checkpoint
    raise PackageError(
        f"{folder} holds no checkpoint {name}; there are "
        f"{', '.join(one.path.name for one in found)}"
    )


def choose(found, folder):
    """The average, where the training still wants one, else the lowest dev EER.

    Arguments
    ---------
    found : list of Checkpoint
        One or more, lowest dev EER first.
    folder : str or Path
        The save_folder that they are from.

    Returns
    -------
    Checkpoint
        One of them.
    """
    epochs = [one for one in found if "n_averaged" not in one.meta]
    averages = [one for one in found if "n_averaged" in one.meta]
    if not (epochs and averages):  # average.py leaves an average alone
        return found[0]
    settings = read_tree(Path(folder).parent / HPARAMS_FILE)
    # A training that went on has left its average behind
    last = max(one.meta["epoch"] for one in epochs)
    is_current = averages[0].meta["epoch"] >= last
    wanted = settings.get("n_averaged") != 1 and is_current
    return (averages if wanted else epochs)[0]


def read_weights(checkpoint, name):
    """Weights of one module in a checkpoint.

    Arguments
    ---------
    checkpoint : Checkpoint
        What SpeechBrain's Checkpointer found.
    name : str
        Key of the module.

    Returns
    -------
    dict
        Weights by name, on the CPU.

    Raises
    ------
    PackageError
        If the file is missing or damaged, as a killed training leaves it.
    """
    try:
        return torch.load(checkpoint.paramfiles[name], map_location="cpu")
    except (
        KeyError,
        OSError,
        RuntimeError,
        EOFError,
        UnpicklingError,
    ) as error:
        raise PackageError(
            f"{checkpoint.path / name}.ckpt is missing or damaged ({error}); "
            "remove this checkpoint, the next best is then taken"
        ) from error
