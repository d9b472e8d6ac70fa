"""Open a package, from a folder or the Hub, of people one may not know.

 * a folder never leads to the network
 * hashes, version and graph are checked before anything is built, and that
   every weight came from the package's files after it
 * a graph of other classes than packages need is refused, unless its code is
   allowed by the caller (stock ``from_hparams`` would run it)

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.building import (
    build_encoder,
    check_device,
    is_package,
)
from speechbrain_moe.inference.collected import check_version
from speechbrain_moe.inference.graph_check import check_graph
from speechbrain_moe.inference.manifest import check_files
from speechbrain_moe.inference.package import HPARAMS_FILE
from speechbrain_moe.inference.snapshot import (
    HUB_ID,
    copy_snapshot,
    fetch_snapshot,
)


def open_package(
    source,
    revision=None,
    savedir=None,
    token=None,
    allow_code=False,
    device="cpu",
    kind=SpeakerRecognition,
):
    """Open an exported package after checking it.

    Arguments
    ---------
    source : str or Path
        A folder, or a Hub id as user/name.
    revision : str, optional
        On the Hub, a branch, tag or commit; by default main.
    savedir : str or Path, optional
        For a Hub id, a folder for real copies of the files; by default they
        stay in huggingface_hub's cache.
    token : str or False, optional
        For the Hub; by default the one that huggingface_hub finds, False for
        none.
    allow_code : bool
        Whether the graph may name classes and functions of any kind, which
        then run with your rights.
    device : str or torch.device
        Where to put it.
    kind : type
        The interface: SpeakerRecognition, EncoderClassifier, or a subclass.

    Returns
    -------
    SpeakerRecognition
        Or what kind says; in evaluation mode.

    Raises
    ------
    PackageError
        If it cannot be fetched, is not whole, changed, written by a later
        version, or its graph would run code; names file and mend.

    Example
    -------
    >>> open_package("no/such/folder")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: no/such/folder: there is no such ...
    """
    device = check_device(device)
    folder = Path(source)
    if folder.is_dir():
        refuse_for_folder(source, revision=revision, savedir=savedir)
    else:
        check_source(source)
        folder = fetch_snapshot(str(source), revision, token)
    check_package(folder, allow_code)
    if savedir is not None:
        folder = copy_snapshot(folder, savedir)
    return build_encoder(folder, kind, device)


def check_source(source):
    """Refuse what is no folder and can be no repository on the Hub.

    Arguments
    ---------
    source : str or Path
        What was given, which is no folder.

    Raises
    ------
    PackageError
        Names both.

    Example
    -------
    >>> check_source("exported/moe/v2")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: exported/moe/v2: there is no such
    folder, and a Hub id has the form user/name; give one of the two
    """
    if Path(source).is_file():
        raise PackageError(
            f"{source}: is a file; give the folder of the package it is in"
        )
    if not HUB_ID.fullmatch(str(source)):
        raise PackageError(
            f"{source}: there is no such folder, and a Hub id has the form "
            "user/name; give one of the two"
        )


def refuse_for_folder(source, **given):
    """Refuse what has a meaning for the Hub alone.

    Arguments
    ---------
    source : str or Path
        The folder.
    **given : dict
        Arguments by name.

    Raises
    ------
    PackageError
        Names the first that was given.
    """
    for name, value in given.items():
        if value is not None:
            raise PackageError(
                f"{source} is a folder here, and {name} is for Hub ids: "
                "leave it out, or give the id where no such folder is"
            )


def check_package(folder, allow_code=False):
    """Check a package's files, version and graph; build nothing.

    The card may have been edited, and other files be there: neither is
    loaded.

    Arguments
    ---------
    folder : str or Path
        The package.
    allow_code : bool
        Whether the graph may run any code.

    Raises
    ------
    PackageError
        Names the file and the mend.
    """
    if not is_package(folder):
        raise PackageError(
            f"{folder} is no package: it holds no {HPARAMS_FILE} with an "
            "embedding_model.safetensors beside it; export or fetch it again"
        )
    check_version(check_files(folder, exactly=False), folder)
    if not allow_code:
        check_graph(Path(folder) / HPARAMS_FILE)
