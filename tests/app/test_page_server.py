"""What the page's server takes, keeps and lets go."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from page_server import (
    LAUNCH,
    START_S,
    answers,
    running_page,
    sending,
    wait_until,
)

SOON = "import speechbrain_moe.app.serve as one; one.DELETE = (1, 3, 10**9)\n"


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_listens_to_this_machine_alone(port):
    assert answers(port) and not answers(port, "127.0.0.2")


def test_port_that_is_taken_is_said(package, port):
    second = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(package), str(port)],
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    assert second.returncode == 1
    assert f"InputError: 127.0.0.1:{port} cannot be" in second.stderr


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


def test_uploads_are_deleted_in_time_and_go_with_the_server(package, tmp_path):
    pytest.importorskip("gradio")
    log, folder = tmp_path / "log.txt", tmp_path / "uploads"
    folder.mkdir()
    with running_page(package, folder, log, SOON) as port:
        for left_out in (0, 20000):  # the second one hangs up in the midst
            with sending(port, "sent.wav", left_out):
                wait_until(lambda: files_in(folder))
            wait_until(lambda: not files_in(folder))
        with sending(port, "last.wav") as one:
            assert b" 200 " in one.recv(99)
        assert files_in(folder)
    assert not [*folder.glob("speechbrain-moe-page-*")]
