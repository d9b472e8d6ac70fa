"""The command speechbrain-moe."""

import json

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


def test_missing_file_ends_in_one_line_on_stderr_and_status_2(
    experiment, capsys
):
    given = ["verify", "no.wav", "no.wav", "--model", str(experiment)]
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: no.wav: no such file; correct the path\n"


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == __version__
