"""A voice recorded on the page, by a browser whose microphone is fed."""

import shutil

import numpy as np
import pytest
import soundfile
from conftest import FLAGS
from page_server import numbers_on, upload

FED = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


@pytest.fixture(scope="module")
def browser(recordings, tmp_path_factory):
    """Hears a recording over and over, and lets every page listen."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    heard = tmp_path_factory.mktemp("microphone") / "heard.wav"
    wav, rate = soundfile.read(recordings["one"])
    soundfile.write(heard, np.tile(wav, 5), rate, subtype="PCM_16")
    fed = [*FLAGS, *FED, f"--use-file-for-fake-audio-capture={heard}"]
    with api.sync_playwright() as runner:
        chromium = runner.chromium.launch(executable_path=path, args=fed)
        yield chromium
        chromium.close()


def record(page, place, milliseconds):
    """Record for a time, and wait until the server has it."""
    page.click(f"#{place} button[aria-label='Record audio']")
    page.wait_for_timeout(1500)  # the microphone is asked for
    page.click(f"#{place} button.record-button")
    page.wait_for_timeout(milliseconds)
    with page.expect_response(lambda answer: "/upload" in answer.url):
        page.click(f"#{place} button.stop-button")
    page.wait_for_timeout(1000)


def test_a_recorded_voice_is_compared_as_one_that_was_sent(visit, recordings):
    record(visit, "first", 2500)
    upload(visit, "second", recordings["two"])
    visit.click("#compare")
    visit.wait_for_selector("#decision .verdict")
    found = numbers_on(visit, "decision")
    assert found["same_speaker"] in (True, False) and found["reason"] is None
    assert -1 <= found["score"] <= 1
