"""The command ``speechbrain-moe``: parse, call, print.

 * results go to stdout, errors and progress to stderr
 * exit status 0 when done, 2 when what was given cannot be used; a decision
   is never an exit status
 * each subcommand loads what it needs when it runs, so ``--help`` is quick

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys

from speechbrain_moe import __version__
from speechbrain_moe.cli.embedding import add_embed_command
from speechbrain_moe.cli.packages import add_package_commands
from speechbrain_moe.cli.routing import add_report_command
from speechbrain_moe.cli.voices import add_voice_commands
from speechbrain_moe.errors import InputError

EXAMPLES = """\
examples:
  speechbrain-moe verify a.wav b.wav
  speechbrain-moe embed recordings/ -o embeddings.npz

Each command has its own --help. Without --model the weights that come with
the package are used."""


def build_parser():
    """The argument parser.

    Returns
    -------
    argparse.ArgumentParser
        With all subcommands.
    """
    parser = argparse.ArgumentParser(
        prog="speechbrain-moe",
        description="Whose voice is it? Speaker recognition with mixtures "
        "of experts, for SpeechBrain.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_voice_commands(commands)
    add_embed_command(commands)
    add_report_command(commands)
    add_package_commands(commands)
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
        answer = given.run(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(answer.said(given.json))
    return answer.status
