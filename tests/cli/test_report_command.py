"""The subcommand report."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechbrain_moe.cli import main


def report_of(folder, experiment, *more):
    return [
        *("report", str(experiment), "--trials"),
        *(str(folder / "trials.txt"), "--audio", str(folder / "audio")),
        *("--out", str(folder / "report"), *more),
    ]


def test_report_writes_a_page_with_its_facts_and_arrays(
    experiment, trial_list, said
):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    table = str(trial_list / "meta.csv")
    given = ("--metadata", table, "--columns", "spk_id")
    found = said(*report_of(trial_list, experiment, *given))
    files = [Path(found[key]).name for key in ("page", "facts", "arrays")]
    assert files == ["routing.html", "routing.json", "routing.npz"]
    facts = json.loads(Path(found["facts"]).read_text(encoding="utf-8"))
    assert facts["errors"]["whole"]["estimate"] == found["eer"]
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
    assert main(report_of(trial_list, "no_model", *given)) == 2
    assert said in capsys.readouterr().err
    assert not (trial_list / "report").exists()


@pytest.mark.parametrize("out", ["report", "report/x", "/dev/null"])
def test_report_does_not_write_where_a_file_is(out, trial_list, refused):
    (trial_list / "report").touch()
    given = report_of(trial_list, "no_model", "--out", str(trial_list / out))
    assert "is no folder that may be written to" in refused(*given)


@pytest.mark.parametrize("name", ["npz", "html", "json"])
def test_report_does_not_write_where_a_folder_is(name, trial_list, refused):
    (trial_list / "report" / f"routing.{name}").mkdir(parents=True)
    said = refused(*report_of(trial_list, "no_model"))
    assert f"routing.{name}: is a folder" in said


def test_report_refuses_columns_before_it_loads_a_model(
    trial_list, refused, monkeypatch
):
    table = trial_list / "meta.csv"
    table.write_text("spk_id,nick,duration\na,x,1\nb,y,2\nc,z,3\n")
    given = report_of(trial_list, "no_model", "--metadata", str(table))
    assert "column duration" in refused(*given, "--columns", "duration")
    monkeypatch.setattr(
        "speechbrain_moe.report.routing_attributes.MOST_VALUES", 2
    )
    assert "column nick has 3 values" in refused(*given, "--columns", "nick")


def test_report_resamples_and_names_a_silent_file(
    experiment, trial_list, said, refused
):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    file = trial_list / "audio" / "b" / "s" / "1.wav"
    wav, _ = soundfile.read(file)
    soundfile.write(file, np.repeat(wav, 3), 48000)
    assert said(*report_of(trial_list, experiment))["eer"] >= 0
    soundfile.write(file, np.zeros(16000), 16000)
    told = refused(*report_of(trial_list, experiment))
    assert "b/s/1.wav: silence at -120 dB" in told
