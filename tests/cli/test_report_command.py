"""The subcommand report."""

import json
from pathlib import Path

import pytest

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


def test_report_does_not_write_where_a_file_is(trial_list, refused):
    (trial_list / "report").touch()
    assert "report is a file" in refused(*report_of(trial_list, "no_model"))
