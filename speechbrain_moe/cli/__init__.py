"""The command ``speechbrain-moe``: parse, call, print.

 * results go to stdout, errors and progress to stderr
 * exit status 0 when done, 2 when what was given cannot be used; a decision
   is never an exit status
 * each subcommand loads what it needs when it runs, so ``--help`` is quick

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import os
import sys

from speechbrain_moe import __version__
from speechbrain_moe.cli.conversations import add_diarize_command
from speechbrain_moe.cli.embedding import add_embed_command
from speechbrain_moe.cli.lists import add_list_commands
from speechbrain_moe.cli.machine import add_machine_commands
from speechbrain_moe.cli.packages import add_package_commands
from speechbrain_moe.cli.page import add_app_command
from speechbrain_moe.cli.people import add_people_commands
from speechbrain_moe.cli.routing import add_report_command
from speechbrain_moe.cli.voices import add_voice_commands
from speechbrain_moe.errors import InputError

INTERRUPTED = 130  # what shells expect after Ctrl-C
EXAMPLES = """\
examples:
  speechbrain-moe verify a.wav b.wav
  speechbrain-moe enroll Ann monday.wav tuesday.wav
  speechbrain-moe identify call.wav
  speechbrain-moe embed recordings/ -o embeddings.npz
  speechbrain-moe diarize meeting.wav

Each command has its own --help. Without --model the weights that come with
the package are used. Answers go to stdout, with --json as one object; errors
and progress go to stderr. The exit status is 0, or 2 where what was given
cannot be used; a decision does not change it."""


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
    for add in (
        add_voice_commands,
        add_people_commands,
        add_embed_command,
        add_list_commands,
        add_diarize_command,
        add_report_command,
        add_app_command,
        add_package_commands,
        add_machine_commands,
    ):
        add(commands)
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
        Exit status: 0, or 2 for input that cannot be used; 130 after
        Ctrl-C.

    Example
    -------
    >>> main(["verify", "a.wav", "b.wav", "--model", "nowhere"])
    2
    """
    if sys.stderr is None:  # closed by who called; print would use stdout
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    parser = build_parser()
    complete(parser)
    given = parser.parse_args(arguments)
    try:
        answer = given.run(given)
        say(answer.said(given.json))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a name too long
        print(f"error: {error}; mend that, and run it again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    return answer.status


def say(text):
    """Print an answer, for readers such as ``head`` too, which leave early.

    Arguments
    ---------
    text : str
        The answer.

    Example
    -------
    >>> say("Same speaker")
    Same speaker
    """
    if sys.stdout is None:  # closed by who called
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        # A terminal that lacks a letter of a name is shown its number
        print(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:  # nor may Python's last flush fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complete(parser):
    """Answer a shell that asks what could be typed, with argcomplete."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    argcomplete.autocomplete(parser)
