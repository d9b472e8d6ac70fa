"""The mean of trainings that went on from the same weights."""

import shutil

import pandas as pd
import pytest
import torch
import train
from average import average, dev_eer, main
from tiny_corpus import arguments

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.experiment import find_checkpoint, read_weights
from speechbrain_moe.inference.export import export_package, load_encoder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trainings(corpus, small_yaml, tmp_path_factory):
    """A training, and two that went on from it, each at its own rate."""
    folder = tmp_path_factory.mktemp("alike")
    first = folder / "first"
    train.main(arguments(small_yaml, corpus, first))
    found = [first]
    for lr in (0.01, 0.02):
        found.append(folder / f"lr{lr}")
        changes = {"finetune_from": first, "lr": lr}
        train.main(arguments(small_yaml, corpus, found[-1], **changes))
    return found


def weights(folder, name="embedding_model"):
    return read_weights(find_checkpoint(folder / "save"), name)


@pytest.fixture(scope="module")
def mean(trainings, tmp_path_factory):
    """Folder of the mean, and the EERs that are said."""
    out = tmp_path_factory.mktemp("mean") / "out"
    return out, average(trainings, out)


def test_weights_are_the_mean_of_all(mean, trainings):
    found, each = weights(mean[0]), [*map(weights, trainings)]
    for name, weight in found.items():
        parts = torch.stack([one[name].double() for one in each])
        assert torch.allclose(weight.double(), parts.mean(0), atol=1e-4), name
    name = "experts.experts.0.fc.conv.weight"
    assert not any(torch.equal(found[name], one[name]) for one in each)


def test_the_classifier_is_the_first_ones_with_all_its_centres(mean, trainings):
    found, wanted = (weights(f, "classifier") for f in (mean[0], trainings[0]))
    assert torch.equal(found["weight"], wanted["weight"])


def test_the_eer_of_each_is_said_and_kept(mean, trainings):
    out, eers = mean
    assert [*eers] == [str(folder) for folder in [*trainings, out]]
    for folder in trainings:
        wanted = find_checkpoint(folder / "save").meta["dev_eer"]
        assert eers[str(folder)] == wanted
        assert dev_eer(folder, weights(folder)) == pytest.approx(wanted)
    assert eers[str(out)] == dev_eer(trainings[0], weights(out))
    meta = find_checkpoint(out / "save").meta
    assert meta["dev_eer"] == eers[str(out)] and meta["n_averaged"] == 3
    lines = (out / "mean_of.txt").read_text().splitlines()
    assert lines == [*map(str, trainings)]


def test_the_eer_is_that_of_16_bits_where_those_are_wanted(
    trainings, tmp_path, monkeypatch
):
    monkeypatch.setattr("average.rounded", lambda state: 1 / 0)
    dev_eer(trainings[0], weights(trainings[0]))
    shutil.copytree(trainings[0], tmp_path / "half")
    file = tmp_path / "half/hyperparams.yaml"
    text = file.read_text().replace("half_weights: false", "half_weights: true")
    file.write_text(text)
    with pytest.raises(ZeroDivisionError):
        dev_eer(tmp_path / "half", weights(trainings[0]))


def test_nothing_is_left_where_dev_recordings_are_gone(trainings, tmp_path):
    moved = []
    for number, folder in enumerate(trainings[:2]):
        moved.append(tmp_path / str(number))
        shutil.copytree(folder, moved[-1])
        file = moved[-1] / "hyperparams.yaml"
        lines = file.read_text().splitlines(keepends=True)
        lines = [
            "train_folder: nowhere\n" if li.startswith("train_folder:") else li
            for li in lines
        ]
        file.write_text("".join(lines))
    with pytest.raises(InputError, match="nowhere"):
        average(moved, tmp_path / "out")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["0", "1"]


def test_the_folder_exports_as_a_trainings(mean, tmp_path, voices):
    shutil.copytree(mean[0], tmp_path / "moved")
    export_package(tmp_path / "moved", tmp_path / "package")
    wavs = voices(2)
    found = load_encoder(tmp_path / "package").encode_batch(wavs)
    assert torch.allclose(found, load_encoder(mean[0]).encode_batch(wavs))


def test_a_mean_of_less_than_two_is_refused(trainings, tmp_path):
    for folders in (trainings[:1], trainings[:1] * 2):
        with pytest.raises(InputError, match="give two different ones"):
            average(folders, tmp_path / "out")


def test_a_folder_that_is_there_is_not_written_over(trainings, mean):
    with pytest.raises(InputError, match="is there: choose another --out"):
        average(trainings, mean[0])


def test_another_encoder_is_refused(trainings, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trainings[1], other)
    text = (other / "hyperparams.yaml").read_text()
    changed = text.replace("hop_length: 10", "hop_length: 20")
    assert changed != text
    (other / "hyperparams.yaml").write_text(changed)
    with pytest.raises(InputError, match=f"{other} has another encoder than"):
        average([trainings[0], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_acts_in_training_alone_may_differ(trainings, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trainings[1], other)
    text = (other / "hyperparams.yaml").read_text()
    changed = text.replace("expert_dropout: 0.0", "expert_dropout: 0.1")
    assert changed != text
    (other / "hyperparams.yaml").write_text(changed)
    average([trainings[0], other], tmp_path / "out")


def heard_by(folder):
    return pd.read_csv(folder / "save/train.csv").spk_id


def test_a_training_that_heard_a_dev_speaker_is_refused(trainings, tmp_path):
    other, speaker = tmp_path / "other", heard_by(trainings[1])[0]
    shutil.copytree(trainings[1], other)
    file = other / "save/dev.csv"
    dev = pd.read_csv(file)
    dev.replace({"spk_id": {dev.spk_id[0]: speaker}}).to_csv(file, index=False)
    with pytest.raises(InputError, match=f"was trained on {speaker}, a dev"):
        average([other, trainings[0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mean_has_heard_what_any_of_its_trainings_has(trainings, tmp_path):
    one, two, out = (tmp_path / name for name in ("one", "two", "out"))
    shutil.copytree(trainings[1], two)
    file = two / "save/train.csv"
    with open(file, "a", encoding="utf-8") as stream:
        stream.write("more/s1/1,more/s1/1.wav,more,s1,1.0\n")
    average([trainings[0], two], out)
    shutil.copytree(trainings[0], one)
    file = one / "save/dev.csv"
    dev = pd.read_csv(file)
    dev.replace({"spk_id": {dev.spk_id[0]: "more"}}).to_csv(file, index=False)
    with pytest.raises(InputError, match=f"{out} was trained on more, a dev"):
        average([one, out], tmp_path / "next")


@pytest.mark.parametrize("name", ["train.csv", "dev.csv", "dev_trials.txt"])
def test_a_folder_without_its_lists_is_refused(trainings, tmp_path, name):
    other = tmp_path / "other"
    shutil.copytree(trainings[1], other)
    (other / "save" / name).unlink()
    with pytest.raises(InputError, match=f"{name}: no such file"):
        average([other, trainings[0]], tmp_path / "out")


def test_trainings_with_other_dev_trials_are_told_on_the_first_ones(
    trainings, tmp_path
):
    first, other = tmp_path / "first", trainings[0]
    shutil.copytree(trainings[1], first)
    file = first / "save/dev_trials.txt"
    lines = file.read_text().splitlines(keepends=True)
    kept = "".join(lines[::3])
    file.write_text(kept)
    eers = average([first, other], tmp_path / "out")
    assert eers[str(other)] == dev_eer(first, weights(other))
    assert eers[str(other)] != find_checkpoint(other / "save").meta["dev_eer"]
    assert (tmp_path / "out/save/dev_trials.txt").read_text() == kept


def test_the_command_says_what_is_wrong_in_one_line(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), str(tmp_path / "b"), "--out", str(tmp_path / "c")])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith("error: ")
    assert len(said.splitlines()) == 1


def test_the_command_prints_what_each_has(trainings, tmp_path, capsys):
    given = [*map(str, trainings[:2]), "--out", str(tmp_path / "out")]
    main(given)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if ": dev EER " in line]) == 3
