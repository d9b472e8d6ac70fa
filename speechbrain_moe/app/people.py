"""The tab that enrols people and tells who of them speaks.

 * without a folder, enrolled voices live in the server's memory for one
   visit and an hour at most after it; with one, in the gallery there, for
   all visitors
 * the answer is ``MoESpeakerRecognition.identify``'s

Authors
 * The speechbrain_moe developers 2026
"""

from html import escape

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
from speechbrain_moe.app.visit import VisitGallery
from speechbrain_moe.app.words import (
    as_json,
    numbers_table,
    percent,
    quality_notes,
    refusal,
    verdict,
)
from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.decisions import UNKNOWN
from speechbrain_moe.report.html import count_of, table

MAX_FILES = 20
N_NEAREST = 10
VISIT_S = 3600  # how long a visit's voices are kept without a word
RAISED_NOTE = "By name it is raised for the number of enrolled voices."
MEMORY_NOTE = (
    "Enrolled voices are kept in this server's memory for this visit: "
    "nobody reaches them once the page is closed or loaded again, and an "
    "hour after their last use they are deleted."
)
FOLDER_NOTE = (
    "Enrolled voices are kept in a gallery on this server, for all who use "
    "this page, until they are deleted. Recordings are not kept."
)


def enrol(served, gallery, name, recording, files):
    """Enrol somebody, or add recordings of somebody enrolled.

    Arguments
    ---------
    served : Served
        The model.
    gallery : VisitGallery or Gallery
        Changed in place.
    name : str
        Of the person.
    recording : str or None
        A recording.
    files : list of str or None
        More of them.

    Returns
    -------
    str
        HTML: done, or why not.
    """
    paths = [path for path in (recording, *(files or ())) if path]
    name = (name or "").strip()
    try:
        if len(paths) > MAX_FILES:
            raise InputError(f"at most {MAX_FILES} recordings at a time")
        for path in paths or [None]:
            check_recording(path, served.max_seconds)
        n_files = gallery.enrol(served.recognition, name, paths)
    except InputError as error:
        return refusal(error, names_of(gallery, paths))
    return verdict(
        "yes", "Enrolled", f"{name}, {count_of(n_files, 'recording')}."
    )


def names_of(gallery, paths):
    """What visitors know recordings, and a gallery's file, by."""
    file = getattr(gallery, "file", None)
    if file is None:
        return recording_names(paths)
    known = {str(file): "the gallery", str(file.parent): "the gallery's folder"}
    return recording_names(paths) | known


def delete(gallery, name):
    """Forget somebody.

    Arguments
    ---------
    gallery : VisitGallery or Gallery
        Changed in place.
    name : str or None
        As enrolled.

    Returns
    -------
    str
        HTML: done, or why not.
    """
    try:
        if name not in gallery.names():
            raise InputError("choose somebody who is enrolled")
        gallery.delete(name)
    except InputError as error:
        return refusal(error, names_of(gallery, []))
    return verdict("yes", "Deleted", f"{name} is not enrolled any more.")


def identify(served, gallery, recording, choice="eer", cosine=None):
    """Tell whose voice a recording is.

    Arguments
    ---------
    served : Served
        The model.
    gallery : VisitGallery or Gallery
        Who is enrolled.
    recording : str or None
        The recording.
    choice : str
        Name of a threshold, or ``own``.
    cosine : float, optional
        The threshold for ``own``.

    Returns
    -------
    str
        HTML.
    """
    threshold = wanted_threshold(choice, cosine)
    names = names_of(gallery, [recording] if recording else [])
    try:
        check_recording(recording, served.max_seconds)
        found = gallery.identify(served.recognition, recording, threshold)
    except InputError as error:
        return refusal(error, names)
    nearest = [*found.scores.items()][:N_NEAREST]
    rows = [(escape(who), f"{score:.4f}") for who, score in nearest]
    return (
        identity_verdict(found, names)
        + '<div class="answers">'
        + numbers_table(found)
        + table(("nearest", "score"), rows, numbers=(1,))
        + quality_notes(found.test)
        + as_json(found, names, "identify")
        + "</div>"
    )


def identity_verdict(found, names):
    """Who it is, in words."""
    if found.name is None:
        reason = with_names(found.reason, names)
        return verdict("open", "No decision", f"{reason}.")
    among = f"Among {count_of(found.n_enrolled, 'enrolled voice')}. "
    if found.probability is not None:
        among += (
            f"Probability of the nearest: {percent(found.probability)}, if "
            "it was 50 % that the speaker is enrolled at all."
        )
    if found.name == UNKNOWN:
        return verdict("no", "Nobody who is enrolled", among)
    return verdict("yes", found.name, among)


def build_people(page, served, gallery=None):
    """Lay out the tab in the page that is being built.

    Arguments
    ---------
    page : gradio.Blocks
        The page.
    served : Served
        The model.
    gallery : Gallery, optional
        Where voices are kept; by default in memory.
    """
    import gradio as gr

    visit = gr.State(VisitGallery(), time_to_live=VISIT_S)
    gr.Markdown(MEMORY_NOTE if gallery is None else FOLDER_NOTE)
    gr.Markdown("Enrol only people who agreed to it.")
    with gr.Row():
        with gr.Column():
            name = gr.Textbox(label="Name", elem_id="name", max_length=80)
            voice = recording_input("Voice to enrol", "enrol-voice")
            files = gr.File(
                label="More recordings of the same person",
                file_count="multiple",
                elem_id="enrol-files",
                height=160,
            )
            enrol_button = gr.Button("Enrol", elem_id="enrol")
            enrolled = gr.Dropdown([], label="Enrolled", elem_id="enrolled")
            delete_button = gr.Button("Delete", elem_id="delete")
            done = gr.HTML(elem_id="enrolment")
        with gr.Column():
            test = recording_input("Who is this?", "unknown-voice")
            how = gr.Accordion(
                "How to decide", open=False, elem_id="how-to-identify"
            )
            with how:
                given = threshold_inputs(served.recognition.learnt, RAISED_NOTE)
            button = gr.Button(
                "Identify", variant="primary", elem_id="identify"
            )
            answer = gr.HTML(elem_id="identity")

    def place(visit):
        return visit if gallery is None else gallery

    def listed(visit, said=None, chosen=None):
        try:
            people = place(visit).names()
        except InputError as error:
            people = []
            said = said or refusal(error, names_of(place(visit), []))
        # Never somebody whom the visitor did not choose: a click deletes
        chosen = chosen if chosen in people else None
        return said, gr.Dropdown(people, value=chosen), visit

    def run_enrol(visit, name, *given):
        done = enrol(served, place(visit), name, *given)
        return listed(visit, done, str(name).strip())

    def run_delete(visit, name):
        return listed(visit, delete(place(visit), name))

    def run_identify(visit, *given):
        return identify(served, place(visit), *given), visit

    shown = [done, enrolled, visit]
    on_click(enrol_button, run_enrol, [visit, name, voice, files], shown)
    on_click(delete_button, run_delete, [visit, enrolled], shown)
    on_click(button, run_identify, [visit, test, *given], [answer, visit])
    page.load(listed, visit, shown, api_visibility="private")
