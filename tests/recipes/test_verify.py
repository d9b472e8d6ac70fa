"""The scoring chain as one command, on a tiny training that learnt nothing."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trial_subgroups
import verify as command
from results_table import gains
from scored_files import all_pairs
from scoring_run import Chain

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.scoring import error_rates
from speechbrain_moe.scoring.trials import write_trials

LIST = "meta/veri_test.txt"


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    """Intervals are tested elsewhere, and take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (error_rates, "bootstrap_interval"),
            (trial_subgroups, "subgroup_table"),
        ):
            few = partial(getattr(module, name), n_resamples=20)
            patch.setattr(module, name, few)
        yield


@pytest.fixture(scope="module")
def scored(few_resamples, experiment, corpus, tmp_path_factory):
    """A training of speakers 0 to 4, with dev speakers 5 to 7, verified."""
    folder = tmp_path_factory.mktemp("verified") / "training"
    shutil.copytree(experiment, folder)
    settings = {
        "train_folder": corpus / "dev",
        "trial_list": corpus / LIST,
        "trial_folder": corpus / "test",
    }
    with open(folder / "hyperparams.yaml", "a", encoding="utf-8") as file:
        file.writelines(f"{key}: {value}\n" for key, value in settings.items())
    files = sorted((corpus / "dev").rglob("*.wav"))
    paths = [str(file.relative_to(corpus / "dev")) for file in files]
    table = pd.DataFrame({"path": paths, "spk_id": [p[:4] for p in paths]})
    is_dev = table.spk_id > "id04"
    table[~is_dev].to_csv(folder / "save/train.csv", index=False)
    table[is_dev].to_csv(folder / "save/dev.csv", index=False)
    pairs = all_pairs(table.path[is_dev].tolist())
    write_trials(folder / "save/dev_trials.txt", pairs)
    return folder, run_chain(folder, corpus)


@pytest.fixture
def training(scored, tmp_path):
    """A copy of the verified training that a test may change."""
    return shutil.copytree(scored[0], tmp_path / "training")


def run_chain(folder, corpus, out=None, **settings):
    chain = Chain(cohort_utts=3, **settings)
    audio = corpus / "test"
    return command.verify(folder, corpus / LIST, audio, out, chain=chain)


def columns_of(folder):
    """Scores by name of a scores.txt."""
    path = folder / "scores.txt"
    names = path.read_text().split("\n")[0].split()[4:]
    return dict(
        zip(names, np.loadtxt(path, usecols=range(3, 3 + len(names))).T)
    )


def stamps(folder):
    return {x: x.stat().st_mtime_ns for x in folder.rglob("shard_*.npz")}


def test_chain_writes_each_step_of_each_trial(scored):
    folder, metrics = scored
    out = folder / "veri_test"
    columns = columns_of(out)
    assert [*columns] == [*metrics["steps"]]
    assert [*columns][:2] == ["cosine", "as_norm"]
    assert {"llr", "llr_quality"} <= {*columns}
    for scores in columns.values():
        assert len(scores) == 105 and np.isfinite(scores).all()
    assert json.loads((out / "metrics.json").read_text()) == metrics
    for name in ("subgroups.csv", "subgroups.md", "calibration.json"):
        assert (out / name).stat().st_size
    assert (out / "det.png").read_bytes()[1:4] == b"PNG"
    counts = metrics["steps"]["cosine"]["histogram"]
    assert sum(counts["target"]) + sum(counts["nontarget"]) == 105


def test_first_numbers_are_those_of_the_raw_cosine_alone(
    scored, corpus, tmp_path
):
    folder, metrics = scored
    alone = command.verify(folder, corpus / LIST, corpus / "test", tmp_path)
    assert (
        len((tmp_path / "scores.txt").read_text().split("\n")[0].split()) == 4
    )
    assert "steps" not in alone and not (tmp_path / "calibration.json").exists()
    before = columns_of(folder / "veri_test")["cosine"]
    again = np.loadtxt(tmp_path / "scores.txt", usecols=3)
    assert np.abs(again - before).max() < 2e-6
    for key in ("eer", "eer_interval", "min_dcf_0.01", "n_speakers"):
        assert metrics[key] == pytest.approx(alone[key])
        assert metrics[key] == metrics["steps"]["cosine"][key]


def test_calibration_rests_on_dev_and_cohort_on_trained_speakers(scored):
    folder, metrics = scored
    about = metrics["learnt_from"]
    assert about["n_speakers"] == 3 and metrics["n_cohort_speakers"] == 5
    assert about["n_trials"] == 105 and about["n_target"] == 30
    with np.load(folder / "embeddings/cohort.npz") as arrays:
        assert arrays["speakers"].tolist() == [f"id0{i}" for i in range(5)]
    n_files = {
        name: sum(
            len(np.load(file)["paths"])
            for file in (folder / "embeddings" / name).glob("*.npz")
        )
        for name in ("cohort", "dev")
    }
    assert n_files == {"cohort": 15, "dev": 15}


def test_second_call_embeds_nothing_and_says_the_same(training, corpus):
    first = run_chain(training, corpus)
    before = stamps(training)
    again = run_chain(training, corpus)
    assert stamps(training) == before and len(before) == 3
    assert again == first


def test_package_with_the_files_of_its_training_scores_as_it(
    scored, corpus, tmp_path
):
    folder, metrics = scored
    package = export_package(folder, tmp_path / "package")
    given = {
        "cohort": folder / "embeddings/cohort.npz",
        "calibration": folder / "veri_test/calibration.json",
    }
    again = run_chain(package, corpus, tmp_path / "out", **given)
    ours, theirs = map(columns_of, (folder / "veri_test", tmp_path / "out"))
    assert [*ours] == [*theirs]
    for step in ours:
        assert np.array_equal(ours[step], theirs[step])
    assert again["learnt_from"]["n_speakers"] == 3


def test_package_alone_gives_the_cosine_alone(scored, corpus, tmp_path):
    package = export_package(scored[0], tmp_path / "package")
    metrics = run_chain(package, corpus, tmp_path / "out")
    assert [*metrics["steps"]] == ["cosine"]
    assert metrics["n_cohort_speakers"] == 0


def test_list_of_dev_speakers_does_not_grade_itself(training, corpus, caplog):
    dev_list = training / "save/dev_trials.txt"
    metrics = command.verify(
        training, dev_list, corpus / "dev", chain=Chain(cohort_utts=2)
    )
    assert [*metrics["steps"]] == ["cosine", "as_norm"]
    assert "3 speakers of the list are dev speakers" in caplog.text


def test_scores_that_were_learnt_from_stand_beside_those_of_the_list(
    training, corpus
):
    dev_scores = training / "veri_test/dev_scores.txt"
    first = dev_scores.read_text()
    columns = first.split("\n")[0]
    scored = (training / "veri_test/scores.txt").read_text()
    assert columns == scored.split("\n")[0] and first.count("\n") == 106
    given = {"calibration": training / "veri_test/calibration.json"}
    run_chain(training, corpus, **given)
    assert not dev_scores.exists()  # nothing was learnt now


def test_a_package_writes_beside_what_its_training_wrote(training, corpus):
    before = {p: p.read_bytes() for p in (training / "veri_test").glob("*.*")}
    package = export_package(training, training / "package")
    run_chain(package, corpus)
    assert {p: p.read_bytes() for p in before} == before
    assert (training / "package_veri_test/metrics.json").is_file()


def test_another_checkpoint_writes_below_its_own_name(training, corpus):
    kept = [*(training / "veri_test").glob("*.*")]
    kept += [*(training / "embeddings").rglob("*.npz")]
    before = {path: path.read_bytes() for path in kept}
    name = next((training / "save").glob("CKPT*")).name
    trials, audio = corpus / LIST, corpus / "test"
    chain = Chain(cohort_utts=2, checkpoint=name)
    command.verify(training, trials, audio, chain=chain, checkpoint=name)
    assert {path: path.read_bytes() for path in kept} == before
    for file in ("veri_test/dev_scores.txt", "embeddings/cohort.npz"):
        assert (training / name / file).is_file()


def test_several_lists_are_written_into_folders_of_their_own(
    training, corpus, tmp_path, monkeypatch
):
    shutil.copy(corpus / LIST, tmp_path / "other.txt")
    yaml = training / "hyperparams.yaml"
    lists = f"[{corpus / LIST}, {tmp_path / 'other.txt'}]"
    yaml.write_text(yaml.read_text().replace(str(corpus / LIST), lists))
    given = [training, "--cosine_only", "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["verify.py", *map(str, given)])
    command.main()
    for name in ("veri_test", "other"):
        said = json.loads(
            (tmp_path / "out" / name / "metrics.json").read_text()
        )
        assert said["list"] == f"{name}.txt"


def test_broken_files_of_the_cohort_are_left_out_with_a_word(
    training, corpus, tmp_path, caplog
):
    moved = shutil.copytree(corpus / "dev", tmp_path / "dev")
    for path in (training / "save/train.csv").read_text().split()[1:6]:
        (moved / path.split(",")[0]).write_bytes(b"no audio")
    metrics = run_chain(training, corpus, train_folder=moved)
    assert metrics["n_cohort_speakers"] == 4
    assert "left out: " in caplog.text and "cannot be decoded" in caplog.text


def test_broken_file_of_the_list_is_refused_by_name(training, corpus, tmp_path):
    audio = shutil.copytree(corpus / "test", tmp_path / "test")
    (audio / "id08/s01/00001.wav").write_bytes(b"no audio")
    with pytest.raises(InputError, match="id08/s01/00001.wav: cannot be dec"):
        command.verify(training, corpus / LIST, audio, chain=Chain())


def test_training_whose_audio_is_gone_is_told_the_way_out(training, corpus):
    text = (training / "hyperparams.yaml").read_text()
    text = text.replace(str(corpus / "dev"), "/nowhere")
    (training / "hyperparams.yaml").write_text(text)
    with pytest.raises(InputError, match="/nowhere.* give --train_folder, or"):
        run_chain(training, corpus)


def test_steps_stand_in_the_results_table(scored, monkeypatch):
    import results_table

    monkeypatch.setattr(results_table, "read_row", lambda *_: ["the system"])
    lines = gains(scored[0], "veri_test").splitlines()
    assert lines[0] == "Steps of the system:"
    assert len(lines) == 4 + len(scored[1]["steps"])
    assert (
        f"| AS-norm | {scored[1]['steps']['as_norm']['eer']:.2f} [" in lines[5]
    )


def test_list_and_folder_are_those_of_the_training_unless_given(
    training, corpus
):
    given = {"source": training, "trial_list": None, "audio_folder": None}
    given["out"] = None
    found = command.given_lists(given)
    assert found == ([corpus / LIST], str(corpus / "test"))
    given |= {"trial_list": "a", "audio_folder": "b"}
    assert command.given_lists(given) == ([Path("a")], "b")
    with pytest.raises(InputError, match="give the audio folder"):
        command.given_lists({**given, "audio_folder": None})


@pytest.mark.slow
def test_two_processes_score_as_one_does(training, corpus):
    before = (training / "veri_test/scores.txt").read_text()
    shutil.rmtree(training / "embeddings")
    shutil.rmtree(training / "veri_test")
    given = ["-m", "torch.distributed.run", "--standalone"]
    given += ["--nproc_per_node", "2", command.__file__, str(training)]
    done = subprocess.run(
        [sys.executable, *given, "--cohort_utts", "3"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    made_by = [np.load(x)["made_by"].tolist() for x in stamps(training)]
    assert [n for _, n in made_by] == [2, 2, 2]  # world size
    after = (training / "veri_test/scores.txt").read_text()
    assert after.split("\n")[0] == before.split("\n")[0]
    ours, theirs = (
        np.array([line.split()[3:] for line in text.split("\n")[1:-1]], float)
        for text in (before, after)
    )
    # One process ran on all threads, which move last bits
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
