"""A training that starts from a trained encoder: the yaml key finetune_from.

 * any package, Hub id or training of this project; the model's own keys are
   taken from it, so that nobody writes them twice
 * a speaker that the source knows keeps its centre, others start fresh: one
   rule for a large-margin stage and for speakers of one's own

Authors
 * The speechbrain_moe developers 2026
"""

import json

import ruamel.yaml
import torch

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.dense_source import open_encoder
from speechbrain_moe.inference.package import load_strictly
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

PLAIN = (bool, int, float, str, list, type(None))


def open_source(source):
    """Load the encoder that a training is to start from.

    Arguments
    ---------
    source : str or Path
        Value of finetune_from: a package's folder or Hub id, or the
        output_folder of a training (its best checkpoint is taken).

    Returns
    -------
    EncoderClassifier
        On the CPU.

    Raises
    ------
    PackageError
        If it is not there, not whole, or no encoder of this project.
    """
    encoder = open_encoder(source, "finetune_from")
    model = encoder.mods["embedding_model"]
    if not isinstance(model, MoEECAPA):
        raise PackageError(
            f"finetune_from: the embedding_model of {source} is a "
            f"{type(model).__name__}; give a package or a training of this "
            "project, or give it as init_from, which fills experts from any "
            "SpeechBrain ECAPA-TDNN"
        )
    return encoder


def model_values(encoder, keys):
    """Values of the keys that made an encoder's model.

    Arguments
    ---------
    encoder : EncoderClassifier
        What ``open_source`` returned.
    keys : iterable of str
        Keys that a training hands to its model.

    Returns
    -------
    dict
        Plain values by key, those that the encoder knows, as ruamel.yaml
        reads them from a command line.
    """
    known = dict(vars(encoder.hparams))
    if known.get("selection") != "top_k":
        known.pop("top_k", None)  # without a meaning there
    values = {
        key: known[key]
        for key in keys
        if key in known and isinstance(known[key], PLAIN)
    }
    # A plain list of dicts, beside a comment, is written as no valid yaml
    return dict(ruamel.yaml.YAML().load(json.dumps(values)))


def start_from(modules, encoder, source, speakers):
    """Fill a training's modules from a trained encoder.

    Arguments
    ---------
    modules : dict
        ``embedding_model`` and ``classifier`` of the training, on the CPU,
        changed in place.
    encoder : EncoderClassifier
        What ``open_source`` returned.
    source : str or Path
        Where it came from, for messages.
    speakers : list of str
        Speakers of the training, in the order of their labels.

    Returns
    -------
    int
        How many of them the encoder knew.

    Raises
    ------
    PackageError
        If its weights are not those of the training's model, or it has
        another number of centres a speaker.
    """
    state = encoder.mods["embedding_model"].state_dict()
    load_strictly(modules["embedding_model"], state, source)
    known = encoder.hparams.label_encoder.lab2ind
    theirs, ours = encoder.mods["classifier"], modules["classifier"]
    n_centres = theirs.weight.shape[0] // len(known)
    if ours.n_subcentres != n_centres:
        raise PackageError(
            f"finetune_from: {source} has {n_centres} centres a speaker and "
            f"n_subcentres is {ours.n_subcentres}: leave that key out"
        )
    centres = theirs.weight.detach().unflatten(0, (-1, n_centres))
    places = [i for i, name in enumerate(speakers) if name in known]
    rows = [known[speakers[i]] for i in places]
    with torch.no_grad():
        ours.weight.unflatten(0, (-1, n_centres))[places] = centres[rows]
    return len(places)
