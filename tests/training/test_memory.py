import ctypes
import platform
import subprocess
import sys

from speechbrain_moe.training.memory import keep_freed_memory


class Libc:
    """Stands in for glibc; answers as told and remembers the calls."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.calls = []

    def mallopt(self, name, value):
        self.calls.append((name, value))
        return self.answers.pop(0)


def pretend(monkeypatch, libc, name="glibc"):
    monkeypatch.setattr(platform, "libc_ver", lambda: (name, "2.39"))
    monkeypatch.setattr(ctypes, "CDLL", lambda path: libc)


def test_both_settings_of_malloc_h_are_made(monkeypatch):
    libc = Libc([1, 1])
    pretend(monkeypatch, libc)
    assert keep_freed_memory() is True
    assert libc.calls == [(-4, 0), (-1, -1)]


def test_a_refused_setting_is_told(monkeypatch):
    for answers in ([0], [1, 0]):
        pretend(monkeypatch, Libc(answers))
        assert keep_freed_memory() is False


def test_other_libraries_are_left_alone(monkeypatch):
    libc = Libc([])
    pretend(monkeypatch, libc, name="musl")
    assert keep_freed_memory() is False and libc.calls == []


def test_importing_sets_nothing():
    code = (
        "import ctypes\n"
        "ctypes.CDLL = None\n"
        "import speechbrain_moe.training.memory as memory\n"
        "assert callable(memory.keep_freed_memory)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
