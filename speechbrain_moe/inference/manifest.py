"""What a package holds, by hash, and the check of a folder against it.

 * manifest.json names every other file of the package, so it is written last
 * a file that changed, is missing or is not named there is refused by name;
   names that begin with a dot (git's, the Hub's own) do not count
 * who edits the card or adds a file to a package of one's own signs it again
 * no time and no path of the machine: a training gives the same bytes again
 * the graph in hyperparams.yaml can be code, as it is for SpeechBrain: it is
   built only after all hashes agree and it names no foreign class

Authors
 * The speechbrain_moe developers 2026
"""

import json
from pathlib import Path
from typing import NamedTuple

from speechbrain_moe import __version__
from speechbrain_moe.errors import PackageError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.building import build_encoder
from speechbrain_moe.inference.collected import check_version, read_sums
from speechbrain_moe.inference.file_hashes import (
    MANIFEST_FILE,
    hash_file,
    hash_files,
    names_in,
)
from speechbrain_moe.inference.graph_check import check_graph
from speechbrain_moe.inference.package import HPARAMS_FILE

CARD_FILE = "README.md"
FETCH_AGAIN = "export or fetch it again"
SIGN = (
    "if it belongs to the package as it is now, sign_package(folder) of "
    "speechbrain_moe.inference.manifest enters it"
)


class VerifiedPackage(NamedTuple):
    """What ``verify_package`` found to be right.

    Arguments
    ---------
    files : tuple of str
        Names of all files, manifest.json aside.
    n_bytes : int
        Their size.
    n_weights : int
        Numbers in the encoder, all finite.
    package_version : str
        Of speechbrain_moe, when it was exported.
    model_version : str
        Of the weights, as their maker counts.

    Example
    -------
    >>> VerifiedPackage(("README.md",), 120, 0, "0.1.0", "1").n_bytes
    120
    """

    files: tuple[str, ...]
    n_bytes: int
    n_weights: int
    package_version: str
    model_version: str


def write_manifest(folder, model_version, config, training):
    """Write manifest.json of a folder that is otherwise complete.

    Arguments
    ---------
    folder : str or Path
        The package.
    model_version : str
        Of the weights.
    config : dict
        Plain values of the graph.
    training : dict
        Where the weights come from: commit (None if unknown), checkpoint
        and what it says of itself.
    """
    content = {
        "package": "speechbrain-moe",
        "package_version": __version__,
        "model_version": model_version,
        "training": training,
        "config": config,
        "files": hash_files(folder),
    }
    write_content(folder, content)


def write_content(folder, content):
    """Write an object as manifest.json of a folder."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    write_whole(Path(folder) / MANIFEST_FILE, text)


def read_manifest(folder):
    """Read manifest.json of a package.

    Arguments
    ---------
    folder : str or Path
        The package.

    Returns
    -------
    dict
        What ``write_manifest`` wrote.

    Raises
    ------
    PackageError
        If there is none, as in packages of before there were manifests, or
        it is damaged.

    Example
    -------
    >>> read_manifest(getfixture("tmp_path"))
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: ...: no such file; ...
    """
    path = Path(folder) / MANIFEST_FILE
    if not path.is_file():
        raise PackageError(
            f"{path}: no such file; it is no package, or one of before there "
            "were manifests: export it again from its training"
        )
    content = read_sums(path)
    if not content["files"] or "model_version" not in content:
        raise PackageError(f"{path} names no files or version; {FETCH_AGAIN}")
    return content


def sign_package(folder):
    """Enter a package's files, as they are now, into its manifest.

    For a package of one's own whose card was edited, or to which an ONNX
    file was added.

    Arguments
    ---------
    folder : str or Path
        The package.

    Raises
    ------
    PackageError
        If it has no manifest, or a damaged one.

    Example
    -------
    >>> sign_package(getfixture("tmp_path"))
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: ...: no such file; ...
    """
    content = {**read_manifest(folder), "files": hash_files(folder)}
    write_content(folder, content)


def check_files(folder, exactly=True):
    """Refuse a folder whose files are not those of its manifest.

    Arguments
    ---------
    folder : str or Path
        The package.
    exactly : bool
        Whether the card must be the one exported, too, and no other file be
        there; neither is loaded.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    PackageError
        Names the first file that is missing, changed or surplus.
    """
    manifest = read_manifest(folder)
    wanted = manifest["files"]
    for name, said in wanted.items():
        if exactly or name != CARD_FILE:
            check_file(folder, name, hash_file(folder, name), said)
    for name in sorted({*names_in(folder)} - {*wanted}) if exactly else ():
        raise PackageError(
            f"{folder}/{name} is not in {MANIFEST_FILE}: take it away; {SIGN}"
        )
    return manifest


def check_file(folder, name, found, said):
    """Refuse a file that is not what a manifest says.

    Arguments
    ---------
    folder : str or Path
        The package, for the error.
    name : str
        The file there.
    found : dict or None
        Its hash and size; None where there is no file.
    said : dict
        What the manifest says of it.

    Raises
    ------
    PackageError
        Names the file.
    """
    if found is None:
        raise PackageError(f"{folder} holds no {name}; {FETCH_AGAIN}")
    if found != {key: said[key] for key in ("sha256", "size")}:
        mend = SIGN if name == CARD_FILE else FETCH_AGAIN
        raise PackageError(
            f"{folder}/{name} was changed: it has {found['size']} bytes, and "
            f"{MANIFEST_FILE} says {said['size']} of another hash; {mend}"
        )


def verify_package(folder, allow_code=False):
    """Check a package file by file, then load it.

    Arguments
    ---------
    folder : str or Path
        The package.
    allow_code : bool
        Whether its graph may name classes and functions of any kind, which
        then run with your rights.

    Returns
    -------
    VerifiedPackage
        What was checked.

    Raises
    ------
    PackageError
        If a file is missing, changed or surplus, the yaml would run code or
        cannot be built, or weights do not fit or are not finite; names file
        and mend.
    """
    if not Path(folder).is_dir():
        raise PackageError(f"{folder}: no such folder; give a package")
    manifest = check_files(folder)
    check_version(manifest, folder)
    if not allow_code:
        check_graph(Path(folder) / HPARAMS_FILE)
    encoder = build_encoder(folder)
    state = encoder.mods.embedding_model.state_dict()
    return VerifiedPackage(
        files=tuple(manifest["files"]),
        n_bytes=sum(file["size"] for file in manifest["files"].values()),
        n_weights=sum(weight.numel() for weight in state.values()),
        package_version=manifest["package_version"],
        model_version=manifest["model_version"],
    )
