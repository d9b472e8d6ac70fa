"""What is heard in files by the thousand, a line of JSON for each.

 * a line is kept as soon as it is known, so a run that was broken off goes
   on; a line that a crash cut is taken away, and its file heard again
 * lines name their model: those of another are never mixed in; a file that
   has changed since is heard again

Authors
 * The speechbrain_moe developers 2026
"""

import json
from contextlib import nullcontext
from pathlib import Path

from tqdm import tqdm

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.decisions import voice_dict
from speechbrain_moe.inference.embedding_shards import stamp

START = '{"path": '  # of each line


def hear_files(recognition, paths, out=None):
    """Quality and experts of files, going on where a run was broken off.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        The model.
    paths : list of str
        Distinct files.
    out : str or Path, optional
        File of lines to keep and to go on from.

    Returns
    -------
    list of dict
        ``voice_dict`` of each file that can be used, in the order of paths.
    dict of str
        Reason by path, of the others.

    Raises
    ------
    AudioError
        If no file can be used.
    InputError
        If out holds something else, or lines of another model.
    """
    model, found = None, {}
    if out is not None:
        model = recognition.model_key()
        found = read_lines(out, model, {*paths})
    left, broken = [path for path in paths if path not in found], {}
    with nullcontext() if out is None else open_lines(out) as file:
        for path in tqdm(left, desc="listening", unit="file", disable=None):
            seen = stamp(path)  # before it is read
            try:
                found[path] = voice_dict(recognition.describe(path))
            except AudioError as error:
                if len(broken) == len(paths) - 1:
                    raise
                broken[path] = str(error).removeprefix(f"{path}: ")
                continue
            if file is not None:
                line = {**found[path], "stamp": seen, "model": model}
                file.write(f"{json.dumps(line)}\n")
                file.flush()
    return [found[path] for path in paths if path in found], broken


def open_lines(out):
    """The file, to go on writing."""
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    return Path(out).open("a", encoding="utf-8")


def read_lines(out, model, paths):
    """What is known of files from an earlier run, and still true.

    Arguments
    ---------
    out : str or Path
        The file of lines; it need not be there. A line that was cut is taken
        out of it, and those of files to hear that have changed.
    model : str
        ``model_key`` of the model that goes on.
    paths : set of str
        Files to hear.

    Returns
    -------
    dict of dict
        ``voice_dict`` by path.

    Raises
    ------
    InputError
        If a line is of another kind, or of another model; the file stays.
    """
    if not Path(out).is_file():
        return {}
    text = Path(out).read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        check_cut(out, lines.pop())
    rows = [read_line(out, *line) for line in enumerate(lines, 1)]
    if any(row.pop("model") != model for row in rows):
        raise InputError(
            f"{out} holds lines of another model: give another file, or "
            "remove it"
        )
    found, kept = {}, ""
    for line, row in zip(lines, rows):
        fresh = is_fresh(row)
        if fresh:
            found[row["path"]] = row
        if fresh or row["path"] not in paths:
            kept += line
    if kept != text:
        write_whole(out, kept)
    return found


def is_fresh(row):
    """Whether a line is of the file as it is now; takes off its stamp."""
    return row.pop("stamp") == [*stamp(row["path"])]


def check_cut(out, line):
    """Refuse a last line without an end that is not the start of ours."""
    if not (line.startswith(START) or START.startswith(line)):
        refuse_line(out, "the last line")


def read_line(out, number, line):
    """One line as a dict with path, stamp and model."""
    try:
        row = json.loads(line)
        return {**row, **{key: row[key] for key in ("path", "stamp", "model")}}
    except (ValueError, TypeError, KeyError):
        refuse_line(out, f"line {number}")


def refuse_line(out, what):
    """Raise the error that names a line of another kind."""
    raise InputError(
        f"{out}: {what} is none that route has written: give another file"
    )
