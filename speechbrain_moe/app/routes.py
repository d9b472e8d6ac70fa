"""The tab that shows what goes to which expert.

 * the weights of experts in recordings that are dropped in
 * the routing report, drawn from the facts that the command wrote; a page of
   its own inside this one, which runs no script

Authors
 * The speechbrain_moe developers 2026
"""

import json
from html import escape
from pathlib import Path

from speechbrain_moe.app.inputs import on_click
from speechbrain_moe.app.people import MAX_FILES
from speechbrain_moe.app.uploads import check_recording, recording_names
from speechbrain_moe.app.words import refusal
from speechbrain_moe.errors import InputError
from speechbrain_moe.report.html import table
from speechbrain_moe.report.routing_figures import expert_names
from speechbrain_moe.report.routing_page import render

LOW = 160  # pixels
# A report of 600 files has 32 kB
MOST_BYTES, MOST_EXPERTS, MOST_CELLS = 5_000_000, 256, 10_000
# What facts raise that nobody measured, be they nested without end
NO_FACTS = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, RecursionError, StopIteration),
)
HOW = """\
The routing report tells, for a list of trials, the load of each expert, which
attributes of speech it goes by, and what each expert is worth. It is made by

    speechbrain-moe report --trials <list> --audio <folder> --out <folder>

Drop the `routing.json` that it writes here to read it, or start this page
with `--report <folder>/routing.json`."""


def route(served, files):
    """Weights of all experts in recordings.

    Arguments
    ---------
    served : Served
        The model.
    files : list of str or None
        The recordings.

    Returns
    -------
    str
        HTML: a row for each recording.
    """
    paths = files or []
    names = recording_names(paths)
    try:
        if not 0 < len(paths) <= MAX_FILES:
            raise InputError(f"give 1 to {MAX_FILES} recordings")
        for path in paths:
            check_recording(path, served.max_seconds)
        weights = [served.recognition.route(path) for path in paths]
    except InputError as error:
        return refusal(error, names)
    head = ("", *expert_names(served.n_experts, len(weights[0])))
    rows = [
        (escape(names[path]), *(f"{100 * weight:.1f} %" for weight in row))
        for path, row in zip(paths, weights)
    ]
    numbers = range(1, len(head))
    return f'<div class="answers">{table(head, rows, numbers)}</div>'


def show_report(path):
    """A routing report as a page inside the page.

    Arguments
    ---------
    path : str or Path, optional
        routing.json.

    Returns
    -------
    str
        HTML; nothing without a file, the reason if it is no report.
    """
    if path is None:
        return ""
    try:
        page = read_report(path)
    except InputError as error:
        return refusal(error, recording_names([path]))
    return (
        '<div class="answers"><iframe title="Routing report" sandbox="" '
        f'srcdoc="{escape(page)}"></iframe></div>'
    )


def read_report(path):
    """The routing report of its facts.

    Arguments
    ---------
    path : str or Path
        routing.json.

    Returns
    -------
    str
        HTML, whole.

    Raises
    ------
    InputError
        If the file is none, not whole, or too large to be shown.

    Example
    -------
    >>> read_report("nowhere.json")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: nowhere.json: no routing report; give
    the routing.json that `speechbrain-moe report` writes
    """
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        check_size(facts)
        return render(facts)
    except InputError as e:
        raise InputError(f"{path}: {e}") from e
    except NO_FACTS as e:
        raise InputError(
            f"{path}: no routing report; give the routing.json that "
            "`speechbrain-moe report` writes"
        ) from e


def check_size(facts):
    """Refuse facts whose pictures would fill the memory.

    Arguments
    ---------
    facts : dict
        What routing.json holds.

    Raises
    ------
    InputError
        Says what there is too much of.
    """
    tables = [a["shares"] for a in facts.get("attributes", {}).values()]
    widths = [len(row) for rows in tables for row in rows]
    widths += [facts["about"]["n_experts"], len(facts["similarity"])]
    n_cells = max(widths) * sum(map(len, tables))
    for said, n, most in (
        ("experts", max(widths), MOST_EXPERTS),
        ("values of attributes times experts", n_cells, MOST_CELLS),
    ):
        if n > most:
            raise InputError(
                f"{n} {said}, at most {most} are shown here; open the "
                "routing.html beside it"
            )


def build_routes(served, report=None):
    """Lay out the tab in the page that is being built.

    Arguments
    ---------
    served : Served
        The model.
    report : str or Path, optional
        routing.json to show at once.
    """
    import gradio as gr

    files = gr.File(
        label="Recordings",
        file_count="multiple",
        elem_id="route-files",
        height=LOW,
    )
    button = gr.Button("Show their experts", elem_id="route")
    weights = gr.HTML(elem_id="weights")
    gr.Markdown(HOW)
    facts = gr.File(label="routing.json", elem_id="report-file", height=LOW)
    page = gr.HTML(show_report(report), elem_id="report")
    on_click(button, lambda given: route(served, given), [files], weights)
    facts.upload(show_report, facts, page, api_visibility="private")
