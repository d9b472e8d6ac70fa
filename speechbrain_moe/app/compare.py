"""The tab that compares two voices.

 * the decision is ``MoESpeakerRecognition.verify``'s, and so are all numbers
 * a picture shows where the score falls; what the list says of such scores
   stands beside it, if the model brings its measurements

Authors
 * The speechbrain_moe developers 2026
"""

import math

import numpy as np

from speechbrain_moe.app.inputs import (
    on_click,
    recording_input,
    threshold_inputs,
    wanted_threshold,
)
from speechbrain_moe.app.uploads import (
    check_recording,
    recording_names,
    with_names,
)
from speechbrain_moe.app.words import (
    as_json,
    numbers_table,
    percent,
    quality_notes,
    refusal,
    verdict,
)
from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.learnt import calibrate
from speechbrain_moe.inference.quality import FAULTS
from speechbrain_moe.inference.recordings import read_windows
from speechbrain_moe.report.html import image
from speechbrain_moe.report.score_place import draw_place
from speechbrain_moe.report.voice_figures import draw_experts, draw_waveform
from speechbrain_moe.scoring.histogram import share_below

SIDES = ("first voice", "second voice")
SAID = {
    True: ("yes", "Same speaker", "reaches"),
    False: ("no", "Different speakers", "is below"),
}


def compare(served, enrol, test, choice, cosine, prior, accept):
    """Compare two recordings.

    Arguments
    ---------
    served : Served
        The model.
    enrol, test : str or None
        The recordings.
    choice : str
        Name of a threshold, or ``own``.
    cosine : float
        The threshold for ``own``.
    prior : float
        Probability of the same speaker before hearing anything.
    accept : list of str
        Faults to decide despite.

    Returns
    -------
    str
        HTML: the decision and what it rests on, or why there is none.
    """
    paths = [path or "" for path in (enrol, test)]
    names = recording_names(paths, SIDES)
    names.pop("", None)
    threshold = wanted_threshold(choice, cosine)
    try:
        for path in paths:
            check_recording(path, served.max_seconds)
        decision = served.recognition.verify(
            enrol, test, threshold, prior, accept
        )
    except InputError as error:
        return refusal(error, names)
    return (
        decision_verdict(decision, prior, names)
        + '<div class="answers">'
        + numbers_table(decision)
        + place(served, decision, prior)
        + measured(served.metrics, decision, choice)
        + voices(served, decision)
        + as_json(decision, names, "verify")
        + "</div>"
    )


def decision_verdict(decision, prior, names):
    """The decision in words."""
    text = ""
    if decision.probability is not None:
        text = (
            f"Probability of the same speaker: "
            f"{percent(decision.probability)}, if it was {100 * prior:g} % "
            "before hearing anything."
        )
    if decision.same_speaker is None:
        return refusal_of(decision.reason, text, names)
    kind, answer, relation = SAID[decision.same_speaker]
    score, threshold = decision.score, decision.threshold
    basis = f"The score {score:.4f} {relation} the threshold {threshold:.4f}. "
    return verdict(kind, answer, basis + text)


def refusal_of(reason, text, names):
    """No decision, and why."""
    said = f"{with_names(reason, names)}. " + (
        f"Were it not for that: {text}" if text else ""
    )
    return verdict("open", "No decision", said)


def place(served, decision, prior):
    """Picture of where the score falls."""
    learnt = served.recognition.learnt
    counts, curve = histogram_of(served.metrics), None
    if learnt.calibration is not None:
        scores = np.linspace(-1, 1, 401)
        curve = scores, [calibrate(s, learnt, prior)[1] for s in scores]
    if decision.score is None or (counts is None and curve is None):
        return ""
    png = draw_place(decision.score, decision.threshold, counts, curve)
    return "<h3>Where the score falls</h3>" + image(
        png, f"score {decision.score:.4f} between different and same speakers"
    )


def histogram_of(metrics):
    """Counts of cosines that the model brings; None without."""
    return metrics.get("steps", {}).get("cosine", {}).get("histogram")


def measured(metrics, decision, choice):
    """What the trial list says of such a score and threshold."""
    counts = histogram_of(metrics)
    row = metrics.get("steps", {}).get("cosine", {}).get("thresholds", {})
    row, said = row.get(choice) or {}, []
    if counts and decision.score is not None:
        borders = counts["low"], counts["high"], decision.score
        low = 100 * share_below(counts["target"], *borders)
        high = 100 - 100 * share_below(counts["nontarget"], *borders)
        said.append(
            f"{low:.1f} % of pairs of one speaker score below this pair, and "
            f"{high:.1f} % of pairs of two speakers above it."
        )
    # A package calibrated anew has other thresholds than the list was met by
    is_met = decision.threshold is not None and row.get("value") is not None
    if is_met and math.isclose(row["value"], decision.threshold):
        said.append(
            f"This threshold misses {row['miss']:.1f} % of pairs of one "
            f"speaker and takes {row['false_alarm']:.1f} % of pairs of two "
            "for one."
        )
    if not said:
        return ""
    return (
        f"<p>Measured on {metrics['n_trials']} pairs between "
        f"{metrics['n_speakers']} speakers: {' '.join(said)} Other "
        "microphones, rooms and languages give other figures.</p>"
    )


def voices(served, decision):
    """Waveform, notes and experts of both recordings."""
    pairs = [*zip(SIDES, (*decision.enrol, decision.test))]
    parts = [voice_block(served, *pair) for pair in pairs]
    html = f'<div class="sides">{"".join(parts)}</div>'
    weights = {s: v.experts for s, v in pairs if v.experts is not None}
    if weights:
        png = draw_experts(weights, served.n_experts)
        html += "<h3>Weight of each expert</h3>" + image(png, "expert weights")
    return html


def voice_block(served, side, voice):
    """Waveform and notes of a recording."""
    normalizer = served.recognition.audio_normalizer
    wav = np.concatenate([*read_windows(voice.path, normalizer)])
    png = draw_waveform(wav, normalizer.sample_rate)
    picture = image(png, f"waveform of the {side}")
    return f"<div><h3>{side}</h3>{picture}{quality_notes(voice)}</div>"


def build_compare(served):
    """Lay out the tab in the page that is being built.

    Arguments
    ---------
    served : Served
        The model.
    """
    import gradio as gr

    with gr.Row():
        enrol = recording_input("First voice", "first")
        test = recording_input("Second voice", "second")
    with gr.Accordion("How to decide", open=False):
        choice, cosine = threshold_inputs(served.recognition.learnt)
        prior = gr.Number(
            0.5,
            label="Probability of the same speaker before hearing anything",
        )
        faults = [(fault.replace("_", " "), fault) for fault in FAULTS]
        accept = gr.CheckboxGroup(faults, label="Decide despite")
    button = gr.Button("Compare", variant="primary", elem_id="compare")
    answer = gr.HTML(elem_id="decision")

    def run(*given):
        return compare(served, *given)

    given = [enrol, test, choice, cosine, prior, accept]
    on_click(button, run, given, answer)
