"""The page, put together of its tabs.

 * one page for one model, which is opened once
 * what it was measured at, and what happens to recordings, is said on top

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.app.compare import build_compare
from speechbrain_moe.app.people import build_people
from speechbrain_moe.app.routes import build_routes


def build_page(served, gallery=None, report=None):
    """Build the page.

    Arguments
    ---------
    served : Served
        The model.
    gallery : Gallery, optional
        Where enrolled voices are kept; by default in memory, for a visit.
    report : str or Path, optional
        routing.json to show.

    Returns
    -------
    gradio.Blocks
        Not launched yet.
    """
    import gradio as gr

    with gr.Blocks(title="Same speaker?", analytics_enabled=False) as page:
        gr.Markdown(headline(served))
        with gr.Tab("Compare two voices"):
            build_compare(served)
        with gr.Tab("Enrol and identify"):
            build_people(page, served, gallery)
        with gr.Tab("Routing"):
            build_routes(served, report)
    return page


def headline(served):
    """What the page is, in Markdown.

    Arguments
    ---------
    served : Served
        The model.

    Returns
    -------
    str
        A heading and two paragraphs.
    """
    known = "It brings no error rates: how often it is wrong is not known."
    if "eer" in served.metrics:
        known = (
            f"Measured equal error rate {served.metrics['eer']:.2f} %, on "
            f"{served.metrics['n_trials']} pairs between "
            f"{served.metrics['n_speakers']} speakers."
        )
    return (
        "# Same speaker?\n\n"
        f"Model `{served.name}`. {known} An answer is no proof of who "
        "somebody is; replayed, converted and synthetic voices are not "
        "recognised as such.\n\n"
        f"Recordings of up to {served.max_seconds:g} s: wav, flac, ogg, opus "
        "or mp3. The server of this page keeps them for an hour at most, so "
        "that they can be heard again, and sends them nowhere."
    )
