"""Inputs that all tabs share.

Authors
 * The speechbrain_moe developers 2026
"""


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
