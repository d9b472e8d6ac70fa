"""The page as a visitor has it: a headless browser, a server of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from speechbrain_moe.inference.shipped import open_recognition

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium"
)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
FLAGS += ("--disable-background-networking",)
LAUNCH = """\
import sys
from speechbrain_moe.app import launch
launch(sys.argv[1], port=int(sys.argv[2]), max_seconds=5, max_mb=1)
"""
START_S = 300  # to import everything on a busy machine
WAIT_MS = 60_000


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """Where the server keeps what it is sent."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def url(package, uploads, tmp_path_factory):
    """A server in a process of its own, which ends as it should."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log.txt"
    with open(log, "w") as err:
        server = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(package), str(port)],
            env=os.environ | {"TMPDIR": str(uploads)},
            stderr=err,
            stdout=err,
        )
        try:
            wait_until(
                lambda: "Ctrl-C" in log.read_text() or server.poll() is not None
            )
            assert server.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            ended = server.wait(timeout=60)
    assert ended == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def wait_until(done):
    end = time.monotonic() + START_S
    while not done():
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as runner:
        chromium = runner.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, url):
    """A page just opened, that notes what it asks for."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(url)
    page.wait_for_selector("#first input[type=file]", state="attached")
    yield page
    context.close()


def is_upload(response):
    return "/upload?" in response.url


def upload(page, place, path):
    with page.expect_response(is_upload):
        page.set_input_files(f"#{place} input[type=file]", path)
    # Where the page has the file, there is no place to drop one any more
    drop = f"#{place} input[type=file]"
    page.wait_for_selector(drop, state="detached")


def compare(page, enrol, test):
    upload(page, "first", enrol)
    upload(page, "second", test)
    page.click("#compare")
    page.wait_for_selector("#decision .verdict")
    return page.inner_text("#decision .verdict")


def numbers_on(page, place):
    return json.loads(page.text_content(f"#{place} .json"))


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


def test_large_file_is_not_taken(visit, url, tmp_path, uploads):
    path = tmp_path / "large.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, (48000, 8))
    soundfile.write(path, noise, 48000, subtype="FLOAT")
    visit.set_input_files("#first input[type=file]", path)
    visit.wait_for_selector("text=exceed the maximum allowed size of 1.0 Mb")
    # Nor from who goes round the page
    answer = send(visit, url, path.read_bytes())
    assert answer.status == 413
    kept = [one for one in uploads.rglob("*") if one.is_file()]
    assert all(one.stat().st_size < 1e6 for one in kept)


def send(page, url, content):
    """Upload as the page does, without it."""
    file = {"name": "sent.wav", "mimeType": "audio/wav", "buffer": content}
    return page.request.post(
        f"{url}/gradio_api/upload", multipart={"files": file}
    )


def test_person_is_enrolled_identified_and_forgotten(
    visit, package, recordings
):
    one = recordings["one"]
    visit.click("role=tab[name='Enrol and identify']")
    visit.fill("#name textarea, #name input", "Zoë")
    upload(visit, "enrol-voice", one)
    visit.click("#enrol")
    visit.wait_for_selector("#enrolment .verdict")
    assert "Zoë, 1 recording." in visit.inner_text("#enrolment")
    upload(visit, "unknown-voice", recordings["two"])
    visit.click("#identify")
    visit.wait_for_selector("#identity .verdict")
    model = open_recognition(package)
    found = model.identify(recordings["two"], {"Zoë": model.enrol(one)})
    page = numbers_on(visit, "identity")
    for key in ("name", "scores", "llr", "probability", "threshold"):
        assert page[key] == getattr(found, key), key
    visit.reload()
    visit.click("role=tab[name='Enrol and identify']")
    upload(visit, "unknown-voice", one)
    visit.click("#identify")
    visit.wait_for_selector("#identity .verdict")
    assert "nobody is enrolled" in visit.inner_text("#identity")


def test_a_visitor_does_not_see_whom_another_enrolled(
    visit, browser, url, recordings
):
    visit.click("role=tab[name='Enrol and identify']")
    visit.fill("#name textarea, #name input", "ann")
    upload(visit, "enrol-voice", recordings["one"])
    visit.click("#enrol")
    visit.wait_for_selector("#enrolment .verdict")
    with browser.new_context() as context:
        other = context.new_page()
        other.set_default_timeout(WAIT_MS)
        other.goto(url)
        other.click("role=tab[name='Enrol and identify']")
        upload(other, "unknown-voice", recordings["one"])
        other.click("#identify")
        other.wait_for_selector("#identity .verdict")
        assert "nobody is enrolled" in other.inner_text("#identity")


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


def test_port_that_is_taken_is_said(package, url):
    port = url.rsplit(":", 1)[1]
    second = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(package), port],
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    assert second.returncode == 1
    assert f"InputError: 127.0.0.1:{port} cannot be" in second.stderr


def test_uploads_are_deleted_in_time_and_go_with_the_server(
    browser, package, tmp_path
):
    port = free_port()
    soon = "import speechbrain_moe.app.page as page; page.DELETE_S = (1, 3)\n"
    server = subprocess.Popen(
        [sys.executable, "-c", soon + LAUNCH, str(package), str(port)],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port) or server.poll() is not None)
        url = f"http://127.0.0.1:{port}"
        page = browser.new_page()
        assert send(page, url, b"one").ok
        assert [*tmp_path.rglob("sent.wav")]
        wait_until(lambda: not [*tmp_path.rglob("sent.wav")])
        assert send(page, url, b"two").ok
        page.close()
    finally:
        server.terminate()
        server.wait(timeout=60)
    assert not [*tmp_path.glob("speechbrain-moe-page-*")]


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
