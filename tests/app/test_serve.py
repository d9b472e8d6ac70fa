import os
import signal
import sys
from types import SimpleNamespace
from urllib.request import proxy_bypass_environment

import pytest

from speechbrain_moe.app import launch
from speechbrain_moe.app.serve import serve
from speechbrain_moe.errors import InputError, PackageError


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """What launch sets ends with the test."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "none")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "none")
    monkeypatch.setenv("no_proxy", "")


@pytest.mark.parametrize(
    "limit",
    [
        {"max_seconds": 0},
        {"max_mb": 0},
        {"max_seconds": float("nan")},
        {"max_mb": 1001},  # two of them would be more than is kept
    ],
)
def test_limits_that_let_nothing_through_are_refused(package, limit):
    with pytest.raises(InputError, match="0 seconds and 1 to 1000 MB"):
        launch(package, **limit)


def test_without_gradio_the_pip_line_is_given(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match=r'pip install "speechbrain-moe\[app'):
        launch(package)


def test_model_that_is_not_there_is_refused_before_anything_listens():
    pytest.importorskip("gradio")
    with pytest.raises(PackageError, match="no such"):
        launch("no/such/model")


def test_report_that_is_none_is_refused_before_anything_listens(package):
    pytest.importorskip("gradio")
    with pytest.raises(InputError, match="nowhere.json: no routing report"):
        launch(package, report="nowhere.json")


@pytest.mark.parametrize("port", [0, -1, 65536, None])
def test_port_that_cannot_be_is_refused(package, port):
    with pytest.raises(InputError, match=f"port is {port}; give 1 to 65535"):
        launch(package, port=port)


class FakePage:
    """Ends by a signal where a page would wait for its end."""

    def __init__(self, number):
        self.number = number

    def launch(self, server_name, **given):
        self.reaches_itself = proxy_bypass_environment(server_name)
        self.reaches_others = not proxy_bypass_environment("huggingface.co")

    def block_thread(self):
        os.kill(os.getpid(), self.number)


@pytest.fixture
def end_by():
    """Serve a page that is ended by a signal; the handlers come back."""
    numbers = signal.SIGTERM, signal.SIGHUP
    handlers = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    gradio = SimpleNamespace(themes=SimpleNamespace(Default=dict))

    def end_by(number):
        page = FakePage(number)
        serve(page, gradio, "127.0.0.1", 7860, 1)
        return page

    yield end_by
    for number, handler in zip(numbers, handlers):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_uploads_go_when_the_page_is_ended_or_its_terminal_closed(end_by, name):
    with pytest.raises(KeyboardInterrupt):
        end_by(getattr(signal, name))


def test_page_that_nohup_keeps_alive_stays(end_by):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert end_by(signal.SIGHUP)


def test_proxy_is_not_asked_for_the_page_itself(end_by, monkeypatch):
    """A check of gradio's would fail there, and the page not start."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    page = end_by(signal.SIGHUP)
    assert page.reaches_itself and page.reaches_others
