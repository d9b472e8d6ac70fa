import json
import re
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest

from speechbrain_moe.app import compare as tab
from speechbrain_moe.app.compare import compare
from speechbrain_moe.app.inputs import threshold_choices
from speechbrain_moe.app.page import headline


@pytest.fixture
def ask(served, recordings):
    """Compare recordings by name, as the page does."""

    def ask(enrol, test, choice="eer", cosine=0.5, prior=0.5, accept=()):
        paths = (recordings.get(name, name) for name in (enrol, test))
        return compare(served, *paths, choice, cosine, prior, list(accept))

    return ask


def numbers_in(page):
    found = re.search(r'<pre class="json">(.*)</pre>', page, re.DOTALL)
    return json.loads(unescape(found[1]))


def words_in(page):
    return unescape(re.sub(r"<[^>]+>", " ", page.split("<h3>")[0]))


def test_all_digits_are_those_of_verify(ask, served, recordings):
    pair = recordings["one"], recordings["two"]
    said = served.recognition.verify(*pair).to_dict()
    found = numbers_in(ask("one", "two"))
    for key in ("score", "llr", "probability", "threshold", "same_speaker"):
        assert found[key] == said[key]
    assert found["test"]["quality"] == said["test"]["quality"]
    assert found["test"]["experts"] == said["test"]["experts"]


def test_a_recording_is_of_the_same_speaker_as_itself(ask):
    said = words_in(ask("one", "one"))
    assert "Same speaker" in said and "reaches the threshold 0.5000" in said


def test_threshold_and_prior_of_my_own_are_taken(ask):
    score = numbers_in(ask("one", "two"))["score"]
    above = ask("one", "two", "own", score + 1e-3, prior=0.1)
    assert "Different speakers" in words_in(above)
    assert "if it was 10 % before" in words_in(above)
    assert "Same speaker" in words_in(ask("one", "two", "own", score - 1e-3))


def test_threshold_that_is_not_known_gives_no_decision_and_why(ask):
    page = ask("one", "two", "far0.1")
    assert "No decision" in words_in(page)
    assert "3 false alarms, 30 wanted" in words_in(page)
    assert numbers_in(page)["same_speaker"] is None


def test_silence_gives_no_decision_and_why(ask):
    page = ask("one", "silence")
    assert "No decision" in words_in(page)
    assert "second voice (silence.wav): silence at" in words_in(page)
    assert numbers_in(page)["score"] is None
    assert "Where the score falls" not in page


def test_too_short_gives_no_decision_and_why(ask):
    said = words_in(ask("click", "one"))
    assert "No decision" in said
    assert "first voice (click.wav): lasts 0.05" in said


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("text", "second voice (text.wav): cannot be decoded"),
        ("long", "second voice (long.wav): lasts 8 s, at most 5 s are taken"),
        (None, "a recording is missing; record or upload one"),
    ],
)
def test_what_cannot_be_used_is_named_as_the_visitor_knows_it(
    ask, recordings, name, why
):
    page = ask("one", name)
    assert "Not possible" in page and why in words_in(page)
    assert str(recordings["one"]).rsplit("/", 1)[0] not in page


def test_recording_sent_twice_is_named_by_both_places(ask):
    said = words_in(ask("silence", "silence"))
    assert "first voice (silence.wav) and second voice (silence.wav)" in said


def test_wrong_settings_are_said(ask):
    assert "prior is 0; give above 0" in words_in(ask("one", "two", prior=0))
    said = words_in(ask("one", "two", "own", None))
    assert "threshold is None; give" in said


def test_fault_can_be_accepted(ask):
    page = ask("one", "clipped")
    assert "of the samples are clipped" in words_in(page)
    assert numbers_in(page)["same_speaker"] is None
    page = ask("one", "clipped", accept=["clipped"])
    assert numbers_in(page)["same_speaker"] is not None


def test_name_of_a_file_is_no_html(served, recordings, tmp_path):
    path = tmp_path / "<img src=x>.wav"
    path.write_text("no sound")
    page = compare(served, str(path), recordings["one"], "eer", 0, 0.5, [])
    assert "<img src=x>" not in page and "&lt;img src=x&gt;" in page


def test_measured_rates_are_those_of_the_package(ask, served, recordings):
    page = ask("one", "one")
    assert "Measured on 100 pairs between 5 speakers" in page
    assert "misses 8.0 % of pairs of one speaker" in page
    assert "100.0 % of pairs of one speaker score below this pair" in page
    assert "misses" not in ask("one", "one", "own")
    metrics = json.loads(json.dumps(served.metrics))
    row = metrics["steps"]["cosine"]["thresholds"]["eer"]
    row["value"] = 0.3  # the package has been calibrated anew
    other = served._replace(metrics=metrics)
    pair = recordings["one"], recordings["one"]
    page = compare(other, *pair, "eer", 0.5, 0.5, [])
    assert "misses" not in page and "score below this pair" in page


def test_without_measurements_nothing_is_said_of_them(served, recordings):
    bare = served._replace(metrics={})
    pair = recordings["one"], recordings["two"]
    page = compare(bare, *pair, "eer", 0.5, 0.5, [])
    assert "Measured" not in page
    assert "how often it is wrong is not known" in headline(bare)
    assert "7.50 %" in headline(served)


def test_pictures_have_words_for_who_cannot_see_them(ask):
    page = ask("one", "two")
    assert page.count("<img ") == page.count('<img alt="') == 4


def test_picture_shows_score_threshold_and_probabilities(
    ask, served, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        tab, "draw_place", lambda *given: drawn.append(given) or bytes(24)
    )
    numbers = numbers_in(ask("one", "two", prior=0.2))
    score, threshold, counts, (scores, probabilities) = drawn[0]
    assert (score, threshold) == (numbers["score"], numbers["threshold"])
    assert counts == served.metrics["steps"]["cosine"]["histogram"]
    at = np.interp(score, scores, probabilities)
    assert at == pytest.approx(numbers["probability"], abs=1e-3)


def test_thresholds_to_choose_from_say_which_are_known(served):
    choices = threshold_choices(served.recognition.learnt)
    assert choices[0] == ("as many misses as false alarms (0.5000)", "eer")
    assert choices[2] == ("0.1 % false alarms (not known)", "far0.1")
    bare = SimpleNamespace(thresholds={})
    assert all("not known" in label for label, _ in threshold_choices(bare)[:3])
