"""From the files of a package to an encoder that is filled by them.

 * what a package's yaml and classes raise when something is wrong becomes one
   error that names the file and the mend
 * every weight must come from a file: SpeechBrain would go on with random
   ones, and with modules that it misses at first use

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import torch
from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe import __version__
from speechbrain_moe.errors import HyperparameterError, PackageError
from speechbrain_moe.inference.collected import MANIFEST_FILE
from speechbrain_moe.inference.package import (
    HPARAMS_FILE,
    PackagePretrainer,
    weights_file,
)


def is_package(folder):
    """Whether a folder holds an exported package.

    Arguments
    ---------
    folder : str or Path
        The folder.

    Returns
    -------
    bool
        True when the graph and the encoder's weights are there.

    Example
    -------
    >>> is_package(getfixture("tmp_path"))
    False
    """
    needed = (HPARAMS_FILE, weights_file("embedding_model"))
    return all((Path(folder) / name).is_file() for name in needed)


def check_device(device):
    """Refuse a device that is not there.

    Arguments
    ---------
    device : str or torch.device
        Such as cpu or cuda:0.

    Returns
    -------
    str
        The device, as SpeechBrain takes it.

    Raises
    ------
    HyperparameterError
        Says what there is.

    Example
    -------
    >>> check_device(torch.device("cpu"))
    'cpu'
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise HyperparameterError(
            f"device {device} cannot be used ({reason}); choose cpu, or "
            "cuda:0 on a machine with an NVIDIA GPU"
        ) from error
    return str(torch.device(device))


def build_encoder(folder, kind=SpeakerRecognition, device="cpu"):
    """Build a package that was checked, and check that it is filled.

    Arguments
    ---------
    folder : str or Path
        The package.
    kind : type
        The interface.
    device : str
        Where to put it.

    Returns
    -------
    SpeakerRecognition
        Or what kind says; in evaluation mode.

    Raises
    ------
    PackageError
        If the graph cannot be built, lacks a module or leaves weights
        unfilled.
    """
    try:
        encoder = kind.from_hparams(
            source=str(folder), run_opts={"device": device}
        )
        check_filled(encoder)
    except PackageError:
        raise
    except Exception as error:  # a yaml, its classes and files: anything
        raise PackageError(
            f"{folder}/{HPARAMS_FILE} cannot be built by speechbrain-moe "
            f"{__version__} ({type(error).__name__}: {error}); install the "
            f"version that {MANIFEST_FILE} names, or export again"
        ) from error
    return encoder


def check_filled(encoder):
    """Refuse an encoder that lacks modules, or weights from a file.

    Arguments
    ---------
    encoder : SpeakerRecognition
        As SpeechBrain loaded it.

    Raises
    ------
    PackageError
        Names the module that is not there, or that no file filled.
    """
    # SpeakerRecognition's own list has one that is no module in packages
    needed = EncoderClassifier.MODULES_NEEDED
    missing = [name for name in needed if name not in encoder.mods]
    if missing:
        raise PackageError(
            f"the modules in {HPARAMS_FILE} lack {missing[0]}, which "
            "SpeechBrain needs; export again"
        )
    pretrainer = encoder.hparams.pretrainer
    if not isinstance(pretrainer, PackagePretrainer):
        raise PackageError(
            f"the pretrainer in {HPARAMS_FILE} is a "
            f"{type(pretrainer).__name__}, which does not load strictly; "
            "open it with SpeechBrain's own from_hparams"
        )
    filled = {
        id(weight)
        for name, module in pretrainer.loadables.items()
        if name != "label_encoder"
        for weight in module.parameters()
    }
    for name, module in encoder.mods.items():
        if any(id(weight) not in filled for weight in module.parameters()):
            raise PackageError(
                f"module {name} in {HPARAMS_FILE} has weights that its "
                "pretrainer does not load: they would be random; export again"
            )
