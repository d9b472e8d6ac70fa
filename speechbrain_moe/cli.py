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
    # Unit length is the encoder's contract, so the cosine is the product.
    return {"enrol": given.enrol, "test": given.test, "score": enrol @ test}


def export(given):
    """Folder that the best checkpoint was written to, as a dict."""
    from speechbrain_moe.inference.export import export_package

    package = export_package(given.training, given.package)
    return {"package": str(package)}


def build_parser():
    """The argument parser.

    Returns
    -------
    argparse.ArgumentParser
        With the subcommands verify and export.
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

    one = commands.add_parser("export", help="make a package of a training")
    one.add_argument("training", help="output_folder of a training")
    one.add_argument("package", help="folder to write")
    one.set_defaults(run=export)

    for command in commands.choices.values():
        command.add_argument(
            "--json", action="store_true", help="print one JSON object"
        )
    return parser


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
