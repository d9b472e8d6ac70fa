import pytest
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.labels import fill_labels


def test_speakers_are_numbered_in_order_and_the_numbering_is_kept(tmp_path):
    path = tmp_path / "labels.txt"
    for _ in range(2):
        encoder = CategoricalEncoder()
        fill_labels(encoder, ["ann", "bob", "cid"], path)
        assert encoder.lab2ind == {"ann": 0, "bob": 1, "cid": 2}
        assert path.is_file()


@pytest.mark.parametrize(
    "speakers", [["ann"], ["bob", "ann"], ["ann", "cid"], ["ann", "bob", "cid"]]
)
def test_another_numbering_beside_a_checkpoint_is_refused(tmp_path, speakers):
    path = tmp_path / "labels.txt"
    fill_labels(CategoricalEncoder(), ["ann", "bob"], path)
    before = path.read_bytes()
    with pytest.raises(HyperparameterError, match="labels.txt numbers other"):
        fill_labels(CategoricalEncoder(), speakers, path)
    assert path.read_bytes() == before
