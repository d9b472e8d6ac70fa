"""What is heard in files by the thousand, a line of JSON for each.

 * a line is kept as soon as it is known, so a run that was broken off goes
   on; a line that a crash cut is taken away, and its file heard again
 * lines name their model: those of another are never mixed in

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
    model = recognition.model_key()
    found = {} if out is None else read_lines(out, model)
    left, broken = [path for path in paths if path not in found], {}
    with nullcontext() if out is None else open_lines(out) as file:
        for path in tqdm(left, desc="listening", unit="file", disable=None):
            try:
                found[path] = voice_dict(recognition.describe(path))
            except AudioError as error:
                if len(broken) == len(paths) - 1:
                    raise
                broken[path] = str(error).removeprefix(f"{path}: ")
                continue
            if file is not None:
                line = json.dumps({**found[path], "model": model})
                file.write(f"{line}\n")
                file.flush()
    return [found[path] for path in paths if path in found], broken


def open_lines(out):
    """The file, to go on writing."""
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    return Path(out).open("a", encoding="utf-8")


def read_lines(out, model):
    """What is known of files from an earlier run; what is cut is removed.

    Arguments
    ---------
    out : str or Path
        The file of lines; it need not be there.
    model : str
        ``model_key`` of the model that goes on.

    Returns
    -------
    dict of dict
        ``voice_dict`` by path.

    Raises
    ------
    InputError
        If a line is of another kind, or of another model.
    """
    if not Path(out).is_file():
        return {}
    text = Path(out).read_text(encoding="utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    rows = [read_line(out, *line) for line in enumerate(whole.splitlines(), 1)]
    if any(row.pop("model") != model for row in rows):
        raise InputError(
            f"{out} holds lines of another model: give another file, or "
            "remove it"
        )
    if whole != text:
        write_whole(out, whole)
    return {row["path"]: row for row in rows}


def read_line(out, number, line):
    """One line as a dict with path and model."""
    try:
        row = json.loads(line)
        return {**row, "path": row["path"], "model": row["model"]}
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{out}: line {number} is none that route has written: give "
            "another file"
        ) from error
