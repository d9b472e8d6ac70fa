import sys

import pytest

from speechbrain_moe.app import launch
from speechbrain_moe.errors import InputError, PackageError


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """What launch sets ends with the test."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "none")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "none")


@pytest.mark.parametrize(
    "limit", [{"max_seconds": 0}, {"max_mb": 0}, {"max_seconds": float("nan")}]
)
def test_limits_that_let_nothing_through_are_refused(package, limit):
    with pytest.raises(InputError, match="give more than 0 seconds and 1 MB"):
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
