"""The checkpoint of a training folder, as a filled inference graph.

 * best is the average of the last checkpoints, where there is one: the lowest
   of many dev EERs is partly luck, the average was not picked
 * the graph is the ``model`` section of the training folder's resolved
   hyperparams.yaml: the one that was trained, inline, with no include
 * the classifier keeps the speakers as recorded, without the copies that
   speed perturbation made
 * with half_weights in the yaml, weights are rounded to 16 bits here, so that
   what is verified is what a package holds

Authors
 * The speechbrain_moe developers 2026
"""

from io import StringIO
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import ruamel.yaml
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.half_weights import rounded
from speechbrain_moe.inference.package import (
    HPARAMS_FILE,
    LABELS_FILE,
    check_finite,
    load_labels,
    load_strictly,
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


def read_experiment(folder, checkpoint=None):
    """Load the average of a training's last checkpoints, or its best one.

    Arguments
    ---------
    folder : str or Path
        The ``output_folder`` of a training.
    checkpoint : str, optional
        Name of another checkpoint to take, such as ``CKPT+average``.

    Returns
    -------
    Experiment
        Its classifier holds the speakers as recorded, without the copies
        that speed perturbation made.

    Raises
    ------
    PackageError
        If the folder is no training folder, holds no checkpoint yet, or
        its weights are damaged, not finite or do not fit its graph.
    """
    folder = Path(folder)
    tree = read_tree(folder / HPARAMS_FILE)
    graph = tree["model"]
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
        If there is none, or none of that name.
    """
    found = list_checkpoints(folder)
    if not found:
        raise PackageError(
            f"{folder} holds no checkpoint with a dev_eer: train for an epoch "
            "first"
        )
    if name is None:
        last = max(one.meta["epoch"] for one in found)
        averages = [one for one in found if "n_averaged" in one.meta]
        # A training that went on has left its average behind
        averages = [one for one in averages if one.meta["epoch"] == last]
        return (averages or found)[0]
    for checkpoint in found:
        if checkpoint.path.name == name:
            return checkpoint
    raise PackageError(
        f"{folder} holds no checkpoint {name}; there are "
        f"{', '.join(one.path.name for one in found)}"
    )


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


def read_tree(path):
    """A resolved training yaml, ready to be written on.

    Arguments
    ---------
    path : str or Path
        hyperparams.yaml of a training folder.

    Returns
    -------
    dict
        The yaml tree; in its model section, the inference graph, anchors are
        named after the keys.

    Raises
    ------
    PackageError
        If there is no such file, or no model section in it.
    """
    if not Path(path).is_file():
        raise PackageError(
            f"{path}: no such file; give the output_folder of a training"
        )
    with open(path, encoding="utf-8") as file:
        tree = ruamel.yaml.YAML().load(file)
    if "model" not in tree:
        raise PackageError(
            f"{path} has no model section: it was not written by a training "
            "with this package's recipe"
        )
    for key, node in tree["model"].items():
        if hasattr(node, "yaml_set_anchor"):
            node.yaml_set_anchor(key)
    return tree


def keep_recorded_speakers(graph, classifier, labels_file):
    """Cut classifier and graph to the speakers as recorded.

    Arguments
    ---------
    graph : dict
        The inference graph, changed in place.
    classifier : dict
        Weights of the classifier, changed in place; recorded speakers first,
        each with all its centres.
    labels_file : str or Path
        The label encoder's file, which names the recorded speakers.
    """
    labels = CategoricalEncoder()
    load_labels(labels, labels_file)
    # Trainings of before there were sub-centres have no such key.
    n_rows = len(labels) * graph["classifier"].get("n_subcentres", 1)
    classifier["weight"] = classifier["weight"][:n_rows].clone()
    graph["n_speakers"] = len(labels)
    graph["classifier"]["out_neurons"] = len(labels)


def build(graph, states, labels_file):
    """Make the modules of a graph and fill them.

    Arguments
    ---------
    graph : dict
        The inference graph as a yaml tree.
    states : dict
        Weights by module.
    labels_file : str or Path
        The label encoder's file.

    Returns
    -------
    dict
        The graph built, on the CPU.

    Raises
    ------
    PackageError
        If weights are not finite or do not fit.
    """
    hparams = load_hyperpyyaml(to_text(graph))
    for name, state in states.items():
        check_finite(state, name)
        load_strictly(hparams[name], state, f"the checkpoint's {name}")
    load_labels(hparams["label_encoder"], labels_file)
    return hparams


def to_text(graph):
    """A yaml tree as text.

    Arguments
    ---------
    graph : dict
        Tree that ruamel.yaml loaded.

    Returns
    -------
    str
        The text of a whole yaml file.
    """
    stream = StringIO()
    ruamel.yaml.YAML().dump(graph, stream)
    return stream.getvalue()
