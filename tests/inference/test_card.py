import json
import re
import shutil
import socket

import pytest
import soundfile
import yaml
from huggingface_hub import ModelCard

from speechbrain_moe.inference.about import About
from speechbrain_moe.inference.card import card_data, summary
from speechbrain_moe.inference.cost import count_cost
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import export_package, load_encoder

COSINE = {
    "n_trials": 2592,
    "n_target": 1296,
    "n_speakers": 18,
    "eer": 5.4321,
    "eer_interval": [3.21, 7.89],
    "min_dcf_0.01": 0.61234,
    "min_dcf_0.01_interval": [0.5, 0.7],
    "min_dcf_0.05": 0.4,
    "min_dcf_0.05_interval": [0.3, 0.5],
}
AT = {"value": 0.3125, "n_errors": 40, "reason": None}
REFUSED = {"value": None, "n_errors": 3, "reason": "too few"}
MET = {"miss": 4.25, "false_alarm": 6.75}
GROUPS = """\
Error rates by group: step LLR, one threshold.

## gender

| group | EER % |
| --- | --- |
| f | 6.50 |
"""
ONE = {
    "n_experts": 1,
    "selection": "uniform",
    "top_k": 1,
    "emb_dim": 32,
    "sample_rate": 16000,
    "params": 5,
    "active_params": 5,
    "package_version": "0.1.0",
    "version": "1",
}
ABOUT = About(
    title="Little ECAPA",
    version="3",
    license="cc-by-4.0",
    datasets=("someone/speech",),
    languages=("en",),
    training_data="Read speech of volunteers {in braces}.",
    limits="Children.",
)


@pytest.fixture(scope="session")
def training(experiment, tmp_path_factory):
    """A verified training, with made-up error rates."""
    folder = tmp_path_factory.mktemp("verified") / "training"
    shutil.copytree(experiment, folder)
    key = encoder_key(load_encoder(folder))
    llr = {**COSINE, "eer": 4.5, "cllr": 0.25, "cllr_interval": [0.2, 0.3]}
    met = {"eer": {**AT, **MET}, "far0.1": REFUSED}
    metrics = {
        "list": "veri_test.txt",
        **COSINE,
        "steps": {"cosine": {**COSINE, "thresholds": met}, "llr": llr},
        "subgroup_gaps": {"gender": {"eer": 1.0}},
    }
    calibration = {
        "model": key,
        "n_speakers": 24,
        "calibrations": {"llr_cosine": {"names": ["cosine"]}},
        "thresholds": {"cosine": {"eer": AT, "far0.1": REFUSED}},
    }
    out = folder / "veri_test"
    out.mkdir()
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "calibration.json").write_text(json.dumps(calibration))
    (out / "subgroups.md").write_text(GROUPS)
    (folder / "env.log").write_text("==\nGit revision:\nfedcba9\n==\n")
    return folder


@pytest.fixture(scope="session")
def measured(training, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / "package"
    return export_package(training, folder, ABOUT)


@pytest.fixture(scope="session")
def plain(experiment, tmp_path_factory):
    """A package of a training that nobody verified or described."""
    return export_package(experiment, tmp_path_factory.mktemp("plain") / "p")


def card_of(package):
    return (package / "README.md").read_text(encoding="utf-8")


def front_matter(package):
    _, header, _ = card_of(package).split("---\n", 2)
    return yaml.safe_load(header)


def section(package, heading):
    return card_of(package).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_front_matter_says_what_the_hub_asks_for(measured):
    found = front_matter(measured)
    assert found["library_name"] == "speechbrain"
    assert found["license"] == "cc-by-4.0"
    assert found["datasets"] == ["someone/speech"]
    assert found["language"] == ["en"]
    assert {"speaker-verification", "mixture-of-experts"} <= {*found["tags"]}


def test_the_hubs_own_reader_finds_the_numbers_of_metrics_json(measured):
    metrics = json.loads((measured / "metrics.json").read_text())
    found = ModelCard.load(measured / "README.md").data.eval_results
    assert {r.metric_type: r.metric_value for r in found} == {
        key: metrics[key] for key in ("eer", "min_dcf_0.01", "min_dcf_0.05")
    }
    assert {r.dataset_name for r in found} == {"veri_test.txt"}


def test_table_holds_every_step_of_metrics_json(measured):
    said = section(measured, "Error rates")
    assert "2592 trials" in said and "18 speakers" in said
    rows = re.findall(r"^\| (.*) \|$", said, re.MULTILINE)
    cells = {row.split(" | ")[0]: row.split(" | ")[1:] for row in rows}
    assert cells["step"] == [
        "EER %",
        "minDCF(0.01)",
        "minDCF(0.05)",
        "Cllr, bits",
    ]
    assert cells["cosine"][:2] == [
        "5.43 [3.21, 7.89]",
        "0.612 [0.500, 0.700]",
    ]
    assert cells["LLR of AS-norm"][0] == "4.50 [3.21, 7.89]"
    assert cells["LLR of AS-norm"][3] == "0.250 [0.200, 0.300]"


def test_thresholds_are_those_of_the_calibration(measured):
    said = section(measured, "Use")
    assert "learnt from 24 speakers" in said
    assert "| as many misses as false alarms | 0.3125 | 4.25 | 6.75 |" in said
    assert "| 0.1 % false alarms | not known |  |  |" in said


def test_groups_stand_below_bias_at_their_own_level(measured):
    said = section(measured, "Consent and bias")
    assert "### gender" in said and "| f | 6.50 |" in said


def test_makers_words_stand_in_the_card(measured):
    said = section(measured, "Training data")
    assert "volunteers {in braces}." in said and "knows 3 speakers" in said
    assert "cc-by-4.0" in said
    assert section(measured, "Limits").strip() == "Children."
    assert card_of(measured).split("---\n")[2].startswith("\n# Little ECAPA\n")


def test_parameters_are_counted_on_the_exported_model(measured):
    encoder = load_encoder(measured)
    cost = count_cost(encoder.mods.embedding_model)
    config = json.loads((measured / "config.json").read_text())
    assert config["params"] == cost.params > cost.active_params
    assert config["active_params"] == cost.active_params
    said = card_of(measured)
    assert f"{cost.params:,} parameters in total, " in said
    assert f"{cost.active_params:,} active" in said


def test_calibration_and_error_rates_come_along_unchanged(measured, training):
    for name in ("metrics.json", "calibration.json"):
        found = json.loads((measured / name).read_text())
        wanted = json.loads((training / "veri_test" / name).read_text())
        assert found == wanted


def test_manifest_names_the_commit_that_training_noted(measured):
    said = json.loads((measured / "manifest.json").read_text())
    assert said["training"]["commit"] == "fedcba9"
    assert said["model_version"] == "3"
    assert {"metrics.json", "calibration.json"} <= {*said["files"]}


def test_measured_package_exports_to_the_same_bytes_elsewhere(
    measured, training, tmp_path
):
    again = export_package(training, tmp_path / "elsewhere", ABOUT)
    for path in measured.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_card_without_measurements_says_so(plain):
    assert not (plain / "metrics.json").exists()
    assert not (plain / "calibration.json").exists()
    said = card_of(plain)
    assert "No error rates were measured for these weights" in said
    assert "There is no calibration in this package" in said
    assert "No error rates by group" in said
    assert "No licence was named" in said
    assert "model-index" not in front_matter(plain)
    assert front_matter(plain)["license"] == "unknown"


def test_error_rates_of_another_checkpoint_stay_out(training, tmp_path):
    folder = shutil.copytree(training, tmp_path / "training")
    shutil.rmtree(folder / "save/CKPT+best")
    package = export_package(folder, tmp_path / "package")
    assert not (package / "metrics.json").exists()
    assert "No error rates were measured" in card_of(package)


def run_snippet(package, monkeypatch, capsys):
    """Run the card's Python in the package's folder, offline."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(package)
    (code,) = re.findall(r"```python\n(.*?)```", card_of(package), re.DOTALL)
    exec(code, {})
    return float(capsys.readouterr().out)


def test_snippet_runs_on_recordings_of_ones_own(
    plain, voices, tmp_path, monkeypatch, capsys
):
    package = shutil.copytree(plain, tmp_path / "package")
    for name, wav in zip(("enrol", "test"), voices(2).numpy()):
        soundfile.write(package / f"{name}.wav", wav, 16000)
    assert -1 <= run_snippet(package, monkeypatch, capsys) <= 1


def test_snippet_takes_the_examples_where_there_are_some(
    experiment, voices, tmp_path, monkeypatch, capsys
):
    soundfile.write(tmp_path / "a.wav", voices(1)[0].numpy(), 16000)
    examples = [tmp_path / "a.wav"]
    package = export_package(experiment, tmp_path / "p", examples=examples)
    found = run_snippet(package, monkeypatch, capsys)
    assert found == pytest.approx(1, abs=1e-5)  # one against itself


def test_thresholds_without_error_rates_name_no_list(training, tmp_path):
    folder = shutil.copytree(training, tmp_path / "training")
    (folder / "veri_test/metrics.json").unlink()
    said = card_of(export_package(folder, tmp_path / "package"))
    assert "learnt from 24 speakers" in said
    assert "list below" not in said


def test_checkpoint_choosing_speakers_are_named_as_such(training, tmp_path):
    folder = shutil.copytree(training, tmp_path / "training")
    path = folder / "veri_test/metrics.json"
    said = {**json.loads(path.read_text()), "list": "dev_trials.txt"}
    path.write_text(json.dumps(said))
    package = export_package(folder, tmp_path / "package")
    assert "was chosen by these speakers" in section(package, "Error rates")


def test_summary_of_one_expert_names_no_gate():
    assert "gate" not in summary(ONE)


@pytest.mark.parametrize(
    "selection, said",
    [
        ("soft", "2 ECAPA-TDNN experts, which a gate weights."),
        ("top_k", "experts, of which a gate takes the best 1."),
        ("uniform", "experts, all weighted alike, without a gate."),
    ],
)
def test_summary_says_what_the_gate_does(selection, said):
    config = {**ONE, "n_experts": 2, "selection": selection}
    assert said in summary(config)


def test_card_data_of_nothing_measured_holds_no_results():
    assert card_data("x", About(), None).eval_results is None
