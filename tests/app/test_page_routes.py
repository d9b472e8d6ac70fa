import json

import pytest

from speechbrain_moe.app.routes import check_size, route, show_report
from speechbrain_moe.errors import InputError


def test_rows_are_the_weights_of_the_model(served, recordings):
    paths = [recordings["one"], recordings["two"]]
    page = route(served, paths)
    for path in paths:
        for weight in served.recognition.route(path):
            assert f"{100 * weight:.1f} %" in page
    assert page.count("expert ") == 4 and "one.wav" in page


@pytest.mark.parametrize("name", ["text", "silence", "long"])
def test_recording_that_cannot_be_used_is_named(served, recordings, name):
    page = route(served, [recordings["one"], recordings[name]])
    assert f"{name}.wav:" in page and "Not possible" in page


def test_number_of_recordings_is_limited(served, recordings):
    for paths in (None, [recordings["one"]] * 21):
        assert "give 1 to 20 recordings" in route(served, paths)


def test_report_is_shown_in_a_frame_that_runs_nothing(facts, tmp_path):
    path = tmp_path / "routing.json"
    path.write_text(json.dumps(facts))
    page = show_report(path)
    assert 'sandbox=""' in page and "EER 12.50 [5.00, 20.00] %" in page
    assert "&lt;h1" in page and "&lt;script" not in page


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"about": {}}', "\0", "7", "[" * 99999]
)
def test_what_is_no_report_is_refused(tmp_path, text):
    path = tmp_path / "routing.json"
    path.write_text(text)
    page = show_report(path)
    assert "routing.json: no routing report" in page
    assert str(tmp_path) not in page


def test_a_report_that_would_fill_the_memory_is_refused(facts, tmp_path):
    path = tmp_path / "routing.json"
    facts["about"]["n_experts"] = 10**9
    path.write_text(json.dumps(facts))
    assert "routing.json: 1000000000 experts, at most" in show_report(path)
    path.write_text(" " * 6_000_000)
    assert "routing.json: no routing report" in show_report(path)


@pytest.mark.parametrize(
    "n_rows, n_experts, said",
    [(200, 100, "times experts"), (1, 999, "experts")],
)
def test_attributes_whose_picture_would_fill_the_memory_are_refused(
    facts, n_rows, n_experts, said
):
    check_size(facts)
    shares = [[0.1] * 4] * 40
    check_size({**facts, "attributes": {"noise": {"shares": shares}}})
    shares = [[0.1] * n_experts] * n_rows
    with pytest.raises(InputError, match=f"{said}, at most .* are shown here"):
        check_size({**facts, "attributes": {"noise": {"shares": shares}}})


def test_without_a_report_nothing_is_shown():
    assert show_report(None) == ""
