"""The weights that come with the package, and models by any name.

 * in an installed package they lie in ``speechbrain_moe/pretrained``, in a
   checkout in ``pretrained``
 * a model is a folder, the name of shipped weights, or a Hub id
 * one way to open them all, for the command line and the page

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.building import is_package
from speechbrain_moe.inference.collected import MANIFEST_FILE
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.loading import open_package, refuse_for_folder
from speechbrain_moe.inference.recognition import MoESpeakerRecognition

SHIPPED = "moe-ecapa-small"
PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE / "pretrained", PACKAGE.parent / "pretrained")


def shipped_package(name=SHIPPED):
    """Folder of weights that come with the package.

    Arguments
    ---------
    name : str
        Of the weights.

    Returns
    -------
    Path
        An exported package.

    Raises
    ------
    PackageError
        If there are none of that name; says which there are.

    Example
    -------
    >>> shipped_package("moe-nowhere")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: moe-nowhere: no such folder, and ...
    """
    for place in PLACES:
        if is_package(place / name):
            return place / name
    found = (path for place in PLACES for path in place.glob("*"))
    there = sorted(path.name for path in found if is_package(path))
    raise PackageError(
        f"{name}: no such folder, and no weights of that name came with the "
        f"package (there are: {', '.join(there) or 'none'}); give a folder, "
        "or a Hub id as user/name"
    )


def find_model(model=None):
    """Where a model is that was given by any of its names.

    Arguments
    ---------
    model : str or Path, optional
        A package or training folder, the name of shipped weights, or a Hub
        id; by default the shipped weights.

    Returns
    -------
    Path or str
        A folder, or the Hub id.

    Raises
    ------
    PackageError
        If it can be none of them.

    Example
    -------
    >>> find_model("user/voices")
    'user/voices'
    """
    if model is None:
        return shipped_package()
    if Path(model).is_dir():
        return Path(model)
    is_name = len(Path(model).parts) == 1
    return shipped_package(str(model)) if is_name else str(model)


def open_recognition(model=None, revision=None, device="cpu", allow_code=False):
    """Open a model for decisions.

    Arguments
    ---------
    model : str or Path, optional
        As for ``find_model``.
    revision : str, optional
        Of a Hub id: a branch, tag or commit.
    device : str
        Where to compute.
    allow_code : bool
        Whether the model's yaml may run any code.

    Returns
    -------
    MoESpeakerRecognition
        A training folder has no calibration.

    Raises
    ------
    PackageError
        If it is not there, not whole, or would run code.

    Example
    -------
    >>> open_recognition("no/such/model")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: no/such/model: there is no such ...
    """
    place = find_model(model)
    if is_training(place):
        refuse_for_folder(place, revision=revision)
        encoder = load_encoder(place, device, allow_code=allow_code)
        return MoESpeakerRecognition.from_encoder(encoder)
    return open_package(
        place,
        revision,
        allow_code=allow_code,
        device=device,
        kind=MoESpeakerRecognition,
    )


def is_training(place):
    """Whether a place is a folder, and neither a package nor part of one.

    Arguments
    ---------
    place : Path or str
        What ``find_model`` returned.

    Returns
    -------
    bool
        False for a Hub id.

    Example
    -------
    >>> is_training("user/voices"), is_training(getfixture("tmp_path"))
    (False, True)
    """
    if not isinstance(place, Path):
        return False
    return not is_package(place) and not (place / MANIFEST_FILE).exists()
