"""Trial lists over a loopback server."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile
import trial_sources
from trial_sources import SHORT_NAMES, trial_paths
from voxceleb_prepare import prepare_voxceleb

from speechbrain_moe.scoring.trials import TrialListError, read_trials

LIST = b"1 id1/a/1.wav id1/b/1.wav\n0 id1/a/1.wav id2/a/1.wav\n"
ANSWERS = {
    "/veri.txt": LIST,
    "/other/veri.txt": LIST.replace(b"id2", b"id3"),
    "/page.txt": b"<html>moved</html>",
}


class Lists(BaseHTTPRequestHandler):
    """Answers GET from ANSWERS, and counts."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = ANSWERS.get(self.path)
        self.send_response(200 if body else 404)
        n_more = 10 if self.path == "/cut.txt" else 0
        body = LIST if n_more else body or b""
        self.send_header("Content-Length", str(len(body) + n_more))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(ANSWERS, "/cut.txt", b"cut")
    with ThreadingHTTPServer(("127.0.0.1", 0), Lists) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()
        thread.join()


def test_a_url_is_fetched_once(server, tmp_path):
    first = trial_paths(f"{server.url}/veri.txt", tmp_path)
    second = trial_paths(f"{server.url}/veri.txt", tmp_path)
    assert first == second and first[0].name == "veri.txt"
    assert first[0].read_bytes() == LIST and server.asked == ["/veri.txt"]


def test_lists_of_one_name_are_kept_apart(server, tmp_path):
    urls = [f"{server.url}/veri.txt", f"{server.url}/other/veri.txt"]
    lists = [read_trials(path) for path in trial_paths(urls, tmp_path)]
    assert [trials.test[1][:3] for trials in lists] == ["id2", "id3"]


@pytest.mark.parametrize(
    "name, word",
    [
        ("gone.txt", "404"),
        ("cut.txt", "IncompleteRead"),
        ("page.txt", "no trial list"),
    ],
)
def test_a_bad_answer_leaves_nothing_and_says_what_to_do(
    server, tmp_path, name, word
):
    with pytest.raises(TrialListError, match=f"{name}.*{word}.*by hand"):
        trial_paths(f"{server.url}/{name}", tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_a_network_the_mend_is_named(tmp_path):
    with pytest.raises(TrialListError, match="trial_list.*fetched.*by hand"):
        trial_paths("http://127.0.0.1:9/veri.txt", tmp_path)


def test_short_names_stand_for_the_cleaned_lists(tmp_path, monkeypatch):
    asked = []

    def write(url, path):
        asked.append(url)
        path.write_bytes(LIST)

    monkeypatch.setattr(trial_sources, "_download", write)
    paths = trial_paths(["O", "E", "H"], tmp_path)
    assert asked == list(SHORT_NAMES.values())
    assert [path.name for path in paths] == [
        "veri_test2.txt",
        "list_test_all2.txt",
        "list_test_hard2.txt",
    ]


def test_a_file_of_a_short_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "O").write_bytes(LIST)
    assert trial_paths("O", tmp_path)[0].read_bytes() == LIST


def test_preparation_keeps_out_the_speakers_of_a_url(server, tmp_path):
    for speaker in range(7):
        folder = tmp_path / "wav" / f"id{speaker}" / "a"
        folder.mkdir(parents=True)
        for utt in (1, 2):
            soundfile.write(folder / f"{utt}.wav", np.zeros(16000), 16000)
    made = prepare_voxceleb(
        tmp_path / "wav",
        tmp_path / "save",
        trial_lists=[f"{server.url}/veri.txt", f"{server.url}/other/veri.txt"],
        n_dev_speakers=2,
        n_dev_trials=4,
    )
    assert made.n_removed_speakers == 3
