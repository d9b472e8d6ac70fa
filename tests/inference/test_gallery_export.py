import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.gallery_export import read_export, write_export
from speechbrain_moe.inference.gallery_file import Recordings

EMBEDDINGS = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)
FOUND = Recordings(
    "key", ["Ann, B.", "王"], ["a.wav", "b.wav"], ["0a", "1b"], EMBEDDINGS
)


def test_what_was_written_is_read(tmp_path):
    write_export(tmp_path / "new" / "voices.npz", FOUND)
    found = read_export(tmp_path / "new" / "voices.npz")
    assert found[:4] == FOUND[:4]
    assert np.array_equal(found.embeddings, EMBEDDINGS)


@pytest.mark.parametrize("name", ["taken/voices.npz", "folder.csv"])
def test_place_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=f"{name} cannot be written .*; give"):
        write_export(tmp_path / name, FOUND)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match="ends in .npz or .csv"):
        write_export(tmp_path / "voices.pkl", FOUND)


@pytest.mark.parametrize(
    "changed",
    [
        {"names": np.array(["Ann"])},
        {"names": np.array([1, 2])},
        {"names": np.array([["Ann", "Bob"]])},
        {"names": np.array("Ann")},
        {"embeddings": 2 * EMBEDDINGS},
        {"embeddings": np.full((2, 2), np.nan)},
        {"embeddings": EMBEDDINGS[:1]},
        {"embeddings": EMBEDDINGS[..., None]},
        {"embeddings": np.array(1.0)},
        {"embeddings": np.array([["a", "b"], ["c", "d"]])},
        {"sha256": np.array(["0a"])},
    ],
)
def test_what_no_gallery_exports_is_refused(tmp_path, changed):
    write_export(tmp_path / "voices.npz", FOUND)
    with np.load(tmp_path / "voices.npz") as arrays:
        np.savez(tmp_path / "odd.npz", **(dict(arrays) | changed))
    with pytest.raises(InputError, match="odd.npz.*export"):
        read_export(tmp_path / "odd.npz")


def test_missing_and_damaged_files_are_named(tmp_path):
    (tmp_path / "text.npz").write_text("text")
    np.savez(tmp_path / "few.npz", names=np.array(["ann"]))
    with open(tmp_path / "array.npz", "wb") as stream:
        np.save(stream, EMBEDDINGS)
    for name in ("none.npz", "text.npz", "few.npz", "array.npz"):
        with pytest.raises(InputError, match=f"{name} cannot be taken in"):
            read_export(tmp_path / name)


@pytest.mark.parametrize("place", [4, 6, 8])  # version, flags, method
def test_a_damaged_byte_of_the_zip_is_refused(tmp_path, place):
    path = tmp_path / "voices.npz"
    write_export(path, FOUND)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + place + 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="voices.npz cannot be taken in"):
        read_export(path)
