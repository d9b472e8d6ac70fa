"""Inputs that tabs share: recordings, thresholds, buttons.

 * a recording comes as the file that was sent, unchanged
 * a threshold is one that the model brings, by name, or a cosine
 * the model works for one visitor at a time; the others wait

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.inference.card_numbers import AIMS
from speechbrain_moe.inference.learnt import THRESHOLDS

OWN = "own"


def recording_input(label, elem_id):
    """A place to record or upload one voice.

    Arguments
    ---------
    label : str
        Above it.
    elem_id : str
        In the page.

    Returns
    -------
    gradio.Audio
        Gives the path of the file as it was sent.
    """
    import gradio as gr

    return gr.Audio(
        type="filepath",
        sources=["upload", "microphone"],
        label=label,
        elem_id=elem_id,
        editable=False,  # cutting would write the file anew
        buttons=[],
    )


def threshold_choices(learnt):
    """Names of thresholds with what they mean, for a list to choose from.

    Arguments
    ---------
    learnt : Learnt
        What the model brings.

    Returns
    -------
    list of tuple
        Label and value; the last one is a cosine of the visitor's own.
    """
    choices = []
    for name in THRESHOLDS:
        value = (learnt.thresholds.get(name) or {}).get("value")
        known = "not known" if value is None else f"{value:.4f}"
        choices.append((f"{AIMS[name]} ({known})", name))
    return [*choices, ("a cosine of my own", OWN)]


def threshold_inputs(learnt, note=None):
    """A threshold to choose, the first that is known at the start.

    Arguments
    ---------
    learnt : Learnt
        What the model brings.
    note : str, optional
        What is to know of it.

    Returns
    -------
    gradio.Radio, gradio.Number
        Its name, and the cosine for ``own``.
    """
    import gradio as gr

    choices = threshold_choices(learnt)
    known = [value for label, value in choices if "not known" not in label]
    choice = gr.Radio(choices, value=known[0], label="Threshold", info=note)
    return choice, gr.Number(0.5, label="The cosine of my own, -1 to 1")


def wanted_threshold(choice, cosine):
    """The threshold that a visitor chose.

    Arguments
    ---------
    choice : str
        Name of a threshold, or ``own``.
    cosine : float
        For ``own``.

    Returns
    -------
    str or float
        As ``verify`` and ``identify`` take it.

    Example
    -------
    >>> wanted_threshold("eer", 0.5), wanted_threshold("own", 0.5)
    ('eer', 0.5)
    """
    return cosine if choice == OWN else choice


def on_click(button, run, given, answer):
    """Run a function when a button is pressed, one at a time.

    Arguments
    ---------
    button : gradio.Button
        The button.
    run : callable
        From the values of given to those of answer.
    given : list of gradio components
        Its input.
    answer : gradio component or list of them
        Its output.
    """
    button.click(
        run,
        given,
        answer,
        concurrency_limit=1,
        concurrency_id="model",
        api_visibility="private",
    )
