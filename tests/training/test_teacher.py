import numpy as np
import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.teacher import (
    Teacher,
    read_teacher,
    teacher_rows,
)
from speechbrain_moe.training.teacher_centre import centred

PATHS = ["dev/id1/s01/1.opus", "dev/id1/s01/2.opus", "unlabelled/a/1.opus"]


@pytest.fixture
def write(tmp_path):
    """Write a teacher file; arguments replace its arrays, None drops one."""

    def make(**changes):
        rng = np.random.default_rng(0)
        arrays = {
            "paths": np.array(PATHS),
            "embeddings": rng.normal(size=(3, 5)).astype(np.float16),
            **changes,
        }
        kept = {k: v for k, v in arrays.items() if v is not None}
        np.savez(tmp_path / "teacher.npz", **kept)
        return tmp_path / "teacher.npz"

    return make


def test_embeddings_come_in_float32_with_length_one(write):
    embeddings = read_teacher(write()).embeddings
    assert embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


NAN = np.full((3, 5), np.nan)
BAD = [
    ({"paths": None}, "paths is not a file.*give arrays paths and embeddings"),
    ({"embeddings": None}, "embeddings is not a file.*give arrays"),
    ({"embeddings": np.ones((2, 5))}, r"\(3,\).*\(2, 5\): give N texts"),
    ({"embeddings": np.ones(3)}, "give N texts and N vectors"),
    ({"embeddings": np.ones((3, 5), int)}, "vectors of floats"),
    ({"paths": np.array([1, 2, 3])}, "give N texts"),
    ({"paths": np.array(PATHS, dtype=object)}, "cannot be read"),
    ({"embeddings": NAN}, "embedding of dev/id1/s01/1.opus is not finite"),
    ({"embeddings": np.zeros((3, 5))}, "1.opus is not finite or zero"),
    ({"paths": np.array([PATHS[0]] * 3)}, "1.opus stands there twice"),
]


@pytest.mark.parametrize("changes, said", BAD, ids=lambda x: str(x)[:30])
def test_a_file_that_cannot_be_used_is_refused(write, changes, said):
    with pytest.raises(HyperparameterError, match=f"teacher.npz: .*{said}"):
        read_teacher(write(**changes))


def test_a_missing_or_broken_file_is_refused_by_name(tmp_path):
    with pytest.raises(HyperparameterError, match="a.npz: no such file"):
        read_teacher(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"no zip")
    with pytest.raises(HyperparameterError, match="a.npz: cannot be read"):
        read_teacher(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "tested",
    ["id1/s01/2.opus", "test/id1/s01/2.opus", "/x/id1/s01/2.opus", "2.opus"],
)
def test_a_row_of_the_trial_list_is_refused_whatever_its_folder(write, tested):
    with pytest.raises(HyperparameterError, match="s01/2.opus stands in the"):
        read_teacher(write(), ["id9/s01/7.opus", tested])


def test_other_speakers_with_the_same_file_names_are_no_leak(write):
    tested = ["id2/s01/1.opus", "test/id1/s02/1.opus", "xid1/s01/1.opus"]
    assert len(read_teacher(write(), tested).rows) == 3


def test_audio_finds_its_row_from_any_folder_below(write):
    teacher = read_teacher(write())
    files = [f"/data/pack/{path}" for path in PATHS] + ["/data/id1/s01/1.opus"]
    assert teacher_rows(teacher, files) == dict(zip(files, range(3)))


def test_one_row_for_two_files_is_refused():
    teacher = Teacher({("1.wav",): 0}, np.ones((1, 2)))
    with pytest.raises(HyperparameterError, match="a/1.wav and b/1.wav"):
        teacher_rows(teacher, ["a/1.wav", "b/1.wav"])


def test_centred_recordings_have_nothing_in_common_within_a_corpus():
    rng = np.random.default_rng(1)
    corpora = {"dev": [5, 0, 0, 0, 0], "more": [0, 5, 0, 0, 0]}
    paths = [f"{name}/{i}.wav" for name in corpora for i in range(40)]
    embeddings = np.repeat([*corpora.values()], 40, axis=0) + rng.normal(
        size=(80, 5)
    )
    rows = {tuple(path.split("/")): i for i, path in enumerate(paths)}
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    plain = Teacher(rows, embeddings / lengths)
    # The last ten of each are changed voices: moved, and not in the mean
    parts = [paths[:40], paths[40:]]
    found = centred(plain, [(part[:30], part) for part in parts]).embeddings
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    for first in (0, 40):
        recordings = slice(first, first + 30)
        assert np.linalg.norm(plain.embeddings[recordings].mean(0)) > 0.8
        assert np.linalg.norm(found[recordings].mean(0)) < 0.2
        mean = plain.embeddings[recordings].mean(0)
        left = plain.embeddings[first + 35] - mean
        assert np.allclose(found[first + 35], left / np.linalg.norm(left))


def test_what_is_in_no_corpus_stays(write):
    teacher = read_teacher(write())
    found = centred(teacher, [(PATHS[:2], PATHS[:2]), (["no/1"], ["no/1"])])
    assert np.array_equal(found.embeddings[2], teacher.embeddings[2])
    assert not np.allclose(found.embeddings[:2], teacher.embeddings[:2])


def test_a_lone_recording_cannot_be_centred(write):
    with pytest.raises(HyperparameterError, match="unlabelled/a/1.opus is th"):
        centred(read_teacher(write()), [(PATHS[2:], PATHS[2:])])


def test_voices_of_recordings_that_are_not_known_cannot_be_centred(write):
    with pytest.raises(HyperparameterError, match="knows dev/id1/s01/1.opus"):
        centred(read_teacher(write()), [(["dev/no.wav"], PATHS[:2])])
