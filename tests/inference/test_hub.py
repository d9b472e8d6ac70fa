import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from safetensors.torch import load_file, save_file

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.about import About
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.inference.hub import operations, push
from speechbrain_moe.inference.manifest import read_manifest, write_manifest

CLIENT = Path(__file__).with_name("hub_client.py")


def other_version(package, folder, shift):
    """A package that differs in its weights, and one file."""
    shutil.copytree(package, folder)
    path = folder / "embedding_model.safetensors"
    state = load_file(path)
    for bias in [key for key in state if key.endswith("fc.conv.bias")]:
        state[bias][:16] += shift
    save_file(state, path)
    (folder / f"notes_{shift}.txt").write_text("of this version alone")
    said = read_manifest(package)
    write_manifest(folder, "2", said["config"], said["training"])
    return folder


@pytest.fixture(scope="module")
def told(experiment, voices, tmp_path_factory):
    """What hub_client.py found, over HTTP, in its own process."""
    home = tmp_path_factory.mktemp("hub")
    examples = [home / "a.wav", home / "b.wav"]
    for path, wav in zip(examples, voices(2, 8000).numpy()):
        soundfile.write(path, wav, 16000)
    about = About(repo_id="user/voices")
    one = export_package(experiment, home / "one", about, examples)
    two = other_version(one, home / "two", 1)
    three = other_version(one, home / "three", 2)
    kept = ("HF_", "HUGGING", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    done = subprocess.run(
        [sys.executable, CLIENT, one, two, three, home],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(kept)},
        timeout=600,  # against a hang; machines may be busy
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads(done.stdout.splitlines()[-1]), "log": done.stderr}


@pytest.fixture
def near():
    return lambda values: pytest.approx(values, abs=1e-6)


def test_pulled_package_is_the_pushed_one_in_real_files(told, near):
    assert "embedding_model.safetensors" in told["pulled"]
    assert "manifest.json" in told["pulled"]
    assert not [name for name in told["pulled"] if name.startswith(".")]
    assert told["links"] == 0
    assert told["opened from the pulled folder"] == near(told["one"])


def test_snippet_of_the_card_runs_in_an_empty_folder(told):
    score = float(told["snippet of the card"])
    assert -1 <= score < 0.99999  # of two recordings, not of one


def test_page_of_a_push_is_that_of_its_commit(told):
    assert re.fullmatch(
        r"http://127.0.0.1:\d+/user/voices/commit/\w{40}", told["page"]
    )


@pytest.mark.parametrize(
    "how", ["stock", "stock with a savedir", "opened with a savedir"]
)
def test_hub_id_loads_as_the_folder_does(told, near, how):
    assert told[how] == near(told["one"])


@pytest.mark.parametrize("how", ["opened, main", "stock, main"])
def test_second_push_is_what_main_loads(told, near, how):
    assert told[how] == near(told["two"])
    assert told["two"] != near(told["one"])


@pytest.mark.parametrize(
    "how",
    [
        "opened, tag",
        "opened, commit",
        "stock, commit",
        "command, tag",
        "opened, savedir of the revision",
        "no links, opened",
        "no links, stock",
    ],
)
def test_old_revision_still_loads_by_its_pin(told, near, how):
    assert told[how] == near(told["one"])


def test_push_is_one_commit_and_leaves_exactly_the_package(told):
    assert told["commits"] == 2
    assert ".gitattributes" in told["head"]
    assert "notes_1.txt" in told["head"]
    assert (
        sorted(told["pulled"] + ["notes_1.txt", ".gitattributes"])
        == (told["head"])
    )
    assert told["twice"] == told["pulled"]  # v1, without the notes


@pytest.mark.parametrize("part", ["/_lfs/", "/commit/"])
def test_upload_that_is_cut_is_one_error(told, part):
    wanted = "PackageError: user/voices: the Hub cannot be reached"
    assert told[f"push, cut at {part}"].startswith(wanted), part


def test_upload_that_is_cut_leaves_no_trace_of_itself(told, near):
    assert told["unchanged"] is True
    assert told["tags"] == ["v1"]
    assert told["opened after the cuts"] == near(told["two"])
    assert told["opened, pushed again"] == near(told["three"])
    assert told["three"] != near(told["two"])


@pytest.mark.parametrize(
    "what, message",
    [
        ("stock, stale savedir", "savedir holds another revision"),
        ("opened, stale savedir", "b: its .* is not that of revision"),
        ("pull, stale folder", "pulled: its .* is not that of revision"),
        ("wrong revision", "user/voices: no revision v9; give a branch"),
        ("missing repository", "user/nothing: no such repository, or a pri"),
        ("no package", "user/else is no package, it holds no hyperparams"),
        ("command, training", "user/training is no package; give the id of"),
        ("pull, wrong id", "voices is no Hub id: give one of the form"),
        ("wrong id", "there is no such folder, and a Hub id has the form"),
        ("private, no token", "user/secret: no such .*HF_TOKEN, or the comm"),
        ("push, no token", "user/mine: the Hub refused the token"),
        ("push, private to public", "user/voices exists and is public"),
        ("push, tag there", "has a tag v1 already.* give another one"),
        ("push, damaged", "classifier.safetensors was changed"),
        ("offline, unseen", "user/unseen: the Hub cannot be reached.*folder"),
        ("offline, unseen commit", "revision f{40} is not in the cache"),
        ("changed byte in the cache", "embedding_model.safetensors was chan"),
        ("stock, changed byte in the cache", "is not the .* manifest.json of"),
    ],
)
def test_each_thing_that_goes_wrong_is_one_error_with_its_mend(
    told, what, message
):
    assert re.match(f"PackageError: .*{message}", str(told[what]))


def test_refused_pushes_write_nothing(told):
    assert told["refused pushes"] == 0


def test_token_is_taken_from_the_environment(told, near):
    assert told["private, token of the environment"] == near(told["one"])


@pytest.mark.parametrize(
    "how", ["offline, commit", "offline, tag", "offline, stock folder"]
)
def test_what_was_fetched_once_needs_no_network(told, near, how):
    assert told[how] == near(told["one"])


def test_revision_that_could_not_be_asked_for_is_logged(told):
    logged = "user/voices: the Hub cannot be reached, so the revision of the"
    assert told["log"].count(logged) == 1  # the tag's; a commit is certain


def test_files_that_a_package_lost_are_deleted_but_not_the_hubs_own():
    steps = operations(Path(), [], {"old.wav", ".gitattributes", "README.md"})
    assert [step.path_in_repo for step in steps] == ["README.md", "old.wav"]


def test_folder_that_is_no_package_is_not_pushed(tmp_path):
    with pytest.raises(PackageError, match="manifest.json: no such file"):
        push(tmp_path, "user/voices")
