"""The command speechbrain-moe."""

import itertools
import json
from pathlib import Path

import pytest
import soundfile

from speechbrain_moe import __version__
from speechbrain_moe.cli import main
from speechbrain_moe.inference.export import load_encoder


@pytest.fixture
def files(voices, tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(2)]
    for path, wav in zip(paths, voices(2)):
        soundfile.write(path, wav.numpy(), 16000)
    return paths


def test_verify_prints_the_cosine_of_stock_speechbrain(
    experiment, files, capsys
):
    assert main(["verify", *files, "--model", str(experiment), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    score, _ = load_encoder(experiment).verify_files(*files)
    assert said["score"] == pytest.approx(score.item(), abs=1e-5)


def test_export_writes_a_package(experiment, tmp_path, capsys):
    package = tmp_path / "package"
    assert main(["export", str(experiment), str(package)]) == 0
    assert (package / "hyperparams.yaml").is_file()
    assert str(package) in capsys.readouterr().out


def test_a_package_is_checked_and_a_changed_one_is_refused(
    experiment, tmp_path, capsys
):
    package = tmp_path / "package"
    about = tmp_path / "about.yaml"
    about.write_text("title: Four voices\n")
    export = ["export", str(experiment), str(package), "--about", str(about)]
    assert main(export) == 0
    assert "# Four voices" in (package / "README.md").read_text()
    capsys.readouterr()
    check = ["verify-package", str(package), "--json"]
    assert main(check) == 0
    assert "README.md" in json.loads(capsys.readouterr().out)["files"]
    (package / "README.md").write_text("changed")
    assert main(check) == 2
    assert "README.md" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["push", "nowhere", "user/name"],
        ["onnx", "nowhere", "out.onnx"],
        ["verify-package", "nowhere"],
    ],
)
def test_a_missing_package_ends_in_one_line_and_status_2(command, capsys):
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert "nowhere" in err


def test_missing_file_ends_in_one_line_on_stderr_and_status_2(
    experiment, capsys
):
    given = ["verify", "no.wav", "no.wav", "--model", str(experiment)]
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: no.wav: no such file; correct the path\n"


@pytest.fixture
def trial_list(voices, tmp_path):
    """A list over 3 speakers with 2 files each, and its folder."""
    paths = [f"{s}/s/{i}.wav" for s in "abc" for i in range(2)]
    for path, wav in zip(paths, voices(6)):
        (tmp_path / "audio" / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "audio" / path, wav.numpy(), 16000)
    lines = [
        f"{int(a[0] == b[0])} {a} {b}\n"
        for a, b in itertools.combinations(paths, 2)
    ]
    (tmp_path / "trials.txt").write_text("".join(lines))
    (tmp_path / "meta.csv").write_text("spk_id,gender\na,f\nb,m\nc,f\n")
    return tmp_path


def report_of(folder, experiment, *more):
    return main(
        [
            *("report", str(experiment), "--trials"),
            *(str(folder / "trials.txt"), "--audio", str(folder / "audio")),
            *("--out", str(folder / "report"), *more),
        ]
    )


def test_report_writes_a_page_with_its_facts_and_arrays(
    experiment, trial_list, capsys
):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    table = str(trial_list / "meta.csv")
    given = ("--metadata", table, "--columns", "spk_id", "--json")
    assert report_of(trial_list, experiment, *given) == 0
    said = json.loads(capsys.readouterr().out)
    files = [Path(said[key]).name for key in ("page", "facts", "arrays")]
    assert files == ["routing.html", "routing.json", "routing.npz"]
    facts = json.loads(Path(said["facts"]).read_text(encoding="utf-8"))
    assert facts["errors"]["whole"]["estimate"] == said["eer"]
    assert facts["about"]["n_files"] == 6
    assert {"gender", "spk_id"} < set(facts["attributes"])


@pytest.mark.parametrize(
    "given, said",
    [
        (["--columns", "gender"], "give --metadata too"),
        (["--metadata", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--max_files", "1"], "max_files is 1"),
        (["--seed", "-1"], "--seed is -1"),
        (["--audio", "nowhere"], "correct --audio"),
    ],
)
def test_report_refuses_what_it_cannot_use_before_it_loads_a_model(
    given, said, trial_list, capsys
):
    assert report_of(trial_list, "no_model", *given) == 2
    assert said in capsys.readouterr().err
    assert not (trial_list / "report").exists()


def test_report_does_not_write_where_a_file_is(trial_list, capsys):
    (trial_list / "report").touch()
    assert report_of(trial_list, "no_model") == 2
    assert "report is a file" in capsys.readouterr().err


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == __version__
