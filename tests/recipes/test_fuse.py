import json

import numpy as np
import pytest
from fuse import fuse, main

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.pairs import score_lines, write_score_lines
from speechbrain_moe.scoring.trials import Trials


def write_scores(path, trials, steps):
    write_score_lines(path, score_lines(trials, steps, labelled=True))


def made_up(n, prefix, seed):
    """Trials of 20 speakers, and two systems that err independently."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    one = rng.integers(0, 20, n)
    other = np.where(labels == 1, one, (one + rng.integers(1, 20, n)) % 20)
    sides = (
        [f"{prefix}{who}/s/{i}.wav" for i, who in enumerate(side)]
        for side in (one, other)
    )
    scores = [labels + rng.normal(0, 0.6, n) for _ in range(2)]
    return Trials(labels, *sides), scores


@pytest.fixture
def trainings(tmp_path):
    """Two folders with the files that verify.py writes."""
    for seed, (prefix, name) in enumerate(
        [("dev", "list/dev_scores.txt"), ("test", "list/scores.txt")]
    ):
        trials, scores = made_up(2000, prefix, seed)
        for i in (0, 1):
            steps = {"cosine": scores[i] - 9, "as_norm": scores[i]}
            write_scores(tmp_path / f"{i}" / name, trials, steps)
    return [str(tmp_path / "0"), str(tmp_path / "1")]


def test_two_that_err_independently_err_less_together(trainings, tmp_path):
    metrics = fuse(trainings, tmp_path / "out", "list")
    alone, fused = metrics["steps"]["as_norm"], metrics["steps"]["llr_fused"]
    assert fused["eer"] < 0.75 * alone["eer"]
    assert fused["cllr"] < 0.5
    weights = metrics["fusion"]["weights"]
    assert min(weights) > 0.7 * max(weights)  # as good as each other
    written = json.loads((tmp_path / "out/metrics.json").read_text())
    assert written == json.loads(json.dumps(metrics))
    scored = (tmp_path / "out/scores.txt").read_text().splitlines()
    assert scored[0] == "# label enrol test as_norm llr_fused"
    assert len(scored) == 2001


def test_weights_come_from_dev_alone(trainings, tmp_path):
    before = fuse(trainings, tmp_path / "a", "list")["fusion"]
    trials, scores = made_up(500, "else", seed=7)
    for folder, values in zip(trainings, scores):
        steps = {"cosine": values, "as_norm": -values}
        write_scores(tmp_path / folder / "list/scores.txt", trials, steps)
    assert fuse(trainings, tmp_path / "b", "list")["fusion"] == before


def test_other_trials_are_refused_by_name(trainings, tmp_path):
    trials, scores = made_up(2000, "dev", seed=5)
    steps = {"cosine": scores[0], "as_norm": scores[0]}
    path = tmp_path / "1/list/dev_scores.txt"
    write_scores(path, trials, steps)
    with pytest.raises(InputError, match=f"{path} and .* other trials"):
        fuse(trainings, tmp_path / "out", "list")


def test_list_that_nothing_was_learnt_for_is_refused(trainings, tmp_path):
    (tmp_path / "1/list/dev_scores.txt").unlink()
    with pytest.raises(InputError, match="1/list/dev_scores.txt: no such file"):
        fuse(trainings, tmp_path / "out", "list")


def test_what_lacks_is_named_with_the_command(trainings, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*trainings, "--out", str(tmp_path / "o"), "--list", "nowhere"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "nowhere/scores.txt: no such file" in said and "verify.py" in said
    with pytest.raises(InputError, match="has no llr; choose --step cosine"):
        fuse(trainings, tmp_path / "o", "list", "llr")
    twice = [*trainings, f"{trainings[0]}/../0"]
    for folders in (trainings[:1], trainings[:1] * 2, twice):
        with pytest.raises(InputError, match="two different"):
            fuse(folders, tmp_path / "o", "list")
    assert not (tmp_path / "o").exists()
