#!/usr/bin/env python3
"""A training's folder whose embeddings are whitened, a little.

    python whiten.py <output_folder> --out <folder> [--shrinkage 8]

 * directions in which recordings of a speaker differ count for less (WCCN:
   Hatch, Kajarekar and Stolcke, Interspeech 2006), as do those in which all
   recordings differ most (whitening: Garcia-Romero and Espy-Wilson,
   Interspeech 2011): the mean of both covariances, shrunk to the identity
 * learnt from recordings that were trained on, and folded into the last layer
   of every expert: the model stays as large, and as fast
 * whether it helps, the dev EER says, which is printed for both
 * the folder is used as any training's: verify.py, speechbrain-moe export

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from average import ENCODER, dev_eer, write
from scoring_data import draw_files, training_settings

from speechbrain_moe.errors import HyperparameterError, InputError
from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    read_experiment,
    read_weights,
)
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.extract import embed_files
from speechbrain_moe.inference.package import load_strictly

N_UTTS = 3  # of a speaker, to learn from
LAYER = "fc.conv"  # the last one of an ECAPA-TDNN
CLASSIFIER = "classifier"


def covariances(embeddings, speakers):
    """Covariance within speakers, and of all.

    Arguments
    ---------
    embeddings : numpy.ndarray
        Of length 1 [N, D].
    speakers : sequence of str
        Who each is of [N].

    Returns
    -------
    within, total : numpy.ndarray
        [D, D], each of mean variance 1.

    Raises
    ------
    InputError
        If no speaker has two embeddings that differ.
    """
    names, rows = np.unique(speakers, return_inverse=True)
    sums = np.zeros((len(names), embeddings.shape[1]))
    np.add.at(sums, rows, embeddings)
    means = sums / np.bincount(rows)[:, np.newaxis]
    apart = embeddings - means[rows]
    both = apart.T @ apart, np.cov(embeddings.T)
    if not np.trace(both[0]) > 0:
        raise InputError(
            "no speaker has two recordings that differ: there is nothing to "
            "learn from"
        )
    return [one / np.trace(one) * len(one) for one in both]


def whitening(within, total, shrinkage):
    """The matrix that makes the shrunk mean of two covariances even.

    Arguments
    ---------
    within, total : numpy.ndarray
        [D, D], each of mean variance 1.
    shrinkage : float
        Weight of the identity beside their mean, above 0.

    Returns
    -------
    numpy.ndarray
        Symmetric, of determinant 1 [D, D].

    Example
    -------
    >>> whitening(np.diag([3.0, 0.5]), np.diag([3.0, 0.5]), 1.0).round(3)
    array([[0.783, 0.   ],
           [0.   , 1.278]])
    """
    mean = (within + total) / 2 + shrinkage * np.eye(len(within))
    variances, axes = np.linalg.eigh(mean)
    scales = np.exp(np.log(variances).mean() / 2) / np.sqrt(variances)
    return (axes * scales) @ axes.T


def fold(state, matrix):
    """Weights of an encoder whose experts end with a matrix.

    Arguments
    ---------
    state : dict
        Weights by name.
    matrix : torch.Tensor
        [D, D], float64.

    Returns
    -------
    dict
        The same, weight and bias of the last layer of each expert changed.
    """
    return {
        name: times(matrix, weight) if LAYER in name else weight
        for name, weight in state.items()
    }


def times(matrix, weight):
    """Matrix [D, D] times a weight whose first axis is D."""
    product = matrix @ weight.double().flatten(1 if weight.dim() > 1 else 0)
    return product.view_as(weight).to(weight.dtype)


def whiten(folder, out, shrinkage=8.0):
    """Write the folder of the whitened encoder.

    Arguments
    ---------
    folder, out : str or Path
        Output folder of a training, and the new folder.
    shrinkage : float
        As for ``whitening``.

    Returns
    -------
    dict
        ``dev_eer`` in % by folder.

    Raises
    ------
    InputError
        If the training or a recording cannot be used, or out is there.
    """
    folder, out = Path(folder), Path(out)
    if out.exists():
        raise InputError(f"{out} is there: choose another --out, or remove it")
    if not shrinkage > 0:
        raise HyperparameterError(f"shrinkage is {shrinkage}; give above 0")
    found = find_checkpoint(folder / "save")
    matrix = torch.from_numpy(learn(folder, shrinkage))
    states = {n: read_weights(found, n) for n in (ENCODER, CLASSIFIER)}
    centres = states[CLASSIFIER]["weight"].double() @ matrix
    states[CLASSIFIER]["weight"] = centres.float()
    states[ENCODER] = fold(states[ENCODER], matrix)
    eer = dev_eer(folder, states[ENCODER])
    model = read_experiment(folder, allow_code=True).hparams[ENCODER]
    load_strictly(model, states[ENCODER], "the whitened encoder")
    meta = {"dev_eer": eer, "epoch": found.meta["epoch"], "n_averaged": 1}
    heads = {CLASSIFIER: states[CLASSIFIER]}
    write(out, [folder], found, model, meta, heads)
    return {str(folder): found.meta["dev_eer"], str(out): eer}


def learn(folder, shrinkage):
    """The matrix [D, D] of a training's own speakers."""
    settings = training_settings(folder)
    table = draw_files(folder / "save/train.csv", N_UTTS, settings["seed"])
    encoder = load_encoder(folder, allow_code=True)
    embeddings = embed_files(
        encoder.encode_batch,
        table.path.tolist(),
        settings["train_folder"],
        settings["sample_rate"],
    )
    return whitening(*covariances(embeddings, table.spk_id), shrinkage)


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="output_folder of a training")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--shrinkage", type=float, default=8.0)
    given = parser.parse_args(arguments)
    try:
        eers = whiten(given.folder, given.out, given.shrinkage)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for folder, eer in eers.items():
        print(f"{folder}: dev EER {eer:.2f} %")


if __name__ == "__main__":
    main()
