"""The subcommands verify and route: what is heard in one or two files.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain_moe.cli.answer import Answer, say_left_out
from speechbrain_moe.cli.options import (
    add_command,
    add_decision,
    add_model,
    open_model,
)
from speechbrain_moe.cli.outputs import check_out, without

VERIFY = """\
verify a.wav b.wav
verify monday.wav tuesday.wav call.wav   # the last one against the others
verify a.wav b.wav --threshold far1 --json
verify a.wav b.wav --model user/name --revision v1"""
ROUTE = """\
route a.wav b.wav
route recordings/ --json
route recordings/ --out experts.jsonl    # thousands: goes on after a crash"""


def add_voice_commands(commands):
    """Declare verify and route.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands, "verify", verify, "say whether two voices are one", VERIFY
    )
    one.add_argument(
        "enrol", nargs="+", help="one or more recordings of a speaker"
    )
    one.add_argument("test", help="the recording to compare")
    add_decision(one)
    add_model(one)
    one = add_command(
        commands, "route", route, "say which experts decide", ROUTE
    )
    one.add_argument("files", nargs="+", help="files, folders, globs or lists")
    one.add_argument(
        "--out",
        help="file for a line of JSON on each; run it again after a crash, "
        "and it goes on",
    )
    add_model(one)


def verify(given):
    """Decide whether recordings are of one speaker.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        The decision and what it rests on.
    """
    decision = open_model(given).verify(
        given.enrol, given.test, given.threshold, given.prior, given.accept
    )
    return Answer(decision.to_dict(), decision_text(decision, given.threshold))


def decision_text(decision, threshold="eer"):
    """A decision in words.

    Arguments
    ---------
    decision : Decision
        What ``verify`` returned.
    threshold : str or float
        As it was asked for.

    Returns
    -------
    str
        The answer, then a line for each number there is.
    """
    lines = [answer_line(decision)]
    if decision.probability is not None:
        lines.append(f"  probability {decision.probability:7.4f}")
        lines.append(f"  llr         {decision.llr:7.3f}  natural log")
    if decision.score is not None:
        lines.append(f"  score       {decision.score:7.4f}  cosine")
    if decision.threshold is not None:
        name = f"  {threshold}" if isinstance(threshold, str) else ""
        lines.append(f"  threshold   {decision.threshold:7.4f}{name}")
    return "\n".join(lines)


def answer_line(decision):
    """Same speaker, different speakers, or why there is no decision."""
    if decision.same_speaker is None:
        return f"No decision: {decision.reason}"
    return "Same speaker" if decision.same_speaker else "Different speakers"


def route(given):
    """Tell the experts' weights and the quality of files.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        An entry for each file, and which could not be used; with out, how
        many and where.
    """
    from speechbrain_moe.inference.file_lists import list_files
    from speechbrain_moe.inference.heard_lines import hear_files

    names = given.files
    if given.out:
        check_out(given.out)
        names = without(names, given.out) if has_lines(given.out) else names
        check_out(given.out, *(name.removeprefix("@") for name in names))
    paths = list_files(names)
    voices, broken = hear_files(open_model(given), paths, given.out)
    say_left_out(broken)
    if given.out:
        content = {"out": given.out, "n_heard": len(voices)}
        text = f"{len(voices)} files heard, {given.out} written"
        return Answer({**content, "left_out": broken}, text)
    text = "\n".join(map(route_line, voices))
    return Answer({"files": voices, "left_out": broken}, text)


def has_lines(out):
    """Whether a file holds what route has written, or nothing yet."""
    from speechbrain_moe.inference.heard_lines import START

    if not Path(out).is_file():
        return False
    with Path(out).open("rb") as file:
        return START.encode().startswith(file.read(len(START)))


def route_line(voice):
    """A file with its experts' weights in percent, and its faults."""
    weights = voice["experts"]
    said = "  ".join(
        f"{expert}: {100 * weight:3.0f} %"
        for expert, weight in enumerate(weights or ())
    )
    faults = "; ".join(voice["faults"].values())
    return "  ".join(filter(None, (voice["path"], said, faults)))
