import numpy as np
import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.changed_voices import (
    ChangedVoices,
    check_drawn_by,
    check_files,
    check_voices,
)
from speechbrain_moe.training.teacher import Teacher

ROWS = [
    {"path": "pack/dev/ann/s1/1.flac", "spk_id": "ann"},
    {"path": "pack/more/x.y.opus", "spk_id": ""},
]
VOICES = ChangedVoices(2, "heard", "pack/dev", "pack/more")
FILES = [
    "heard/dev/v1/ann/s1/1.wav",
    "heard/dev/v2/ann/s1/1.wav",
    "heard/more/v1/x.y.wav",
    "heard/more/v2/x.y.wav",
]


LIVE = {"live_teacher": "w.pt", "teacher_embeddings": "t", "n_voices": 2}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder, with the voices of all rows."""
    monkeypatch.chdir(tmp_path)
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


def teacher_of(paths):
    rows = {tuple(path.split("/")): i for i, path in enumerate(paths)}
    return Teacher(rows, np.ones((len(paths), 1), np.float32))


def test_voices_are_found_by_folder_number_and_path():
    found = [VOICES.paths(row["path"], row["spk_id"]) for row in ROWS]
    assert found[0] == [ROWS[0]["path"], *FILES[:2]]
    assert found[1] == [ROWS[1]["path"], *FILES[2:]]


def test_without_voices_a_recording_is_alone():
    assert ChangedVoices().paths("a/1.wav", "ann") == ["a/1.wav"]


def test_a_link_to_a_folder_has_the_voices_of_the_folder(here):
    (here / "data").mkdir()
    (here / "link").symlink_to(here / "data")
    found = ChangedVoices(1, "heard", "link").paths("link/ann/1.wav", "ann")
    assert found[1] == "heard/data/v1/ann/1.wav"


def test_voices_that_are_all_there_pass(here):
    check_files(VOICES, ROWS, teacher_of([ROWS[1]["path"], *FILES[2:]]))


@pytest.mark.parametrize("file", FILES)
def test_a_missing_voice_is_named_and_what_makes_it(here, file):
    (here / file).unlink()
    with pytest.raises(HyperparameterError) as caught:
        check_files(VOICES, ROWS, teacher_of(FILES))
    assert f"voices_folder: {file}: no such file" in str(caught.value)
    assert "change_voices.py" in str(caught.value)


def test_an_unlabelled_voice_that_would_teach_nothing_is_refused(here):
    teacher = teacher_of([ROWS[1]["path"], FILES[2]])
    with pytest.raises(HyperparameterError, match=f"no row for {FILES[3]}"):
        check_files(VOICES, ROWS, teacher)


@pytest.mark.parametrize("drawn_by", ["speaker", "file", None])
def test_voices_that_each_file_has_of_its_own_are_refused(tmp_path, drawn_by):
    voices = ChangedVoices(1, f"{tmp_path}/heard", f"{tmp_path}/data/dev")
    if drawn_by:
        (tmp_path / "dev.drawn_by").write_text(f"{drawn_by}\n")
    if drawn_by == "file":
        with pytest.raises(HyperparameterError, match="anew by .* --speakers"):
            check_drawn_by(voices)
    else:
        check_drawn_by(voices)


def test_labelled_voices_need_no_teacher(here):
    check_files(VOICES, ROWS[:1])


@pytest.mark.parametrize(
    "given, said",
    [
        (
            {"n_voices": 3, "voices_folder": None},
            "n_voices is 3 and voices",
        ),
        ({"n_voices": 0, "voices_folder": "h"}, "n_voices is 0 and .* 'h'"),
        (
            {"n_voices": 1, "voices_folder": "h", "shards": "s"},
            "shards 's': shards hold no changed voices",
        ),
        (LIVE | {"voices_folder": "h"}, "'w.pt': .* give voices_folder null"),
        (LIVE | {"shards": "s"}, "live_teacher is 'w.pt': .*give shards null"),
        (LIVE | {"speeds": [1.0, 0.9]}, r"'w.pt': .* give speeds \[1.0\]"),
        (
            {**LIVE, "teacher_embeddings": None},
            "live_teacher is 'w.pt' and teacher_embeddings null",
        ),
        (LIVE | {"sample_rate": 8000}, "'w.pt' and sample_rate 8000: .*16000"),
        (LIVE | {"batch_size": 7}, "'w.pt' and batch_size 7: .* even number"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(given, said):
    with pytest.raises(HyperparameterError, match=said):
        check_voices(given)


@pytest.mark.parametrize(
    "given",
    [
        {"n_voices": 0, "voices_folder": None, "shards": "s"},
        {"n_voices": 2, "voices_folder": "h", "shards": None},
        LIVE,
        {**LIVE, "n_voices": 0, "speeds": [1.0], "shards": None},
        {},
    ],
    ids=str,
)
def test_what_goes_together_passes(given):
    check_voices(given)
