"""The recipe, run for real on a corpus of buzzing voices."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import train
import verify_results
from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.inference.speaker import SpeakerRecognition
from tiny_corpus import arguments

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.trials import read_trials
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.settings import read_yaml


@pytest.fixture(scope="session")
def trained(corpus, small_yaml, tmp_path_factory):
    """Output folder of a finished run of the command itself."""
    out = tmp_path_factory.mktemp("trained") / "out"
    command = [sys.executable, "-W", "error::DeprecationWarning"]
    command += [train.__file__]
    changes = {"n_epochs": 2, "selection": "top_k", "n_experts": 4}
    command += arguments(small_yaml, corpus, out, **changes)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_one_command_trains_verifies_and_exports(trained):
    metrics = json.loads((trained / "veri_test/metrics.json").read_text())
    assert metrics["n_trials"] == 105
    assert 0 <= metrics["eer"] <= 100
    assert metrics["active_params"] < metrics["params"]
    assert (trained / "veri_test/det.png").read_bytes()[1:4] == b"PNG"
    assert len((trained / "train_log.txt").read_text().splitlines()) == 2


def test_exported_folder_scores_as_the_checkpoint_did(trained, corpus):
    encoder = SpeakerRecognition.from_hparams(source=str(trained / "package"))
    lines = (trained / "veri_test/scores.txt").read_text().splitlines()
    for line in lines[::15]:
        _, enrol, test, score = line.split()
        files = [str(corpus / "test" / path) for path in (enrol, test)]
        again, _ = encoder.verify_files(*files)
        assert again.item() == pytest.approx(float(score), abs=1e-5)


def test_exported_classifier_knows_the_speakers_as_recorded(trained):
    table = read_table(trained / "save/train.csv")
    encoder = EncoderClassifier.from_hparams(source=str(trained / "package"))
    labels = encoder.hparams.label_encoder.lab2ind
    assert set(labels) == set(table.spk_id)


def test_dev_speakers_are_never_trained_on(trained):
    train_table = read_table(trained / "save/train.csv")
    dev = read_table(trained / "save/dev.csv")
    assert not set(train_table.spk_id) & set(dev.spk_id)


def test_verify_alone_gives_the_scores_of_the_run(trained, corpus, tmp_path):
    import verify

    verify.verify(
        trained / "package",
        corpus / "meta/veri_test.txt",
        corpus / "test",
        tmp_path,
    )
    again = np.loadtxt(tmp_path / "scores.txt", usecols=3)
    before = np.loadtxt(trained / "veri_test/scores.txt", usecols=3)
    assert np.abs(again - before).max() < 1e-5


def test_second_call_goes_on_from_the_last_epoch(
    trained, corpus, small_yaml, tmp_path
):
    before = (trained / "train_log.txt").read_text()
    changes = {"n_epochs": 3, "selection": "top_k", "n_experts": 4}
    changes["package_folder"] = tmp_path / "package"
    train.main(arguments(small_yaml, corpus, trained, **changes))
    after = (trained / "train_log.txt").read_text()
    assert after.startswith(before)
    assert after.count("epoch: ") == 3


def test_a_second_call_keeps_what_verify_found(
    trained, corpus, small_yaml, tmp_path
):
    out = shutil.copytree(trained, tmp_path / "out")
    path = out / "veri_test/metrics.json"
    found = json.loads(path.read_text()) | {"steps": {"as_norm": {}}}
    path.write_text(json.dumps(found))
    changes = {"n_epochs": 2, "selection": "top_k", "n_experts": 4}
    train.main(arguments(small_yaml, corpus, out, **changes))
    assert json.loads(path.read_text()) == found
    for key in ("model", "list_sha256", "audio_key"):
        path.write_text(json.dumps(found | {key: "of another"}))
        train.main(arguments(small_yaml, corpus, out, **changes))
        assert not json.loads(path.read_text()).get("steps")


def test_options_of_speechbrain_are_recorded_as_keys(
    corpus, small_yaml, tmp_path
):
    given = arguments(small_yaml, corpus, tmp_path / "out", n_epochs=1)
    given += ["--skip_nonfinite_grads", "False", "--max_grad_norm=0.5"]
    command = [sys.executable, train.__file__, *given, "--debug"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    held = read_yaml(tmp_path / "out/hyperparams.yaml")
    assert held["skip_nonfinite_grads"] is False
    assert held["max_grad_norm"] == 0.5
    assert held["output_folder"] == str(tmp_path / "out")


def test_a_changed_model_leaves_a_finished_training_as_it_was(
    trained, corpus, small_yaml
):
    before = (trained / "hyperparams.yaml").read_text()
    given = arguments(
        small_yaml, corpus, trained, selection="soft", n_experts=4
    )
    with pytest.raises(InputError, match="holds a training with selection"):
        train.main(given)
    assert (trained / "hyperparams.yaml").read_text() == before


def test_debug_run_ends_well_and_exports_nothing(corpus, small_yaml, tmp_path):
    given = arguments(small_yaml, corpus, tmp_path / "out")
    command = [sys.executable, train.__file__, *given, "--debug"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "out/package").exists()


def test_other_mels_are_carried_into_package_and_metrics(
    corpus, small_yaml, tmp_path
):
    out = tmp_path / "out"
    train.main(arguments(small_yaml, corpus, out, n_mels=40))
    assert (out / "veri_test/metrics.json").is_file()


def test_frames_that_are_farther_apart_halve_the_work_of_the_package(
    corpus, small_yaml, tmp_path
):
    macs = {}
    for hop_length in (10, 20):
        out = tmp_path / str(hop_length)
        train.main(arguments(small_yaml, corpus, out, hop_length=hop_length))
        metrics = json.loads((out / "veri_test/metrics.json").read_text())
        macs[hop_length] = metrics["active_macs_3s"]
        loaded = EncoderClassifier.from_hparams(str(out / "package"))
        feats = loaded.mods.compute_features(torch.randn(1, 16000))
        assert feats.shape[1] == 2 + 1000 // hop_length
    assert macs[20] == pytest.approx(macs[10] / 2, rel=0.02)


def test_result_is_written_where_there_is_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert verify_results.git_commit() == "unknown"


def test_test_only_without_a_checkpoint_is_refused(
    corpus, small_yaml, tmp_path
):
    given = arguments(small_yaml, corpus, tmp_path / "out")
    with pytest.raises(InputError, match="no checkpoint"):
        train.main([*given, "--test_only"])


SWITCHES = [
    *({"n_experts": n} for n in range(2, 9)),
    {"selection": "top_k", "n_experts": 3, "top_k": 3},
    {"selection": "top_k", "top_k": 1},
    {"selection": "top_k"},
    {"precision": "bf16"},
    {"selection": "uniform"},
    {"gate_input": "normalised", "loss": "arcface"},
    {"gate_channels": "[8]", "gate_kernel_size": 3, "loss": "aam_softmax"},
    {
        "n_experts": 2,
        "n_shared_blocks": 0,
        "expert_overrides": "[{},{kernel_sizes: [3,3,3,3,1]}]",
    },
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_overrides_alone_switch_the_model(
    changes, corpus, small_yaml, tmp_path
):
    out = tmp_path / "out"
    train.main(arguments(small_yaml, corpus, out, batch_size=15, **changes))
    log = (out / "train_log.txt").read_text()
    n_experts = changes.get("n_experts", 2)
    assert len(re.findall(r"train load_\d", log)) == n_experts
    assert (out / "package/embedding_model.safetensors").is_file()


@pytest.mark.parametrize("name", ["ecapa_small", "demo", "moe_ecapa"])
def test_other_yaml_files_train_too(name, recipe_folder, corpus, tmp_path):
    changes = {
        "num_workers": 0,
        "precision": "fp32",
        "min_duration_s": 1.0,
        "train_folder": corpus / "dev",
        "trial_folder": corpus / "test",
        "trial_list": corpus / "meta/veri_test.txt",
    }
    yaml = recipe_folder / "hparams" / f"{name}.yaml"
    train.main(arguments(yaml, corpus, tmp_path / "out", **changes))
    assert (tmp_path / "out/package/hyperparams.yaml").is_file()


def test_without_a_trial_list_the_dev_speakers_are_reported(
    corpus, small_yaml, tmp_path
):
    given = arguments(small_yaml, corpus, tmp_path / "out", trial_list="null")
    train.main(given)
    metrics = (tmp_path / "out/dev_trials/metrics.json").read_text()
    assert json.loads(metrics)["list"] == "dev_trials.txt"


def test_training_loses_less_as_it_goes(corpus, small_yaml, tmp_path):
    out = tmp_path / "out"
    changes = {"n_epochs": 6, "lr": 0.003, "margin": 0.0, "speeds": "[1.0]"}
    changes |= {"noise_prob": 0, "reverb_prob": 0, "drop_prob": 0}
    train.main(arguments(small_yaml, corpus, out, **changes))
    log = (out / "train_log.txt").read_text().splitlines()
    losses = [float(x.split("speaker_loss: ")[1].split(",")[0]) for x in log]
    assert losses[-1] < 0.8 * losses[0]


def test_each_of_several_lists_is_kept_out_and_reported(
    corpus, small_yaml, tmp_path
):
    text = (corpus / "meta/veri_test.txt").read_text()
    more = tmp_path / "more.txt"  # of speakers who would be trained on
    more.write_text(
        "1 id00/s01/00000.wav id00/s01/00001.wav\n"
        "0 id00/s01/00000.wav id01/s01/00001.wav\n"
        "1 id01/s01/00000.wav id01/s01/00001.wav\n"
        "0 id01/s01/00000.wav id00/s01/00001.wav\n"
    )
    both = tmp_path / "both"
    for part in ("dev", "test"):
        for folder in (corpus / part).iterdir():
            link = both / folder.name
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(folder)
    assert "id08" in text
    lists = f"[{corpus / 'meta/veri_test.txt'},{more}]"
    changes = {"trial_list": lists, "trial_folder": both}
    out = tmp_path / "out"
    train.main(arguments(small_yaml, corpus, out, batch_size=5, **changes))
    table = read_table(out / "save/train.csv")
    assert not {"id00", "id01", "id08"} & set(table.spk_id)
    for name in ("veri_test", "more"):
        metrics = json.loads((out / name / "metrics.json").read_text())
        assert metrics["list"] == f"{name}.txt"


def test_dev_trials_name_dev_files_alone(trained):
    trials = read_trials(trained / "save/dev_trials.txt")
    dev = set(read_table(trained / "save/dev.csv").path)
    assert {*trials.enrol, *trials.test} <= dev
