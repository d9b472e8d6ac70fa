import numpy as np
import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.settings import (
    count_data,
    open_stage,
    read_settings,
)
from speechbrain_moe.training.teacher import Teacher

YAML = """\
seed: 1
__set_seed: !apply:nowhere.explode []
data_folder: !PLACEHOLDER
train_folder: !ref <data_folder>/dev
save_folder: {save_folder}
n_epochs: 3
batch_size: 4
speeds: [1.0, 0.9, 1.1]
n_voices: 0
voices_folder: null
margin_epochs: [0, 0]
n_speakers: 0
steps_per_epoch: 0
teacher_dim: 0
teacher_embeddings: null
unlabelled_folder: null
distill_weight: 0
model: !new:nowhere.Explode
    n_speakers: !ref <n_speakers>
"""


@pytest.fixture
def hparams_file(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(YAML.format(save_folder=tmp_path))
    return path


@pytest.fixture
def read(hparams_file):
    def make(**overrides):
        overrides = {"data_folder": "/data", **overrides}
        text = "\n".join(f"{k}: {v}" for k, v in overrides.items())
        whole, overrides = open_stage(hparams_file, text)
        return read_settings(whole, overrides), overrides

    return make


@pytest.fixture
def count(read, tmp_path):
    def make(n_rows, teacher=None, **overrides):
        rows = [f"u{i},u{i}.wav,{i % 3:03},1.0" for i in range(n_rows)]
        header = "ID,path,spk_id,duration_s"
        (tmp_path / "train.csv").write_text("\n".join([header, *rows]) + "\n")
        return count_data(*read(**overrides), teacher)

    return make


def test_values_are_resolved_and_nothing_is_built(read):
    settings, overrides = read(n_epochs=7)
    assert settings["train_folder"] == "/data/dev"
    assert (settings["n_epochs"], settings["batch_size"]) == (7, 4)
    assert overrides == {"data_folder": "/data", "n_epochs": 7}


def test_a_yaml_of_before_some_keys_takes_their_defaults(hparams_file):
    kept = [
        line
        for line in hparams_file.read_text().splitlines()
        if not line.startswith(("n_voices", "voices_folder"))
    ]
    hparams_file.write_text("\n".join(kept))
    settings = read_settings(hparams_file, {"data_folder": "/data"})
    assert settings["n_voices"] == 0 and settings["voices_folder"] is None
    assert settings["voice_prob"] == 0.75 and not settings["centre_teacher"]


def test_an_override_of_an_unknown_key_is_refused_with_the_known_ones(read):
    wanted = "train.yaml has no key n_expert .*n_epochs, batch_size"
    with pytest.raises(HyperparameterError, match=wanted) as caught:
        read(n_expert=4)
    assert "__set_seed" not in str(caught.value)


def test_an_unfilled_placeholder_is_refused_by_name(hparams_file):
    with pytest.raises(HyperparameterError, match="data_folder.*command line"):
        read_settings(hparams_file, {})


def test_a_missing_yaml_is_refused_by_name(tmp_path):
    with pytest.raises(HyperparameterError, match="no.yaml: no such yaml"):
        open_stage(tmp_path / "no.yaml")


def test_an_empty_yaml_is_refused_by_name(tmp_path):
    (tmp_path / "empty.yaml").touch()
    with pytest.raises(HyperparameterError, match="empty.yaml: is empty"):
        open_stage(tmp_path / "empty.yaml")


@pytest.mark.parametrize("key", ["n_epochs", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "many", "null", True])
def test_a_number_that_is_none_is_refused_by_key(read, key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is .*(1|2) or more"):
        read(**{key: value})


def test_a_batch_of_one_is_refused(read):
    wanted = "batch_size is 1: choose a whole number of 2"
    with pytest.raises(HyperparameterError, match=wanted):
        read(batch_size=1)


@pytest.mark.parametrize("speeds", ["[0.9, 1.0]", "[]", "[1.0, 1.0]"])
def test_unusable_speeds_are_refused(read, speeds):
    with pytest.raises(HyperparameterError, match="speeds is"):
        read(speeds=speeds)


def test_speakers_steps_and_classes_are_counted(count):
    settings, overrides = count(n_rows=11)
    assert settings["speakers"] == ["000", "001", "002"]
    assert (settings["n_speakers"], settings["steps_per_epoch"]) == (9, 2)
    assert overrides == {
        "data_folder": "/data",
        "n_speakers": 9,
        "steps_per_epoch": 2,
        "teacher_dim": 0,
    }


def test_each_changed_voice_counts_as_another_speaker(count):
    settings, _ = count(n_rows=11, n_voices=2, voices_folder="heard")
    assert (settings["n_speakers"], settings["steps_per_epoch"]) == (27, 2)


def test_voices_without_a_folder_are_refused(read):
    with pytest.raises(HyperparameterError, match="n_voices is 2 and voices_f"):
        read(n_voices=2)


def write_unlabelled(folder, rows):
    lines = ["ID,path,spk_id,duration_s", *rows]
    (folder / "unlabelled.csv").write_text("\n".join(lines) + "\n")


def test_unlabelled_utterances_and_the_teacher_are_counted(count, tmp_path):
    rows = "".join(f"u/{i},{i}.wav,,1.0\n" for i in range(5))
    (tmp_path / "unlabelled.csv").write_text(
        "ID,path,spk_id,duration_s\n" + rows
    )
    given = {"teacher_embeddings": "t.npz", "unlabelled_folder": "/u"}
    teacher = Teacher({}, np.zeros((0, 7)))
    settings, overrides = count(11, teacher, distill_weight=1, **given)
    assert settings["speakers"] == ["000", "001", "002"]
    assert (overrides["steps_per_epoch"], overrides["teacher_dim"]) == (4, 7)


def test_a_list_of_unlabelled_speech_of_before_is_not_counted(count, tmp_path):
    (tmp_path / "unlabelled.csv").write_text(
        "ID,path,spk_id,duration_s\na,a,,1\n"
    )
    assert count(n_rows=7)[0]["steps_per_epoch"] == 1


def test_processes_share_the_utterances_of_an_epoch(count, read):
    count(n_rows=19)  # writes the list
    settings, _ = count_data(*read(), n_processes=2)
    assert settings["steps_per_epoch"] == 2


def test_exactly_one_batch_is_enough(count):
    assert count(n_rows=4)[0]["steps_per_epoch"] == 1


@pytest.mark.parametrize("n_rows", [0, 3])
def test_fewer_utterances_than_a_batch_are_refused(count, n_rows):
    wanted = f"batch_size is 4 and {n_rows} utterances of /data/dev"
    with pytest.raises(HyperparameterError, match=wanted):
        count(n_rows=n_rows)


BAD = [
    ("speeds", "1.0"),
    ("speeds", "[1.0, null]"),
    ("speeds", "[1.0, 0.001]"),
    ("train_folder", "null"),
]


@pytest.mark.parametrize("key, value", BAD)
def test_values_of_the_wrong_kind_are_refused_by_key(read, key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is .*choose"):
        read(**{key: value})


def test_what_is_counted_cannot_be_given(read):
    with pytest.raises(HyperparameterError, match="no key n_speakers"):
        read(n_speakers=7)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [1,", "a: 1\na: 2"])
def test_a_broken_command_line_is_refused(hparams_file, text):
    with pytest.raises(HyperparameterError, match="the command line"):
        open_stage(hparams_file, text)


@pytest.fixture
def stage(tmp_path, hparams_file):
    """A stage on that yaml, and its settings under overrides."""
    path = tmp_path / "stage.yaml"
    path.write_text(
        "stage_of: train.yaml\ndata_folder: !PLACEHOLDER\nn_epochs: 5\n"
        "train_folder: !ref <data_folder>/other\n"
    )

    def make(text=""):
        whole, overrides = open_stage(path, text)
        assert whole == hparams_file
        return read_settings(whole, overrides)

    return make


def test_a_stage_changes_its_keys_and_the_command_line_comes_last(stage):
    settings = stage("data_folder: /data")
    assert settings["n_epochs"] == 5 and settings["batch_size"] == 4
    assert settings["train_folder"] == "/data/other"
    assert stage("data_folder: /data\nn_epochs: 2")["n_epochs"] == 2


def test_a_placeholder_of_a_stage_is_refused_by_name(stage):
    with pytest.raises(HyperparameterError, match="data_folder.*command line"):
        stage()


def test_a_stage_of_a_stage_changes_both(tmp_path):
    (tmp_path / "whole.yaml").write_text("a: 1\nb: 1\nc: 1\n")
    (tmp_path / "one.yaml").write_text("stage_of: whole.yaml\na: 2\nb: 2\n")
    (tmp_path / "two.yaml").write_text("stage_of: one.yaml\nb: 3\n")
    whole, overrides = open_stage(tmp_path / "two.yaml", "c: 4\n")
    assert whole.name == "whole.yaml"
    assert dict(overrides) == {"a": 2, "b": 3, "c": 4}


@pytest.mark.parametrize("name", ["gone.yaml", "s.yaml"])
def test_a_stage_of_no_yaml_is_refused_by_name(tmp_path, name):
    (tmp_path / "s.yaml").write_text(f"stage_of: {name}\n")
    with pytest.raises(HyperparameterError, match=f"stage_of names {name}"):
        open_stage(tmp_path / "s.yaml")


@pytest.mark.parametrize("span", ["3", "[3, 1]", "[1]", "[1, x]", "[-1, 2]"])
def test_margin_epochs_that_are_no_span_are_refused(read, span):
    with pytest.raises(HyperparameterError, match="margin_epochs is .*two"):
        read(margin_epochs=span)
