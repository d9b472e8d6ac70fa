"""The model section of a training's hyperparams.yaml: read, cut, built.

Authors
 * The speechbrain_moe developers 2026
"""

from io import StringIO
from pathlib import Path

import ruamel.yaml
from hyperpyyaml import load_hyperpyyaml
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe import __version__
from speechbrain_moe.errors import InputError, PackageError
from speechbrain_moe.inference.graph_check import REWRITE_ERRORS
from speechbrain_moe.inference.package import (
    HPARAMS_FILE,
    check_finite,
    load_labels,
    load_strictly,
)

PARTS = ("embedding_model", "label_encoder")
MAPPINGS = ("classifier", "modules")


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
        If there is no such file, or no whole model section in it.
    """
    if not Path(path).is_file():
        raise PackageError(
            f"{path}: no such file; give the output_folder of a training"
        )
    try:
        text = Path(path).read_text(encoding="utf-8")
        tree = ruamel.yaml.YAML().load(text)
    except REWRITE_ERRORS as error:
        raise PackageError(
            f"{path} cannot be read ({type(error).__name__}: {error}); give "
            "the output_folder of a training"
        ) from error
    graph = tree.get("model") if isinstance(tree, dict) else None
    found = graph if isinstance(graph, dict) else {}
    lacking = [key for key in PARTS if key not in found]
    lacking += [k for k in MAPPINGS if not isinstance(found.get(k), dict)]
    if lacking:
        raise PackageError(
            f"{path} has no model section with {lacking[0]}: it was not "
            "written by a training with this package's recipe"
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
        If the graph cannot be built, or weights are not finite or do not fit.
    """
    try:
        hparams = load_hyperpyyaml(to_text(graph))
    except InputError:
        raise
    except Exception as error:  # a yaml can raise anything
        raise PackageError(
            f"the model section of {HPARAMS_FILE} cannot be built by "
            f"speechbrain-moe {__version__} ({type(error).__name__}: {error}); "
            "install the version that it was trained with"
        ) from error
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
