"""The subcommands doctor and bench."""

import json

import pytest

from speechbrain_moe.cli import main
from speechbrain_moe.inference import doctor as examination
from speechbrain_moe.inference.manifest import sign_package


@pytest.fixture
def package(experiment, files, tmp_path, said):
    """A package with two example recordings."""
    folder = tmp_path / "package"
    said("export", experiment, folder, "--examples", *files)
    return folder


def doctor(package, capsys):
    """Status, and what the doctor found."""
    status = main(["doctor", "--model", str(package), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_well_package_gives_status_0(package, capsys):
    status, found = doctor(package, capsys)
    assert status == 0 and found["problems"] == []
    (row,) = found["model"]["golden"]
    assert (row["enrol"], row["test"]) == ("example_1.wav", "example_2.wav")
    assert {"python", "torch", "speechbrain"} <= found["versions"].keys()
    assert "cpu" in found["devices"]


@pytest.mark.parametrize(
    "name", ["embedding_model.safetensors", "hyperparams.yaml", "manifest.json"]
)
def test_one_changed_byte_gives_status_2_and_the_files_name(
    package, name, capsys
):
    content = bytearray((package / name).read_bytes())
    content[len(content) // 2] ^= 1
    (package / name).write_bytes(content)
    status, found = doctor(package, capsys)
    assert status == 2
    (problem,) = found["problems"]
    assert name in problem or "manifest.json" in problem


def test_other_scores_than_golden_ones_give_status_2(package, capsys):
    golden = package / "golden.json"
    content = json.loads(golden.read_text())
    content["scores"][0]["score"] -= 0.01
    golden.write_text(json.dumps(content))
    sign_package(package)
    status, found = doctor(package, capsys)
    assert status == 2
    (problem,) = found["problems"]
    assert "when it was exported" in problem


def test_a_missing_model_is_a_problem_in_words(capsys):
    assert main(["doctor", "--model", "no/model"]) == 2
    assert "problem: no/model: " in capsys.readouterr().out


def test_bench_measures_both_side_by_side(experiment, capsys):
    given = ["bench", "--model", str(experiment), "--n_turns", "2"]
    given += ["--duration_s", "0.5", "--batch_size", "2"]
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for one in (found["moe"], found["stock"]):
        assert one["real_time_factor"] == pytest.approx(one["seconds"] / 1.0)
        assert one["files_per_s"] == pytest.approx(2 / one["seconds"])
    assert found["ratio"] == pytest.approx(
        found["moe"]["seconds"] / found["stock"]["seconds"]
    )
    assert main(given) == 0
    assert capsys.readouterr().out.startswith("this model")


def test_bench_refuses_what_cannot_be_measured(experiment, refused):
    given = ("bench", "--model", experiment, "--n_turns", 0)
    assert "n_turns 0" in refused(*given)
    huge = ("--batch_size", 10**8, "--duration_s", 600)
    assert "cannot be run" in refused(*given[:3], *huge)


def test_a_package_that_lacks_its_weights_is_told_so(package, capsys):
    (package / "embedding_model.safetensors").unlink()
    status, found = doctor(package, capsys)
    (problem,) = found["problems"]
    assert status == 2 and "embedding_model.safetensors" in problem


def test_the_doctor_scores_the_examples_of_a_hub_package_too(
    package, capsys, monkeypatch
):
    monkeypatch.setattr(examination, "fetch_snapshot", lambda *given: package)
    status, found = doctor("user/voices", capsys)
    assert (status, len(found["model"]["golden"])) == (0, 1)
    assert found["model"]["place"] == "user/voices"
