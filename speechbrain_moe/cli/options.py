"""Options that several commands share, and what they lead to.

 * a subcommand is declared with its help and examples in one call
 * the model is the one that ships with the package unless one is named

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
from pathlib import Path

from speechbrain_moe.errors import InputError, PackageError


def add_command(commands, name, run, help, examples):
    """Declare a subcommand.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    name : str
        Of the subcommand.
    run : callable
        From the parsed arguments to an Answer.
    help : str
        One line.
    examples : str
        Lines of arguments, for the end of ``--help``.

    Returns
    -------
    argparse.ArgumentParser
        Of the subcommand, with ``--json``.
    """
    # What begins with a space goes on from the line before
    lines = [
        line if line.startswith(" ") else f"  speechbrain-moe {line}"
        for line in examples.splitlines()
    ]
    command = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog="\n".join(["examples:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--json", action="store_true", help="print one JSON object"
    )
    return command


class Faults:
    """Names of the faults, loaded when one is given or help is asked for.

    Example
    -------
    >>> "silent" in Faults(), "unknown" in Faults()
    (True, False)
    """

    def __iter__(self):
        from speechbrain_moe.inference.quality import FAULTS

        return iter(FAULTS)


def add_model(command, calibration=True):
    """Declare which model, where it runs, and what it may do.

    Arguments
    ---------
    command : argparse.ArgumentParser
        Changed in place.
    calibration : bool
        Whether another calibration than the package's can be given.
    """
    group = command.add_argument_group("model")
    add = group.add_argument
    add(
        "--model",
        help="folder of a package or training, name of shipped weights, or "
        "Hub id as user/name (default: the shipped weights)",
    )
    add_revision(group)
    if calibration:
        add("--calibration", help="calibration.json to use instead")
    add("--device", default="cpu", help="such as cpu (default) or cuda:0")
    add_allow_code(group)


def add_allow_code(command):
    """Declare the flag that trusts a model's yaml."""
    command.add_argument(
        "--allow_code",
        action="store_true",
        help="the model's yaml may run any code: for people you trust",
    )


def add_decision(command, prior="probability of the same speaker"):
    """Declare how to decide.

    Arguments
    ---------
    command : argparse.ArgumentParser
        Changed in place.
    prior : str
        Of what the prior is the probability.
    """
    add = command.add_argument
    add(
        "--threshold",
        type=name_or_number,
        default="eer",
        help="eer (default), far1, far0.1, or a cosine",
    )
    add(
        "--prior",
        type=float,
        default=0.5,
        help=f"{prior}, before hearing anything (default 0.5)",
    )
    add_accept(command)


def add_accept(command):
    """Declare faults of recordings that do not matter."""
    command.add_argument(
        "--accept",
        action="append",
        choices=Faults(),
        metavar="FAULT",
        default=[],
        help="a fault to overlook: %(choices)s; may be given several times",
    )


def name_or_number(text):
    """A threshold as it was meant.

    Arguments
    ---------
    text : str
        A name, or a number.

    Returns
    -------
    str or float
        The number where it is one.

    Example
    -------
    >>> name_or_number("far1"), name_or_number("0.4")
    ('far1', 0.4)
    """
    try:
        return float(text)
    except ValueError:
        return text


def open_model(given):
    """The model that a command was given.

    Arguments
    ---------
    given : argparse.Namespace
        With what ``add_model`` declares.

    Returns
    -------
    MoESpeakerRecognition
        With the calibration that was given, if one was.

    Raises
    ------
    InputError
        If model, calibration or device cannot be used.
    """
    from speechbrain_moe.inference.shipped import open_recognition

    if given.calibration and not Path(given.calibration).is_file():
        raise InputError(
            f"{given.calibration}: no such file; correct --calibration"
        )
    recognition = open_recognition(
        given.model, given.revision, given.device, given.allow_code
    )
    if given.calibration:
        recognition.read_calibration(given.calibration)
    return recognition


def add_revision(command):
    """Declare which revision of a Hub id."""
    command.add_argument(
        "--revision", help="of a Hub id: branch, tag or commit"
    )


def model_folder(given):
    """Folder of the model that a command was given.

    Arguments
    ---------
    given : argparse.Namespace
        With model and revision.

    Returns
    -------
    Path
        A package or a training; of a Hub id, which must be a package, the
        folder in huggingface_hub's cache.

    Raises
    ------
    PackageError
        If it is not there, or a revision is given of a folder.
    """
    from speechbrain_moe.inference.building import is_package
    from speechbrain_moe.inference.loading import (
        check_source,
        refuse_for_folder,
    )
    from speechbrain_moe.inference.shipped import find_model
    from speechbrain_moe.inference.snapshot import fetch_snapshot

    place = find_model(given.model)
    if isinstance(place, str):
        check_source(place)
        folder = fetch_snapshot(place, given.revision)
        if not is_package(folder):
            raise PackageError(f"{place} is no package; give the id of one")
        return folder
    refuse_for_folder(place, revision=given.revision)
    return place


def package_folder(given):
    """Folder of the package that a command was given.

    Arguments
    ---------
    given : argparse.Namespace
        With model and revision.

    Returns
    -------
    Path
        As of ``model_folder``.

    Raises
    ------
    PackageError
        If it is not there, or a training.
    """
    from speechbrain_moe.inference.building import is_package

    place = model_folder(given)
    if not is_package(place):
        raise PackageError(
            f"{place} is no package; give one, or export this training first"
        )
    return place
