"""What verify.py writes into a list's folder.

 * scores.txt: label, enrol, test, then a score for each step, which a
   comment in the first line names where there are several
 * metrics.json: error rates of the raw cosine, then of all steps
 * dev_scores.txt: the same of the trials that were learnt from
 * each file is written whole or not at all

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import json
import logging
import subprocess
from pathlib import Path

import torch
from scoring_files import DEV_SCORES, write_learnt
from step_metrics import STEPS, measure_steps
from trial_subgroups import file_values, subgroup_tables, write_subgroups

from speechbrain_moe import __version__
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.cost import count_cost, frames_of
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.file_hashes import sha256_of
from speechbrain_moe.report.det import plot_det
from speechbrain_moe.scoring.histogram import count_scores
from speechbrain_moe.scoring.metrics import det_curve
from speechbrain_moe.scoring.pairs import score_lines, write_score_lines

logger = logging.getLogger(__name__)


def write_results(out_folder, trials, steps, metrics):
    """Write scores.txt, metrics.json and det.png.

    Arguments
    ---------
    out_folder : Path
        Made if need be.
    trials : Trials
        What was compared.
    steps : dict of np.ndarray
        Scores by step, the cosine first.
    metrics : dict
        What to put into metrics.json.
    """
    lines = score_lines(trials, steps, labelled=True)
    write_score_lines(out_folder / "scores.txt", lines)
    text = json.dumps(metrics, indent=2) + "\n"
    write_whole(out_folder / "metrics.json", text)
    curves = {
        STEPS[step]: det_curve(trials.labels, scores)
        for step, scores in steps.items()
        if step not in ("llr", "llr_cosine")  # the curve of another step
    }
    if len(steps) == 1:
        curves = {metrics["encoder"]: curves["cosine"]}
    try:
        plot_det(curves, out_folder / "det.png")
    except ImportError as error:
        logger.warning("no det.png: %s", error)


def write_chain(out_folder, trials, scored, metadata=None, columns=()):
    """Write calibration.json and the subgroups; tell the error rates.

    Arguments
    ---------
    out_folder : Path
        Made if need be.
    trials : Trials
        What was compared.
    scored : Scored
        What the chain made of it.
    metadata : str, optional
        csv with path or spk_id, for subgroups.
    columns : sequence of str
        Its columns to show.

    Returns
    -------
    dict
        For metrics.json: error rates of the cosine, then of all steps, gaps
        between subgroups, and what was learnt from.
    """
    write_learnt(out_folder / "calibration.json", scored)
    if scored.dev is None:  # what an earlier call learnt from is gone
        (out_folder / DEV_SCORES).unlink(missing_ok=True)
    else:
        lines = score_lines(*scored.dev, labelled=True)
        write_score_lines(out_folder / DEV_SCORES, lines)
    thresholds = scored.learnt.thresholds
    steps = measure_steps(trials, scored.steps, thresholds)
    last = [*steps][-1]
    found = thresholds.get(last, {}).get("eer", {}).get("value")
    values = file_values(scored.found, metadata, columns)
    tables = subgroup_tables(trials, scored.steps[last], values, found)
    origin = "this list, which flatters" if found is None else "dev speakers"
    said = f"step {STEPS[last]}, one threshold, at the EER of {origin}"
    write_subgroups(out_folder, tables, said)
    cosine = {k: v for k, v in steps["cosine"].items() if k != "thresholds"}
    counts = count_scores(trials.labels, scored.steps["cosine"])
    steps["cosine"]["histogram"] = counts  # the page draws it
    n_cohort = 0 if scored.cohort is None else len(scored.cohort.speakers)
    return {
        **cosine,
        "steps": steps,
        "subgroup_gaps": {k: t.gap._asdict() for k, t in tables.items()},
        "n_cohort_speakers": n_cohort,
        "learnt_from": scored.learnt.about,
    }


def describe(encoder, source):
    """What was scored: size, work and origin of the encoder.

    Arguments
    ---------
    encoder : SpeakerRecognition
        The encoder.
    source : str or Path
        Folder it came from.

    Returns
    -------
    dict
        Folder name, key of the weights, device, parameters (total, active
        for one utterance), multiply-accumulates for 3 s, version and commit.
    """
    cost = count_cost(
        encoder.mods.embedding_model,
        frames_of(encoder.mods.compute_features),
        encoder.hparams.n_mels,
    )
    return {
        "encoder": Path(source).resolve().name,
        "model": encoder_key(encoder),
        "device": device_name(encoder.device),
        "params": cost.params,
        "active_params": cost.active_params,
        "active_macs_3s": cost.active_macs,
        "normalisation": "none",
        "version": __version__,
        "commit": git_commit(),
    }


def device_name(device):
    """Name of the device, such as "CPU, 2 threads"."""
    if str(device).startswith("cuda"):
        return torch.cuda.get_device_name(device)
    n_threads = torch.get_num_threads()
    return f"CPU, {n_threads} thread{'s' * (n_threads > 1)}"


def git_commit():
    """Commit of the checkout this file stands in, or "unknown"."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
        )
    except OSError:  # no git here
        return "unknown"
    return answer.stdout.strip() or "unknown"


def audio_key(audio_folder):
    """A hash of where a list's files are, which says nothing of the place.

    Arguments
    ---------
    audio_folder : str or Path
        Folder that the list's paths are relative to.

    Returns
    -------
    str
        The same for every way to write the folder.

    Example
    -------
    >>> audio_key("test") == audio_key("./test/") != audio_key("noisy")
    True
    """
    place = str(Path(audio_folder).resolve())
    return hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()


def scored_before(source, trial_list, audio_folder, device="cpu"):
    """What ``verify`` with a chain found of the same weights and list.

    Arguments
    ---------
    source : str or Path
        A training's output_folder.
    trial_list : str or Path
        The list.
    audio_folder : str or Path
        Folder that its paths are relative to.
    device : str
        Where to load the weights.

    Returns
    -------
    dict or None
        What metrics.json holds; None where there is none, of raw cosines
        alone, or of another list, folder or other weights.
    """
    path = Path(source) / Path(trial_list).stem / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not metrics.get("steps"):
        return None
    encoder = load_encoder(source, device, allow_code=True)
    same = {
        "list_sha256": sha256_of(trial_list),
        "audio_key": audio_key(audio_folder),
        "model": encoder_key(encoder),
    }
    return metrics if same.items() <= metrics.items() else None
