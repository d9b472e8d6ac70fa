import re
import shutil
from html import unescape

import pytest

from speechbrain_moe.app.people import delete, enrol, identify
from speechbrain_moe.app.visit import VisitGallery
from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.learnt import NOTHING_LEARNT


@pytest.fixture(params=["visit", "folder"])
def gallery(request, tmp_path):
    """Kept in memory, or in a folder: the page says the same."""
    if request.param == "visit":
        return VisitGallery()
    return Gallery(tmp_path / "gallery")


def words_in(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_who_is_enrolled_is_identified(served, gallery, recordings):
    one, two = recordings["one"], recordings["two"]
    assert "ann, 1 recording." in enrol(served, gallery, " ann ", one, None)
    assert "bob, 1 recording." in enrol(
        served, gallery, "bob", None, [two, two]
    )
    assert gallery.names() == ["ann", "bob"]
    found = words_in(identify(served, gallery, one))
    assert "Among 2 enrolled voices. Probability of the nearest" in found


def test_answer_is_that_of_the_model(served, recordings):
    gallery = VisitGallery()
    enrol(served, gallery, "ann", recordings["one"], [recordings["two"]])
    both = [recordings["one"], recordings["two"]]
    enrolled = {"ann": served.recognition.enrol(both)}
    said = served.recognition.identify(recordings["one"], enrolled)
    found = gallery.identify(served.recognition, recordings["one"])
    assert found.scores == said.scores and found.name == said.name


def test_more_recordings_add_to_a_person(served, gallery, recordings):
    enrol(served, gallery, "ann", recordings["one"], None)
    said = enrol(served, gallery, "ann", recordings["two"], None)
    assert "ann, 2 recordings." in said


def test_recording_under_another_name_counts_once(
    served, gallery, recordings, tmp_path
):
    copy = shutil.copy(recordings["one"], tmp_path / "copy.wav")
    said = enrol(served, gallery, "ann", recordings["one"], [str(copy)])
    assert "ann, 1 recording." in said


def test_threshold_can_be_chosen(served, gallery, recordings, monkeypatch):
    """The only way where a model brings none."""
    enrol(served, gallery, "ann", recordings["one"], None)
    monkeypatch.setattr(served.recognition, "learnt", NOTHING_LEARNT)
    one = recordings["one"]
    said = words_in(identify(served, gallery, one))
    assert "No decision no threshold eer" in said
    said = words_in(identify(served, gallery, one, "own", 0.9))
    assert "No decision" not in said and "ann Among 1 enrolled" in said
    said = words_in(identify(served, gallery, one, "own", None))
    assert "Not possible threshold is None; give" in said


def test_nobody_near_is_unknown(served, gallery, recordings, monkeypatch):
    enrol(served, gallery, "ann", recordings["one"], None)
    learnt = served.recognition.learnt
    far = {"eer": {"value": 1.0, "reason": None}}
    monkeypatch.setattr(
        served.recognition, "learnt", learnt._replace(thresholds=far)
    )
    said = words_in(identify(served, gallery, recordings["two"]))
    assert "Nobody who is enrolled" in said


def test_who_is_deleted_is_gone(served, gallery, recordings):
    enrol(served, gallery, "ann", recordings["one"], None)
    assert "ann is not enrolled any more" in delete(gallery, "ann")
    assert gallery.names() == []
    assert "choose somebody" in delete(gallery, "ann")
    said = words_in(identify(served, gallery, recordings["one"]))
    assert "nobody is enrolled" in said and "/" not in said


@pytest.mark.parametrize("name", ["", "  ", None, "unknown", "a\nb", "x" * 201])
def test_name_that_cannot_be_is_refused(served, gallery, recordings, name):
    said = enrol(served, gallery, name, recordings["one"], None)
    assert "Not possible" in said and gallery.names() == []


def test_recordings_that_cannot_be_used_enrol_nobody(
    served, gallery, recordings
):
    one = recordings["one"]
    for name in ("text", "silence", "click", "long"):
        said = words_in(enrol(served, gallery, "ann", one, [recordings[name]]))
        assert f"{name}.wav:" in said and "/" not in said
    assert "missing" in enrol(served, gallery, "ann", None, None)
    assert "at most 20" in enrol(served, gallery, "ann", None, [one] * 21)
    assert gallery.names() == []


def test_silence_is_nobody_and_no_decision(served, gallery, recordings):
    enrol(served, gallery, "ann", recordings["one"], None)
    said = words_in(identify(served, gallery, recordings["silence"]))
    assert "No decision silence.wav: silence at" in said


def test_name_is_no_html(served, gallery, recordings):
    enrol(served, gallery, "<b>ann", recordings["one"], None)
    page = identify(served, gallery, recordings["one"])
    assert "<b>ann" not in page and "&lt;b&gt;ann" in page


def test_folder_that_cannot_be_written_is_not_told_to_visitors(
    served, recordings, tmp_path
):
    (tmp_path / "taken").write_text("a file")
    gallery = Gallery(tmp_path / "taken")
    said = words_in(enrol(served, gallery, "ann", recordings["one"], None))
    assert "Not possible" in said and "give a folder" in said
    assert str(tmp_path) not in said
