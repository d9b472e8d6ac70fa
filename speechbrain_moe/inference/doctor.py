"""What is installed, which devices there are, and whether a model is well.

 * versions and extras are checked against what this package asks for
 * a model is well when its files are those of its manifest, it loads, and
   it scores its example recordings as it did when it was exported

Authors
 * The speechbrain_moe developers 2026
"""

import platform
from importlib import metadata

import torch
from packaging.requirements import Requirement

from speechbrain_moe import __version__
from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.golden import check_golden
from speechbrain_moe.inference.loading import check_package, check_source
from speechbrain_moe.inference.manifest import check_files
from speechbrain_moe.inference.shipped import (
    find_model,
    is_training,
    open_recognition,
)
from speechbrain_moe.inference.snapshot import fetch_snapshot

NAME = "speechbrain-moe"


def examine(model=None, device="cpu", revision=None, allow_code=False):
    """Look at the installation and at a model.

    Arguments
    ---------
    model : str or Path, optional
        As for ``open_recognition``; by default the shipped weights.
    device : str
        Where to run it.
    revision : str, optional
        Of a Hub id.
    allow_code : bool
        Whether the model's yaml may run any code.

    Returns
    -------
    dict
        versions, devices, extras (what each lacks), model, and problems: a
        list of sentences, empty when all is well.
    """
    versions, problems = installed_versions()
    found, ill = examine_model(model, device, revision, allow_code)
    return {
        "versions": versions,
        "devices": devices(),
        "extras": missing_of_extras(),
        "model": found,
        "problems": problems + ill,
    }


def installed_versions():
    """Versions of what the package needs, and what is wrong with them.

    Returns
    -------
    dict of str
        Version by name, Python and the package first.
    list of str
        Sentences.
    """
    found = {"python": platform.python_version(), NAME: __version__}
    wrong = []
    for wanted in requirements():
        if wanted.marker is not None:
            continue
        found[wanted.name] = version_of(wanted.name)
        if not is_met(wanted):
            wrong.append(
                f"{wanted} is wanted, {found[wanted.name] or 'none'} "
                f'installed: pip install "{wanted}"'
            )
    return found, wrong


def missing_of_extras():
    """What each extra of the package lacks here.

    Returns
    -------
    dict of list of str
        By extra; an empty list is an extra that is installed.
    """
    return {extra: sorted(missing_of({extra})) for extra in extras()}


def missing_of(names):
    """What extras lack here, with those that they are made of.

    Arguments
    ---------
    names : set of str
        The extras.

    Returns
    -------
    set of str
        Names of packages.
    """
    missing = set()
    for wanted in requirements():
        marker = wanted.marker
        if marker is None or not any(
            marker.evaluate({"extra": name}) for name in names
        ):
            continue
        if wanted.name == NAME:
            missing |= missing_of(wanted.extras)
        elif not is_met(wanted):
            missing.add(wanted.name)
    return missing


def requirements():
    """What the installed package asks for."""
    try:
        lines = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # a checkout on the path
        lines = []
    return [Requirement(line) for line in lines]


def extras():
    """Names of the extras of the installed package."""
    try:
        return metadata.metadata(NAME).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []


def version_of(name):
    """Version of an installed package, None if there is none.

    Example
    -------
    >>> version_of("nowhere-to-be-found") is None
    True
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def is_met(wanted):
    """Whether a requirement is installed in a version it allows.

    Example
    -------
    >>> is_met(Requirement("torch<1")), is_met(Requirement("nowhere-at-all"))
    (False, False)
    """
    version = version_of(wanted.name)
    return version is not None and wanted.specifier.contains(
        version, prereleases=True
    )


def devices():
    """Names of the devices that models can run on.

    Returns
    -------
    dict of str
        By what ``--device`` takes.
    """
    n_threads = torch.get_num_threads()
    found = {"cpu": f"{platform.machine()}, {n_threads} threads"}
    for number in range(torch.cuda.device_count()):
        found[f"cuda:{number}"] = torch.cuda.get_device_name(number)
    return found


def examine_model(model, device, revision=None, allow_code=False):
    """Check a model's files and what it gives.

    Arguments
    ---------
    model, device, revision, allow_code
        As for ``examine``.

    Returns
    -------
    dict
        place, and as far as it came: n_files, calibrated, golden.
    list of str
        What is wrong, a sentence or none.
    """
    found = {"place": str(model)}
    try:
        place = find_model(model)
        found["place"] = str(place)
        if isinstance(place, str):
            check_source(place)
            place, revision = fetch_snapshot(place, revision), None
            check_package(place, allow_code)
        if not is_training(place):
            found["n_files"] = len(check_files(place)["files"])
        recognition = open_recognition(place, revision, device, allow_code)
        found["calibrated"] = recognition.learnt.calibration is not None
        found["golden"] = check_golden(recognition, place)
    except InputError as error:
        return found, [str(error)]
    return found, []
