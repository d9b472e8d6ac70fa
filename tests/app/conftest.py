"""A tiny package with error rates, recordings, a server, a browser."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from page_server import running_page

from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.scoring.histogram import count_scores

ROW = {"value": 0.5, "n_errors": 40, "reason": None}
REFUSED = {"value": None, "n_errors": 3, "reason": "3 false alarms, 30 wanted"}
THRESHOLDS = {"eer": ROW, "far1": ROW, "far0.1": REFUSED}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
FLAGS += ("--disable-background-networking",)
WAIT_MS = 60_000


@pytest.fixture(scope="session")
def package(experiment, tmp_path_factory):
    """Thresholds at 0.5, llr = 8 cosine - 4, scores of 100 trials counted."""
    training = tmp_path_factory.mktemp("page") / "training"
    shutil.copytree(experiment, training)
    key = encoder_key(load_encoder(training))
    step = {"names": ["cosine"], "weights": [8.0], "offset": -4.0}
    calibration = {
        "model": key,
        "n_speakers": 4,
        "calibrations": {"llr_cosine": step},
        "thresholds": {"cosine": THRESHOLDS},
    }
    labels = np.repeat([1, 0], 50)
    scores = np.linspace(-0.5, 1.0, 100)[::-1]
    measured = {"n_trials": 100, "n_target": 50, "n_speakers": 5, "eer": 7.5}
    rates = {"miss": 8.0, "false_alarm": 6.0}
    cosine = {
        **measured,
        "histogram": count_scores(labels, scores),
        "thresholds": THRESHOLDS | {"eer": ROW | rates},
    }
    metrics = {"list": "list.txt", "model": key, **measured}
    metrics["steps"] = {"cosine": cosine}
    (training / "list").mkdir()
    for name, content in (("calibration", calibration), ("metrics", metrics)):
        path = training / "list" / f"{name}.json"
        path.write_text(json.dumps(content))
    return export_package(training, training.with_name("package"))


@pytest.fixture(scope="session")
def recordings(voices, tmp_path_factory):
    """Two voices, silence, faults, eight seconds, and a text, as .wav."""
    folder = tmp_path_factory.mktemp("recordings")
    one, two = (wav.numpy() for wav in voices(2, 32000))
    wavs = {
        "one": one,
        "two": two,
        "silence": np.zeros(16000),
        "click": one[:800],
        "clipped": np.clip(one, -0.05, 0.05),
        "long": np.tile(one, 4),
    }
    paths = {name: folder / f"{name}.wav" for name in (*wavs, "text")}
    for name, wav in wavs.items():
        soundfile.write(paths[name], wav, 16000, subtype="FLOAT")
    paths["text"].write_text("This is no sound at all.\n" * 99)
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture(scope="session")
def served(package):
    from speechbrain_moe.app.serve import open_served

    return open_served(package, max_seconds=5)


@pytest.fixture
def facts():
    """The least that a report is made of: a model that does not route."""
    about = {
        "n_experts": 1,
        "selection": "soft",
        "top_k": 1,
        "always_on_weight": 0.0,
        "n_files": 4,
        "n_speakers": 2,
        "n_targets": 3,
        "n_nontargets": 3,
        "model": "<script>alert(1)</script>",
    }
    whole = {"estimate": 12.5, "low": 5.0, "high": 20.0}
    nothing = {"similarity": [[1.0]], "map": None, "examples": []}
    return {
        "about": about,
        "routes": None,
        "errors": {"whole": whole},
        **nothing,
    }


@pytest.fixture(scope="session")
def uploads(tmp_path_factory):
    """Where the server keeps what it is sent."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def port(package, uploads, tmp_path_factory):
    """That of one server, which has nothing to complain of."""
    pytest.importorskip("gradio")
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with running_page(package, uploads, log) as port:
        yield port
    assert "Traceback" not in log.read_text()


@pytest.fixture
def url(port):
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser():
    """Closed after each module: it keeps an event loop running."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    with api.sync_playwright() as runner:
        chromium = runner.chromium.launch(executable_path=path, args=[*FLAGS])
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
