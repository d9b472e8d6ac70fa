"""Answers of the model as pieces of a page.

 * the decision in words first, then what it rests on
 * every number is the model's own; the JSON beneath has all digits, and is
   what ``speechbrain-moe verify --json`` prints
 * nothing that a visitor sent stands in the page unescaped

Authors
 * The speechbrain_moe developers 2026
"""

import json
from html import escape
from typing import NamedTuple

from speechbrain_moe.app.uploads import with_names
from speechbrain_moe.inference.recognition import MoESpeakerRecognition
from speechbrain_moe.report.html import table

SIGNS = {"yes": "\N{CHECK MARK}", "no": "\N{BALLOT X}", "open": "?"}
STYLE = """
.verdict { border: 3px solid; border-radius: 6px; padding: 0.6rem 1rem;
           margin: 0.4rem 0 1rem; }
.verdict.no { border-style: dashed; }
.verdict.open { border-style: dotted; }
.verdict .answer { font-size: 1.5rem; font-weight: 700; margin: 0; }
.answers img { max-width: 100%; height: auto; background: #fff; }
.answers .sides { display: flex; flex-wrap: wrap; gap: 0 2rem; }
.answers .sides > div { flex: 1 1 20rem; }
.answers h3::first-letter { text-transform: uppercase; }
.answers table { border-collapse: collapse; margin: 0.6rem 0; }
.answers th, .answers td { padding: 0.2rem 0.6rem; text-align: left; }
.answers .n { text-align: right; font-variant-numeric: tabular-nums; }
.answers pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.answers iframe { width: 100%; height: 700px; border: 1px solid #888;
                  background: #fff; }
"""


class Served(NamedTuple):
    """A model, and how it is served.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        The model.
    name : str
        What it is called.
    metrics : dict
        What its metrics.json holds; empty without one.
    max_seconds : float
        Longest recording that is taken.
    """

    recognition: MoESpeakerRecognition
    name: str
    metrics: dict
    max_seconds: float

    @property
    def n_experts(self):
        """Experts of the gate."""
        return self.recognition.mods.embedding_model.n_experts


def verdict(kind, answer, text=""):
    """An answer that cannot be overlooked.

    Arguments
    ---------
    kind : str
        yes, no, or open.
    answer : str
        A few words, plain text.
    text : str
        A sentence, plain text.

    Returns
    -------
    str
        HTML.

    Example
    -------
    >>> "&lt;b&gt;" in verdict("open", "No decision", "<b>: silence")
    True
    """
    return (
        f'<div class="answers"><div class="verdict {kind}" role="status">'
        f'<p class="answer"><span aria-hidden="true">{SIGNS[kind]}</span> '
        f"{escape(answer)}</p><p>{escape(text)}</p></div></div>"
    )


def refusal(error, names):
    """What cannot be used, and the mend.

    Arguments
    ---------
    error : Exception
        Its message names files by path.
    names : dict of str
        What the visitor calls them, by path.

    Returns
    -------
    str
        HTML.
    """
    return verdict("open", "Not possible", with_names(str(error), names))


def percent(probability):
    """A probability that is never called certain.

    Arguments
    ---------
    probability : float
        In [0, 1].

    Returns
    -------
    str
        Two decimals.

    Example
    -------
    >>> percent(0.5), percent(0.999999), percent(1e-9)
    ('50.00 %', 'more than 99.99 %', 'less than 0.01 %')
    """
    if probability > 0.9999:
        return "more than 99.99 %"
    if probability < 0.0001:
        return "less than 0.01 %"
    return f"{100 * probability:.2f} %"


def numbers_table(result):
    """Score, threshold, ratio and probability, where there are such.

    Arguments
    ---------
    result : Decision or Identification
        With these fields.

    Returns
    -------
    str
        HTML.
    """
    score = getattr(result, "score", None)
    if score is None and getattr(result, "scores", None):
        score = next(iter(result.scores.values()))
    shown = {
        "score (cosine)": score,
        "threshold": result.threshold,
        "log-likelihood ratio": result.llr,
        "probability": result.probability,
    }
    rows = [(k, f"{v:.4f}") for k, v in shown.items() if v is not None]
    return table(("", "value"), rows, numbers=(1,)) if rows else ""


def as_json(result, names, command):
    """The whole answer with all digits, folded away.

    Arguments
    ---------
    result : Decision or Identification
        What the model returned.
    names : dict of str
        What the visitor calls the files, by path.
    command : str
        The subcommand that prints the same.

    Returns
    -------
    str
        HTML.
    """
    content = result.to_dict()
    for voice in (*content.get("enrol", ()), content["test"]):
        voice["path"] = names[voice["path"]]
    content["reason"] = content["reason"] and with_names(
        content["reason"], names
    )
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return (
        "<details><summary>All digits, as "
        f"<code>speechbrain-moe {command} --json</code> prints them</summary>"
        f'<pre class="json">{escape(text)}</pre></details>'
    )


def quality_notes(voice):
    """What was measured of a recording, and what speaks against it.

    Arguments
    ---------
    voice : Voice
        The recording.

    Returns
    -------
    str
        HTML.
    """
    q = voice.quality
    notes = [
        f"{q.duration_s:.2f} s long, {q.voiced_s:.2f} s of voiced speech",
        f"level {q.level_db:.0f} dB of full scale, {q.dynamic_db:.0f} dB "
        f"above its pauses; {100 * q.clipped:.1f} % of samples at the peak",
    ]
    faults = [f"Fault: {words}" for words in voice.faults.values()]
    notes += faults or ["Nothing speaks against deciding by it"]
    return f"<ul>{''.join(f'<li>{escape(n)}</li>' for n in notes)}</ul>"
