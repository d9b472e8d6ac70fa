"""The page as a visitor has it, in a headless browser."""

import json
import shutil

import pytest
from page_server import compare, numbers_on

from speechbrain_moe.inference.shipped import open_recognition


def test_numbers_on_the_page_are_those_of_the_command(
    visit, package, recordings, capfd
):
    from speechbrain_moe.cli import main

    pair = recordings["one"], recordings["two"]
    said = compare(visit, *pair)
    assert main(["verify", *pair, "--model", str(package), "--json"]) == 0
    command = json.loads(capfd.readouterr().out)
    page = numbers_on(visit, "decision")
    for key in ("score", "llr", "probability", "threshold", "same_speaker"):
        assert page[key] == command[key], key
    assert page["reason"] is command["reason"] is None
    answer = "Same speaker" if page["same_speaker"] else "Different speakers"
    assert answer in said and f"{page['score']:.4f}" in said


def test_the_page_asks_nobody_but_its_server(visit, url, recordings):
    compare(visit, recordings["one"], recordings["one"])
    elsewhere = [
        one
        for one in visit.asked
        if not one.startswith((url, "data:", "blob:" + url))
    ]
    assert len(visit.asked) > 5 and elsewhere == []


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("text", "Not possible", "second voice (text.wav): cannot be decoded"),
        ("silence", "No decision", "second voice (silence.wav): silence"),
        ("click", "No decision", "second voice (click.wav): lasts 0.05"),
        ("long", "Not possible", "(long.wav): lasts 8 s, at most 5 s"),
    ],
)
def test_what_cannot_be_compared_is_said(visit, recordings, name, answer, why):
    said = compare(visit, recordings["one"], recordings[name])
    assert answer in said and why in said


def test_nothing_sent_is_said(visit):
    visit.click("#compare")
    visit.wait_for_selector("#decision .verdict")
    assert "a recording is missing" in visit.inner_text("#decision")


def test_experts_of_recordings_are_shown(visit, package, recordings):
    visit.click("role=tab[name='Routing']")
    visit.set_input_files("#route-files input[type=file]", recordings["one"])
    visit.wait_for_selector("#route-files .file-preview")
    visit.click("#route")
    visit.wait_for_selector("#weights table")
    weights = open_recognition(package).route(recordings["one"])
    cells = visit.inner_text("#weights")
    assert all(f"{100 * weight:.1f} %" in cells for weight in weights)


def test_report_is_a_page_in_the_page(visit, facts, tmp_path):
    path = tmp_path / "routing.json"
    path.write_text(json.dumps(facts))
    visit.click("role=tab[name='Routing']")
    visit.set_input_files("#report-file input[type=file]", path)
    frame = visit.wait_for_selector("#report iframe").content_frame()
    frame.wait_for_selector("text=EER 12.50 [5.00, 20.00] %")
    assert "<script>alert(1)</script>" in frame.inner_text("body")


def test_markup_in_a_file_name_is_text(visit, recordings, tmp_path):
    path = tmp_path / "${7*7}{{7*7}}<i>.wav"
    shutil.copy(recordings["silence"], path)
    said = compare(visit, recordings["one"], path)
    assert "49" not in said and "silence" in said
    assert visit.query_selector("#decision .verdict i") is None
