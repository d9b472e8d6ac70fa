"""What a teacher says of crops: read, found by their place, centred."""

import numpy as np
import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.teacher import Teacher
from speechbrain_moe.training.teacher_centre import centred
from speechbrain_moe.training.teacher_crops import TeacherCrops, read_crops

PATHS = ["dev/a.wav", "dev/b.wav"]


@pytest.fixture
def write(tmp_path):
    """Write a teacher file; arguments replace its arrays, None drops one."""

    def make(**changes):
        rng = np.random.default_rng(0)
        arrays = {
            "paths": np.array(PATHS),
            "embeddings": rng.normal(size=(2, 5)),
            "crops_2.0": rng.normal(size=(4, 5)).astype(np.float16),
            "n_crops_2.0": np.array([3, 1]),
            "hop_2.0": np.array(0.25),
            **changes,
        }
        kept = {k: v for k, v in arrays.items() if v is not None}
        np.savez(tmp_path / "teacher.npz", **kept)
        return tmp_path / "teacher.npz"

    return make


def test_crops_have_length_one_and_know_their_rows(write):
    crops = read_crops(write(), 2)
    assert crops.firsts.tolist() == [0, 3, 4] and crops.hop_s == 0.25
    assert crops.embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(crops.embeddings, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    "start_s, place", [(0, 0), (0.12, 0), (0.13, 1), (0.4, 2), (7, 2)]
)
def test_the_nearest_crop_of_the_own_row_is_given(write, start_s, place):
    crops = read_crops(write(), 2.0)
    assert np.array_equal(crops.nearest(0, start_s), crops.embeddings[place])
    assert np.array_equal(crops.nearest(1, start_s), crops.embeddings[3])


BAD = [
    ({"crops_2.0": None}, r"no crops of 2.0 s \(of none\).*teach.py --crops"),
    ({"hop_2.0": None}, r"no crops of 2.0 s \(of 2.0\)"),
    ({"n_crops_2.0": np.array([3, 2])}, "does not fit the paths"),
    ({"n_crops_2.0": np.array([4, 0])}, "does not fit the paths"),
    ({"n_crops_2.0": np.array([4])}, "does not fit the paths"),
    ({"n_crops_2.0": np.array([3.0, 1.0])}, "does not fit the paths"),
    ({"hop_2.0": np.array(0.0)}, "does not fit the paths"),
    ({"crops_2.0": np.ones((4, 3))}, "does not fit the paths"),
    ({"crops_2.0": np.zeros((4, 5))}, "is not finite or zero"),
    ({"crops_2.0": np.full((4, 5), np.nan)}, "is not finite or zero"),
]


@pytest.mark.parametrize("changes, said", BAD, ids=lambda x: str(x)[:30])
def test_crops_that_cannot_be_used_are_refused(write, changes, said):
    with pytest.raises(HyperparameterError, match=f"teacher.npz: .*{said}"):
        read_crops(write(**changes), 2.0)


def test_the_mean_of_the_recordings_is_taken_off_the_crops_too():
    rng = np.random.default_rng(0)
    whole, parts = rng.normal(size=(3, 5)), rng.normal(size=(5, 5))
    rows = {("dev", f"{i}.wav"): i for i in range(3)}
    crops = TeacherCrops(parts, np.array([0, 2, 4, 5]), 0.25)
    files = ["dev/0.wav", "dev/1.wav"]
    found = centred(Teacher(rows, whole, crops), [(files, files)]).crops
    wanted = parts[:4] - whole[:2].mean(0)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.allclose(found.embeddings[:4], wanted)
    rest = parts[4] / np.linalg.norm(parts[4])
    assert found.hop_s == 0.25
    assert np.allclose(found.embeddings[4], rest)


def test_a_crop_that_is_the_mean_keeps_what_it_said():
    whole = np.array([[1.0, 0.0], [0.0, 1.0]])
    rows = {("dev", f"{i}.wav"): i for i in range(2)}
    parts = np.array([[0.5, 0.5], [1.0, 0.0]])
    crops = TeacherCrops(parts, np.arange(3), 0.25)
    files = ["dev/0.wav", "dev/1.wav"]
    found = centred(Teacher(rows, whole, crops), [(files, files)]).crops
    assert found.embeddings[0].tolist() == [0.5, 0.5]
    assert np.allclose(found.embeddings[1], np.sqrt([0.5, 0.5]) * [1, -1])
