import json

import pytest
from results_table import as_table, read_row, replace_table

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
    assert read_row(run) == [
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


def test_one_expert_is_called_by_its_own_name(run):
    text = SETTINGS.replace("n_experts: 4", "n_experts: 1")
    (run / "hyperparams.yaml").write_text(text)
    assert read_row(run)[0] == "ECAPA-TDNN, C=64"


def test_unfinished_run_is_refused_by_name(run):
    (run / "veri_test/metrics.json").unlink()
    with pytest.raises(InputError, match="run holds 0 metrics.json"):
        read_row(run)


def test_table_replaces_what_stood_between_the_marks(tmp_path):
    path = tmp_path / "README.md"
    begin, end = "<!-- results: command -->\n", "<!-- end of results -->\n"
    path.write_text(f"before\n{begin}old\n{end}after\n")
    table = as_table([["cell"] * 10])
    replace_table(path, table)
    assert path.read_text() == f"before\n{begin}{table}{end}after\n"


def test_file_without_marks_is_left_alone(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("text")
    with pytest.raises(InputError, match="has no"):
        replace_table(path, "table")
    assert path.read_text() == "text"
