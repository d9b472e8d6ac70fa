"""The command ``speechbrain-moe``: parse, call, print.

 * results go to stdout, errors to stderr
 * exit status 0 when done, 2 when what was given cannot be used; a decision
   is never an exit status

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import sys
from pathlib import Path

from speechbrain_moe import __version__
from speechbrain_moe.errors import InputError


def verify(given):
    """Cosine score of two files, as a dict."""
    from speechbrain_moe.inference.export import load_encoder
    from speechbrain_moe.inference.extract import embed_file

    encoder = load_encoder(given.model, given.device)
    enrol, test = (
        embed_file(encoder.encode_batch, path, encoder.hparams.sample_rate)
        for path in (given.enrol, given.test)
    )
    # Of unit length, so the product is the cosine
    return {"enrol": given.enrol, "test": given.test, "score": enrol @ test}


def export(given):
    """Folder that the best checkpoint was written to, as a dict."""
    from speechbrain_moe.inference.about import read_about
    from speechbrain_moe.inference.export import export_package

    about = read_about(given.about) if given.about else None
    package = export_package(
        given.training, given.package, about, given.examples
    )
    return {"package": str(package)}


def verify_package(given):
    """What was checked of a package, as a dict."""
    from speechbrain_moe.inference import manifest

    return manifest.verify_package(given.package, given.allow_code)._asdict()


def push(given):
    """Where a package stands on the Hub now, as a dict."""
    from speechbrain_moe.inference import hub

    return hub.push(
        given.package, given.repo_id, given.private, given.message, given.tag
    )._asdict()


def pull(given):
    """Folder that a package was downloaded to, as a dict."""
    from speechbrain_moe.inference import hub

    package = hub.pull(
        given.repo_id,
        given.package,
        given.revision,
        allow_code=given.allow_code,
    )
    return {"package": str(package)}


def onnx(given):
    """The ONNX file that was written, as a dict."""
    from speechbrain_moe.inference.onnx_export import export_onnx

    written = export_onnx(given.model, given.file)
    return {**written._asdict(), "path": str(written.path)}


def report(given):
    """Files of the routing report that was written, as a dict."""
    from speechbrain_moe.inference.export import load_encoder
    from speechbrain_moe.inference.routing import (
        collect_routing,
        write_routing,
    )
    from speechbrain_moe.report.routing_facts import (
        check_plots,
        read_routing,
        routing_facts,
    )
    from speechbrain_moe.report.routing_page import write_report

    check_plots()
    trials, paths, table = checked_list(given)
    encoder = load_encoder(given.model, given.device)
    arrays = Path(given.out) / "routing.npz"
    write_routing(arrays, collect_routing(encoder, paths, given.audio))
    facts = routing_facts(
        read_routing(arrays), trials, table, given.columns, given.seed
    )
    facts["about"].update(model=given.model, trials=given.trials)
    written = write_report(facts, given.out)
    return {
        **written,
        "arrays": str(arrays),
        "eer": facts["errors"]["whole"]["estimate"],
    }


def checked_list(given):
    """Trials, their files and the table, checked before anything runs.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand report.

    Returns
    -------
    trials : Trials
        Those between at most max_files files.
    paths : list of str
        Distinct files of the trials.
    table : pandas.DataFrame or None
        The metadata.

    Raises
    ------
    InputError
        If a file is missing, the list and the table do not fit each other,
        a column is asked for that is not there, or seed or out cannot be
        used.
    """
    from speechbrain_moe.report.routing_attributes import (
        join_metadata,
        read_metadata,
    )
    from speechbrain_moe.report.routing_facts import trials_within
    from speechbrain_moe.scoring.speakers import check_labels
    from speechbrain_moe.scoring.trials import check_trial_files, read_trials

    if given.seed < 0:
        raise InputError(f"--seed is {given.seed}; give 0 or more")
    if Path(given.out).is_file():
        raise InputError(f"--out {given.out} is a file; give a folder")
    if given.columns and not given.metadata:
        raise InputError("--columns are those of a table; give --metadata too")
    trials = read_trials(given.trials)
    if given.max_files is not None:
        trials = trials_within(trials, given.max_files, given.seed)
    check_labels(trials)
    check_trial_files(trials, given.audio, "--audio")
    paths = list(dict.fromkeys([*trials.enrol, *trials.test]))
    table = None
    if given.metadata:
        table = read_metadata(given.metadata, given.columns)
        join_metadata(paths, table)
    return trials, paths, table


def build_parser():
    """The argument parser.

    Returns
    -------
    argparse.ArgumentParser
        With a subcommand for each function above.
    """
    parser = argparse.ArgumentParser(
        prog="speechbrain-moe",
        description="Mixture-of-Experts speaker encoders for SpeechBrain.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("verify", help="score two files by cosine")
    one.add_argument("enrol", help="audio file, 16 kHz")
    one.add_argument("test", help="audio file, 16 kHz")
    one.add_argument(
        "--model", required=True, help="package or training folder"
    )
    one.add_argument("--device", default="cpu", help="such as cpu or cuda:0")
    one.set_defaults(run=verify)
    add_package_commands(commands)
    one = commands.add_parser("report", help="show what goes to which expert")
    add_report_arguments(one)
    one.set_defaults(run=report)

    for command in commands.choices.values():
        command.add_argument(
            "--json", action="store_true", help="print one JSON object"
        )
    return parser


def add_package_commands(commands):
    """Declare export, verify-package, push, pull and onnx.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = commands.add_parser("export", help="make a package of a training")
    one.add_argument("training", help="output_folder of a training")
    one.add_argument("package", help="folder to write")
    one.add_argument("--about", help="yaml with title, license .. for the card")
    one.add_argument(
        "--examples", nargs="+", default=(), help="recordings to take along"
    )
    one.set_defaults(run=export)

    one = commands.add_parser("verify-package", help="check a package's files")
    one.add_argument("package", help="folder of a package")
    add_allow_code(one)
    one.set_defaults(run=verify_package)

    one = commands.add_parser("push", help="upload a package to the Hub")
    one.add_argument("package", help="folder of a package")
    one.add_argument("repo_id", help="such as user/name")
    one.add_argument("--private", action="store_true", help="if it is made")
    one.add_argument("--message", default="Upload speaker encoder")
    one.add_argument("--tag", help="name for this revision")
    one.set_defaults(run=push)

    one = commands.add_parser("pull", help="download a package from the Hub")
    one.add_argument("repo_id", help="such as user/name")
    one.add_argument("package", help="folder to write")
    one.add_argument("--revision", help="commit, tag or branch")
    add_allow_code(one)
    one.set_defaults(run=pull)

    one = commands.add_parser("onnx", help="one file that runs without torch")
    one.add_argument("model", help="package or training folder")
    one.add_argument("file", help="file to write, ending in .onnx")
    one.set_defaults(run=onnx)


def add_allow_code(command):
    """Declare the flag that trusts a package's yaml."""
    command.add_argument(
        "--allow_code",
        action="store_true",
        help="its yaml may run any code: for people you trust",
    )


def add_report_arguments(command):
    """Declare the arguments of the subcommand report.

    Arguments
    ---------
    command : argparse.ArgumentParser
        The subcommand's parser, changed in place.
    """
    add = command.add_argument
    add("model", help="package or training folder")
    add("--trials", required=True, help="list with lines: label enrol test")
    add("--audio", required=True, help="folder the list's paths start from")
    add("--out", required=True, help="folder to write")
    add("--metadata", help="CSV with path or spk_id; gender and age are shown")
    add("--columns", nargs="+", default=(), help="more columns to show")
    add("--max_files", type=int, help="files at most, drawn by the seed")
    add("--seed", type=int, default=0, help="of resamples and permutations")
    add("--device", default="cpu", help="such as cpu or cuda:0")


def main(arguments=None):
    """Run a command.

    Arguments
    ---------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 for input that cannot be used.

    Example
    -------
    >>> main(["verify", "a.wav", "b.wav", "--model", "nowhere"])
    2
    """
    given = build_parser().parse_args(arguments)
    try:
        result = given.run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{key}: {value}" for key, value in result.items()))
    return 0
