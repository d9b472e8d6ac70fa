"""The subcommands score and calibrate: what a list of trials says.

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
from pathlib import Path

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import (
    add_command,
    add_model,
    open_model,
    package_folder,
)
from speechbrain_moe.cli.outputs import check_out
from speechbrain_moe.errors import InputError

SCORE = """\
score trials.txt --audio recordings --out scores.txt
score pairs.txt --audio recordings       # lines: enrol test"""
CALIBRATE = """\
calibrate my_trials.txt --audio recordings --out my_package
calibrate my_trials.txt --audio recordings --out calibration.json"""


def add_list_commands(commands):
    """Declare score and calibrate.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(commands, "score", score, "score a list of trials", SCORE)
    add_list(one, "list with lines: label enrol test, or: enrol test")
    one.add_argument("--out", help="file for the scores")
    one = add_command(
        commands,
        "calibrate",
        calibrate,
        "learn thresholds and probabilities from your own recordings",
        CALIBRATE,
    )
    add_list(one, "list with lines: label enrol test; 1 is the same speaker")
    one.add_argument(
        "--out",
        required=True,
        help="folder for a calibrated copy of the package, or a file that "
        "ends in .json, for --calibration",
    )


def add_list(command, help):
    """Declare a list, its audio and the model."""
    command.add_argument("trials", help=help)
    command.add_argument(
        "--audio", default=".", help="folder the list's paths start from"
    )
    command.add_argument(
        "--batch_size", type=int, default=1, help="windows at a time"
    )
    add_model(command)


def score(given):
    """Score a list; where labels are known, tell the error rates.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        Error rates; the scores themselves where no file is asked for.
    """
    from speechbrain_moe.inference.list_embeddings import forget_parts
    from speechbrain_moe.scoring.pairs import (
        read_pairs,
        score_lines,
        write_score_lines,
    )

    out = given.out or unnamed_out(given)
    check_out(out, given.trials)
    if Path(out).exists():  # is it one of the recordings?
        trials, _ = read_pairs(given.trials)
        files = {*trials.enrol, *trials.test}
        check_out(out, *(Path(given.audio) / file for file in files))
    scored = scored_list(given, open_model(given), out)
    cosines = scored.steps["cosine"]
    content = {"list": given.trials, "n_trials": len(cosines)}
    lines = []
    if scored.labelled:
        content |= error_rates(scored.trials, cosines)
        lines.append(rates_text(content))
    rows = score_lines(scored.trials, scored.steps, scored.labelled)
    if given.out:
        write_score_lines(given.out, rows)
        content["out"] = given.out
        lines.append(f"{given.out} written")
    else:
        content |= {k: v.tolist() for k, v in scored.steps.items()}
        lines += [] if "eer" in content else rows
    forget_parts(out)
    return Answer(content, "\n".join(lines))


def unnamed_out(given):
    """Name for the parts of a run without --out, the same when run again.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand score.

    Returns
    -------
    str
        Distinct for each list, folder of audio and model.
    """
    paths = (given.trials, given.audio, given.model)
    told = [path and str(Path(path).resolve()) for path in paths]
    key = hashlib.sha256(repr([*told, given.revision]).encode()).hexdigest()
    return f"{Path(given.trials).name}.{key[:8]}.scores"


def scored_list(given, recognition, out):
    """Score the list that a command was given."""
    from speechbrain_moe.inference.list_scores import score_list

    return score_list(
        recognition, given.trials, given.audio, out, given.batch_size
    )


def error_rates(trials, cosines):
    """Error rates of a list, or why it has none.

    Arguments
    ---------
    trials : Trials
        With labels.
    cosines : np.ndarray
        One a trial.

    Returns
    -------
    dict
        As ``measure_any``; or no_rates, the reason, such as labels of one
        class.
    """
    from speechbrain_moe.scoring.error_rates import measure_any

    try:
        return measure_any(trials, cosines)
    except InputError as error:
        return {"no_rates": str(error)}


def rates_text(rates):
    """Error rates in words.

    Arguments
    ---------
    rates : dict
        What ``error_rates`` returned.

    Returns
    -------
    str
        A line for each rate; brackets hold 95 % intervals over speakers.
    """
    if "no_rates" in rates:
        return f"# no error rates: {rates['no_rates']}"
    names = {"eer": ("EER", " %"), "min_dcf_0.01": ("minDCF(0.01)", "")}
    names["min_dcf_0.05"] = ("minDCF(0.05)", "")
    about = f"{rates['n_trials']} trials, {rates['n_target']} of one speaker"
    if "n_speakers" in rates:
        about += f", between {rates['n_speakers']} speakers"
    lines = [about]
    for key, (name, unit) in names.items():
        digits = 2 if unit else 3
        line = f"  {name:12} {rates[key]:.{digits}f}{unit}"
        if f"{key}_interval" in rates:
            ends = (f"{x:.{digits}f}" for x in rates[f"{key}_interval"])
            line += f" [{', '.join(ends)}]"
        lines.append(line)
    if "no_interval" in rates:
        lines.append(f"  no intervals over speakers: {rates['no_interval']}")
    return "\n".join(lines)


def calibrate(given):
    """Learn a calibration, and write it or a calibrated package.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        The thresholds.
    """
    from speechbrain_moe.inference import recalibration
    from speechbrain_moe.inference.building import is_package
    from speechbrain_moe.inference.list_embeddings import forget_parts
    from speechbrain_moe.scoring.pairs import read_pairs

    trials, labelled = read_pairs(given.trials)
    if not labelled:
        raise InputError(
            f"{given.trials} has no labels; give lines 'label enrol test'"
        )
    if len({*trials.labels.tolist()}) < 2:
        raise InputError(
            f"{given.trials} has labels of one kind alone; give trials of "
            "one speaker (1) and of two (0)"
        )
    package = None
    if given.out.endswith(".json"):
        check_out(given.out, given.trials)
        if is_package(Path(given.out).parent):
            raise InputError(
                f"{given.out} is within a package, whose files may not change: "
                "give a folder for a calibrated copy, or another place"
            )
    else:
        package = package_folder(given)
        recalibration.check_copy(package, given.out)
    recognition = open_model(given)
    scored = scored_list(given, recognition, given.out)
    content = recalibration.learn_calibration(
        scored.trials,
        scored.steps["cosine"],
        recognition.model_key(),
        Path(given.trials).name,
    )
    if package is None:
        recalibration.write_calibration(given.out, content)
    else:
        recalibration.copy_calibrated(package, given.out, content)
    forget_parts(given.out)
    said = {"out": given.out, "thresholds": content["thresholds"]["cosine"]}
    said |= {
        key: content[key] for key in ("n_trials", "n_target", "llr_reason")
    }
    return Answer(said, calibration_text(said))


def calibration_text(said):
    """What was learnt, in words.

    Arguments
    ---------
    said : dict
        With n_trials, n_target, llr_reason, thresholds and out.

    Returns
    -------
    str
        A line for each threshold.
    """
    lines = [
        f"learnt from {said['n_trials']} trials, {said['n_target']} of one "
        "speaker"
    ]
    if said["llr_reason"]:
        lines.append(f"  {'llr':8} refused: {said['llr_reason']}")
    for name, threshold in said["thresholds"].items():
        value = threshold["value"]
        words = f"refused: {threshold['reason']}"
        lines.append(f"  {name:8} {words if value is None else f'{value:.4f}'}")
    return "\n".join([*lines, f"{said['out']} written"])
