import sys

import numpy as np
import pandas as pd
import pytest

from speechbrain_moe.errors import InputError, MissingPackageError
from speechbrain_moe.inference.embedding_files import write_embeddings
from speechbrain_moe.inference.file_embeddings import FileEmbeddings


@pytest.fixture
def found():
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    paths = ["a/1.wav", "b/2.wav", "ü.wav"]
    return FileEmbeddings(paths, rows, {"duration_s": np.arange(3.0)}, {})


def read_npz(path):
    with np.load(path) as arrays:
        return arrays["paths"].tolist(), arrays["embeddings"]


def read_table(path, read):
    table = read(path)
    assert table.duration_s.tolist() == [0.0, 1.0, 2.0]
    vectors = table[[f"e{i}" for i in range(4)]].to_numpy(np.float32)
    return table.path.tolist(), vectors


def read_ark(path):
    """As Kaldi does: key, then numbers in brackets."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines]
    vectors = [np.float32(text.strip("[ ]").split()) for _, text in pairs]
    return [key for key, _ in pairs], np.array(vectors)


READERS = {
    "npz": read_npz,
    "csv": lambda path: read_table(path, pd.read_csv),
    "parquet": lambda path: read_table(path, pd.read_parquet),
    "ark": read_ark,
}


@pytest.mark.parametrize("form", READERS)
def test_every_form_gives_back_paths_and_float32(form, found, tmp_path):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"voices.{form}"
    write_embeddings(path, found)
    paths, embeddings = READERS[form](path)
    assert paths == found.paths
    assert np.array_equal(embeddings, found.embeddings)


def test_ark_refuses_a_path_with_a_space(found, tmp_path):
    found = found._replace(paths=["a b.wav", "c.wav", "d.wav"])
    with pytest.raises(InputError, match="'a b.wav' holds white space"):
        write_embeddings(tmp_path / "voices.ark", found)


def test_parquet_without_pyarrow_gives_the_pip_line(
    found, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match="pip install pyarrow"):
        write_embeddings(tmp_path / "voices.parquet", found)
