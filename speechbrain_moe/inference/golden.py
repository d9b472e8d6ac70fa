"""Scores of a package's own recordings, as they were when it was exported.

 * golden.json holds the cosine of every pair of example recordings
 * another result on another machine means that weights, features or a
   library there do something else than they did

Authors
 * The speechbrain_moe developers 2026
"""

import itertools
import json
from pathlib import Path

from speechbrain_moe.errors import PackageError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.voices import describe_voices

GOLDEN_FILE = "golden.json"
TOLERANCE = 1e-3  # of a cosine; other processors round otherwise


def example_scores(recognition, folder, names):
    """Cosine of every pair of recordings.

    Arguments
    ---------
    recognition : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    folder : str or Path
        Where they are.
    names : sequence of str
        The recordings.

    Returns
    -------
    list of dict
        enrol, test and score of each pair.

    Raises
    ------
    AudioError
        If a recording cannot be read.
    PackageError
        If one has no embedding, such as silence.
    """
    files = [Path(folder) / name for name in names]
    voices = describe_voices(recognition, files)
    for name, voice in zip(names, voices):
        if voice.embedding is None:
            raise PackageError(
                f"{name}: {'; '.join(voice.faults.values())}; give "
                "another example"
            )
    pairs = itertools.combinations(zip(names, voices), 2)
    return [
        {
            "enrol": enrol,
            "test": test,
            "score": round(float(one.embedding @ other.embedding), 6),
        }
        for (enrol, one), (test, other) in pairs
    ]


def write_golden(recognition, folder, names):
    """Write golden.json of a package with two or more recordings.

    Arguments
    ---------
    recognition : SpeakerRecognition
        The model.
    folder : str or Path
        The package.
    names : sequence of str
        Its example recordings; of fewer than two nothing is written.
    """
    if len(names) > 1:
        scores = example_scores(recognition, folder, names)
        text = json.dumps({"scores": scores}, indent=2) + "\n"
        write_whole(Path(folder) / GOLDEN_FILE, text)


def check_golden(recognition, folder):
    """Compare a model's scores with those of golden.json.

    Arguments
    ---------
    recognition : SpeakerRecognition
        The model, as it was loaded here.
    folder : str or Path
        Its package.

    Returns
    -------
    list of dict or None
        enrol, test and score of each pair, as they are here; None where the
        package has no golden.json.

    Raises
    ------
    PackageError
        If the file is damaged, or a score differs.

    Example
    -------
    >>> check_golden(None, "nowhere") is None
    True
    """
    path = Path(folder) / GOLDEN_FILE
    if not path.is_file():
        return None
    try:
        wanted = json.loads(path.read_text(encoding="utf-8"))["scores"]
        names = [f"{row[s]}" for row in wanted for s in ("enrol", "test")]
        scores = {(r["enrol"], r["test"]): float(r["score"]) for r in wanted}
    except (ValueError, KeyError, TypeError) as error:
        raise PackageError(
            f"{path} is damaged ({error!r}); fetch the package again"
        ) from error
    found = example_scores(recognition, folder, [*dict.fromkeys(names)])
    for row in found:
        golden = scores.get((row["enrol"], row["test"]))
        # So asked, NaN is another score too
        if golden is not None and not abs(row["score"] - golden) <= TOLERANCE:
            raise PackageError(
                f"{folder}: {row['enrol']} and {row['test']} score "
                f"{row['score']:.4f} here, {golden:.4f} when it was "
                "exported: compare the versions of torch and speechbrain "
                "with those of another machine"
            )
    return found
