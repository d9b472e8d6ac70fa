"""The subcommand diarize: who spoke when.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import (
    add_command,
    add_model,
    open_model,
)
from speechbrain_moe.cli.outputs import check_out

DIARIZE = """\
diarize meeting.wav
diarize meeting.wav --n_speakers 3 --out meeting.rttm"""


def add_diarize_command(commands):
    """Declare the subcommand diarize.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands, "diarize", diarize, "tell who spoke when", DIARIZE
    )
    one.add_argument("file", help="a recording")
    one.add_argument(
        "--n_speakers", type=int, help="how many speak (default: found)"
    )
    one.add_argument("--out", help="RTTM file to write")
    add_model(one)


def diarize(given):
    """Tell who spoke when, and write it if asked.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        A line for each stretch of one speaker.
    """
    from speechbrain_moe.inference.diarization import diarize_file, write_rttm

    if given.out:
        check_out(given.out, given.file)
    segments = diarize_file(open_model(given), given.file, given.n_speakers)
    content = {
        "file": given.file,
        "n_speakers": len({segment.speaker for segment in segments}),
        "segments": [segment._asdict() for segment in segments],
    }
    if given.out:
        write_rttm(given.out, segments, given.file)
        content["out"] = given.out
    lines = [
        f"{start:8.2f} - {end:8.2f} s  {speaker}"
        for start, end, speaker in segments
    ]
    return Answer(content, "\n".join(lines))
