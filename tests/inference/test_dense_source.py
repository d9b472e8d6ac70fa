from pathlib import Path

import pytest
import torch
from speechbrain.inference.classifiers import EncoderClassifier
from stock_folder import settled_state, write_stock_folder

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.dense_source import dense_part, open_encoder
from speechbrain_moe.inference.export import load_encoder


@pytest.fixture(scope="module")
def dense_state(tiny_expert, voices):
    return settled_state(tiny_expert, voices(16, 16000, seed=9))


@pytest.fixture
def stock_folder(tmp_path, dense_state):
    """Writes a stock folder; weights and a part of its yaml may differ."""

    def write(old="", new="", state=dense_state):
        return write_stock_folder(tmp_path, state, old, new)

    return write


def test_weights_are_those_of_the_file(stock_folder, dense_state):
    folder = stock_folder()
    state = dense_part(open_encoder(folder), folder).state_dict()
    assert set(state) == set(dense_state)
    assert all(torch.equal(state[key], dense_state[key]) for key in state)


def test_other_network_is_refused_by_its_class(stock_folder):
    folder = stock_folder()
    encoder = open_encoder(folder)
    encoder.mods["embedding_model"] = torch.nn.Linear(1, 1)
    with pytest.raises(PackageError, match="is a Linear; give one that is"):
        dense_part(encoder, folder)


def test_encoder_without_a_needed_module_is_refused(stock_folder):
    folder = stock_folder("    mean_var_norm: !ref <mean_var_norm>\n")
    with pytest.raises(PackageError, match="modules of .* lack mean_var_norm"):
        open_encoder(folder)


def test_training_folder_of_several_experts_is_refused(experiment):
    with pytest.raises(PackageError, match="holds 4 experts.*n_experts: 1"):
        dense_part(load_encoder(experiment), experiment)


def test_file_that_lacks_a_weight_is_refused(stock_folder, dense_state):
    state = {k: v for k, v in dense_state.items() if k != "fc.conv.bias"}
    folder = stock_folder(state=state)
    with pytest.raises(PackageError, match="1 missing, such as fc.conv.bias"):
        open_encoder(folder)


def test_file_of_nan_is_refused(stock_folder, dense_state):
    bias = torch.full_like(dense_state["fc.conv.bias"], float("nan"))
    folder = stock_folder(state={**dense_state, "fc.conv.bias": bias})
    with pytest.raises(PackageError, match="fc.conv.bias holds NaN"):
        open_encoder(folder)


def test_pretrainer_that_loads_no_weights_is_refused(stock_folder):
    folder = stock_folder(
        "    loadables:\n        embedding_model: !ref <embedding_model>\n",
        "    loadables: {}\n",
    )
    with pytest.raises(PackageError, match="loads no embedding_model"):
        open_encoder(folder)


@pytest.mark.parametrize("file", ["hyperparams.yaml", "embedding_model.ckpt"])
@pytest.mark.parametrize("text", [None, "", "{ nonsense"])
def test_folder_that_is_not_whole_is_refused_by_name(stock_folder, file, text):
    folder = stock_folder()
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(PackageError, match=f"init_from: {folder} cannot"):
        open_encoder(folder)


@pytest.mark.parametrize("source", ["/no/such/folder", "./models", "~/a"])
def test_folder_that_is_not_there_is_not_looked_for_elsewhere(source):
    with pytest.raises(PackageError, match=f"there is no folder {source}"):
        open_encoder(source)


def test_hub_id_that_cannot_be_fetched_is_refused(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(EncoderClassifier, "from_hparams", refuse)
    with pytest.raises(PackageError, match="somebody/ecapa.*no network"):
        open_encoder("somebody/ecapa")


def test_hub_id_is_read_at_the_place_given(monkeypatch):
    asked = {}

    def note(**kwargs):
        asked.update(kwargs)
        raise OSError

    monkeypatch.setattr(EncoderClassifier, "from_hparams", note)
    with pytest.raises(PackageError):
        open_encoder(Path("somebody/ecapa"))
    assert asked["source"] == "somebody/ecapa"
    assert asked["overrides"] == {"pretrained_path": "somebody/ecapa"}
