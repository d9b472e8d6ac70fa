"""A page's server in a process of its own, and what visitors do there."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

LAUNCH = """\
import sys
from speechbrain_moe.app import launch
launch(sys.argv[1], port=int(sys.argv[2]), max_seconds=5, max_mb=1)
"""
# As where the web is reached by a proxy, which cannot reach this machine
NO_SUCH_PROXY = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
START_S = 300  # to import everything on a busy machine


@contextlib.contextmanager
def running_page(package, folder, log, before=""):
    """Serve a page; yields its port. It must end as it should."""
    port = free_port()
    with open(log, "w") as err:
        server = subprocess.Popen(
            [sys.executable, "-c", before + LAUNCH, str(package), str(port)],
            env=os.environ | {"TMPDIR": str(folder)} | NO_SUCH_PROXY,
            stderr=err,
            stdout=err,
        )
        try:
            wait_until(
                lambda: "Ctrl-C" in log.read_text() or server.poll() is not None
            )
            assert server.poll() is None, log.read_text()
            yield port
        finally:
            server.terminate()
            ended = server.wait(timeout=60)
    assert ended == 0, log.read_text()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(done):
    end = time.monotonic() + START_S
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def answers(port, host="127.0.0.1"):
    with socket.socket() as one:
        return one.connect_ex((host, port)) == 0


@contextlib.contextmanager
def sending(port, name, left_out=0):
    """Upload a small file as the page does, some bytes left out."""
    body = (
        f'--x\r\nContent-Disposition: form-data; name="files"; '
        f'filename="{name}"\r\n\r\n{"sound " * 9999}\r\n--x--\r\n'
    )
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall((head + body)[: len(head + body) - left_out].encode())
        yield one


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
