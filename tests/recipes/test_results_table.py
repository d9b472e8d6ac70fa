import json
import shutil

import pytest
from results_table import compare, read_row, read_scores

from speechbrain_moe.errors import InputError

METRICS = {
    "eer": 6.0333,
    "eer_interval": [4.0, 8.256],
    "min_dcf_0.01": 0.41,
    "min_dcf_0.01_interval": [0.3, 0.5],
    "params": 1334820,
    "active_params": 701236,
    "active_macs_3s": 120450944,
    "device": "CPU, 1 thread",
}
SETTINGS = """\
seed: 7
n_epochs: 2
steps_per_epoch: 56
n_experts: 4
selection: top_k
top_k: 2
expert_channels: [64, 64, 64, 64, 192]
"""
LOG = """\
2026-01-01 10:00:00,100 - epoch_loop - INFO - Going into epoch 1
2026-01-01 10:02:00,900 - checkpoints - INFO - Saved an end-of-epoch checkpoint
2026-01-01 10:02:01,000 - epoch_loop - INFO - Going into epoch 2
2026-01-02 07:59:59,000 - checkpoints - INFO - Loading a checkpoint from out
2026-01-02 08:00:00,000 - epoch_loop - INFO - Going into epoch 2
2026-01-02 08:01:00,000 - checkpoints - INFO - Saved an end-of-epoch checkpoint
"""


@pytest.fixture
def run(tmp_path):
    """Folder of a training that was broken off once."""
    (tmp_path / "run" / "veri_test").mkdir(parents=True)
    folder = tmp_path / "run"
    (folder / "veri_test/metrics.json").write_text(json.dumps(METRICS))
    (folder / "hyperparams.yaml").write_text(SETTINGS)
    (folder / "log.txt").write_text(LOG)
    return folder


def test_row_is_read_from_the_files_of_the_run(run):
    assert read_row(run, "veri_test") == [
        "MoE, 4 x C=64, top-2",
        "6.03 [4.00, 8.26]",
        "0.410 [0.300, 0.500]",
        "1.33",
        "0.70",
        "120.5",
        "112",
        "3",
        "CPU, 1 thread",
        "7",
    ]


def test_an_epoch_without_a_validation_counts_too(run):
    lines = LOG.splitlines(keepends=True)
    (run / "log.txt").write_text(lines[0] + "".join(lines[2:]))
    assert read_row(run, "veri_test")[7] == "3"


def test_minutes_are_left_open_where_the_log_stayed_elsewhere(run):
    (run / "log.txt").unlink()
    assert read_row(run, "veri_test")[7] == "–"


def test_a_mean_is_called_one_and_has_no_steps_of_its_own(run):
    (run / "mean_of.txt").write_text("a\nb\n")
    (run / "log.txt").unlink()
    row = read_row(run, "veri_test")
    assert row[0] == "MoE, 4 x C=64, top-2, mean" and row[6:8] == ["–", "–"]


def test_one_expert_is_called_by_its_own_name(run):
    text = SETTINGS.replace("n_experts: 4", "n_experts: 1")
    (run / "hyperparams.yaml").write_text(text)
    assert read_row(run, "veri_test")[0] == "ECAPA-TDNN, C=64"


@pytest.mark.parametrize("head", ["", "# cosine llr\n"])
def test_paths_of_scores_may_hold_any_mark(run, head):
    more = " 0.1" if head else ""
    lines = f'1 a#1.wav b.wav 0.5{more}\n0 "c.wav d#.wav 0.25{more}\n'
    (run / "veri_test/scores.txt").write_text(head + lines)
    table = read_scores(run, "veri_test")
    assert table.enrol.tolist() == ["a#1.wav", '"c.wav']
    assert table.test.tolist() == ["b.wav", "d#.wav"]
    assert table.score.tolist() == [0.5, 0.25]


def test_unfinished_run_is_refused_by_name(run):
    (run / "veri_test/metrics.json").unlink()
    with pytest.raises(InputError, match="metrics.json: no such file"):
        read_row(run, "veri_test")


def write_scores(run, scores):
    """Trials of three speakers with these scores."""
    files = ["a/s/1.wav", "a/s/2.wav", "b/s/1.wav", "b/s/2.wav"]
    files += ["c/s/1.wav", "c/s/2.wav"]
    pairs = [(x, y) for i, x in enumerate(files) for y in files[i + 1 :]]
    lines = [
        f"{int(x[0] == y[0])} {x} {y} {score}\n"
        for (x, y), score in zip(pairs, scores)
    ]
    (run / "veri_test" / "scores.txt").write_text("".join(lines))


def test_training_against_itself_differs_by_nothing(run):
    write_scores(run, [0.9 - 0.05 * i for i in range(15)])
    said = compare(run, run, "veri_test")
    assert "+0.00 [+0.00, +0.00]" in said and "p = 1.00" in said


def test_trainings_that_scored_other_trials_are_not_compared(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    write_scores(run, range(15))
    write_scores(other, range(14))
    with pytest.raises(InputError, match="scored other trials"):
        compare(run, other, "veri_test")
