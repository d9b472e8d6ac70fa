"""Rates of groups against slow counts, their gap, and small groups."""

import json

import numpy as np
import pytest
from simulated_trials import simulate

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.groups import trial_groups
from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.subgroups import subgroup_table

THRESHOLD = 1.0


def two_groups(seed=0, shift=0.0):
    """Speakers of even and odd number; targets of the odd lose shift."""
    labels, scores, enrol, test = simulate(np.random.default_rng(seed))
    scores = scores - shift * ((enrol % 2 == 1) & (labels == 1))
    groups = trial_groups(
        np.where(enrol % 2, "odd", "even"), np.where(test % 2, "odd", "even")
    )
    return labels, scores, groups, enrol, test


def table_of(trials, **wanted):
    return subgroup_table(*trials, THRESHOLD, n_resamples=20, **wanted)


def rows_by_group(table):
    return {row.group: row for row in table.rows}


def test_counts_and_rates_agree_with_a_slow_count():
    trials = two_groups()
    labels, scores, groups, enrol, test = trials
    for row in table_of(trials).rows:
        inside = [i for i, group in enumerate(groups) if group == row.group]
        targets = [i for i in inside if labels[i] == 1]
        others = [i for i in inside if labels[i] == 0]
        people = {enrol[i] for i in inside} | {test[i] for i in inside}
        assert row.n_trials == len(inside)
        assert row.n_targets == len(targets)
        assert row.n_speakers == len(people)
        accepted = sum(scores[i] >= THRESHOLD for i in others)
        assert row.p_fa == pytest.approx(accepted / len(others))
        if targets:
            missed = sum(scores[i] < THRESHOLD for i in targets)
            assert row.p_miss == pytest.approx(missed / len(targets))


def test_a_score_at_the_threshold_is_accepted():
    speakers = ["a", "a"], ["a", "b"]
    row = subgroup_table([1, 0], [0.5, 0.5], ["f"] * 2, *speakers, 0.5).rows[0]
    assert (row.p_miss, row.p_fa) == (0.0, 1.0)


def test_every_trial_is_counted_once():
    trials = two_groups()
    assert sum(row.n_trials for row in table_of(trials).rows) == 480


def test_eer_and_interval_are_those_of_the_group_alone():
    trials = two_groups()
    inside = np.array(trials[2]) == "odd"
    labels, scores, _, enrol, test = (np.asarray(part) for part in trials)
    part = [column[inside] for column in (labels, scores, enrol, test)]
    expected = bootstrap_interval(
        lambda *given: equal_error_rate(*given).eer, *part, 20
    )
    row = rows_by_group(table_of(trials))["odd"]
    assert (row.eer, row.eer_low, row.eer_high) == expected[:3]


def test_intervals_hold_their_estimates():
    for row in table_of(two_groups()).rows:
        if not row.note:
            assert row.p_miss_low <= row.p_miss <= row.p_miss_high
            assert row.p_fa_low <= row.p_fa <= row.p_fa_high
            assert row.p_miss_low < row.p_miss_high


def test_a_group_that_loses_is_the_worst_and_the_gap_says_by_how_much():
    table = table_of(two_groups(shift=1.5))
    rows = rows_by_group(table)
    gap = table.gap
    assert (gap.best, gap.worst) == ("even", "odd")
    assert gap.eer == pytest.approx(rows["odd"].eer - rows["even"].eer)
    assert gap.p_miss == pytest.approx(rows["odd"].p_miss - rows["even"].p_miss)
    assert gap.p_miss > 0.2
    assert gap.note == "2 groups compared"


def test_a_shift_of_all_scores_of_a_group_shows_only_at_one_threshold():
    labels, scores, groups, enrol, test = two_groups()
    shifted = scores + 3.0 * (np.array(groups) == "odd")
    before, after = (
        rows_by_group(table_of((labels, s, groups, enrol, test)))["odd"]
        for s in (scores, shifted)
    )
    assert after.eer == pytest.approx(before.eer)
    assert after.p_fa > before.p_fa + 0.5


def test_mixed_trials_have_no_eer_and_no_part_in_the_gap():
    table = table_of(two_groups())
    mixed = table.rows[-1]
    assert (mixed.group, mixed.n_targets) == ("mixed", 0)
    assert mixed.eer is None and mixed.p_miss is None
    assert "0 target" in mixed.note
    assert "mixed" not in table.gap.note


def test_unknown_trials_are_shown_last_and_have_no_part_in_the_gap():
    labels, scores, groups, enrol, test = two_groups()
    groups = np.where(enrol == 1, "unknown", groups)
    table = table_of((labels, scores, groups, enrol, test))
    assert table.rows[-1].group == "unknown"
    assert table.rows[-1].n_trials == np.count_nonzero(enrol == 1)
    assert "unknown" not in table.gap.note


def test_a_group_of_few_speakers_is_shown_without_interval_or_gap():
    labels, scores, groups, enrol, test = two_groups()
    few = (enrol < 9) & (test < 9)
    table = table_of(
        (labels, scores, np.where(few, "few", groups), enrol, test)
    )
    row = rows_by_group(table)["few"]
    assert row.eer is not None and row.eer_low is None
    assert row.note.startswith("9 speakers")
    assert table.gap.note == "2 groups compared; too small to say: few"


def test_one_group_has_no_gap():
    labels, scores, _, enrol, test = two_groups()
    table = table_of((labels, scores, ["all"] * 480, enrol, test))
    assert table.gap[:5] == (None,) * 5
    assert table.gap.note == "1 groups compared"


def test_bins_stand_in_the_order_of_their_numbers():
    labels, scores, _, enrol, test = two_groups()
    names = ["unknown", "10 to 20 s", "2.5 to 10 s", "-inf to 2.5 s", "mixed"]
    groups = np.array(names)[np.arange(480) % 5]
    table = table_of((labels, scores, groups, enrol, test))
    assert [row.group for row in table.rows] == [
        "-inf to 2.5 s",
        "2.5 to 10 s",
        "10 to 20 s",
        "mixed",
        "unknown",
    ]


def test_order_of_trials_does_not_matter():
    trials = two_groups()
    order = np.random.default_rng(0).permutation(480)
    turned = [np.asarray(part)[order] for part in trials]
    assert table_of(turned) == table_of(trials)


def test_rows_and_gap_are_json_without_nan():
    table = table_of(two_groups())
    stored = [part._asdict() for part in (*table.rows, table.gap)]
    assert json.loads(json.dumps(stored, allow_nan=False)) == stored


@pytest.mark.parametrize(
    "change, match",
    [
        ({"scores": [np.nan] * 4}, "score 0 is nan"),
        ({"groups": ["f"]}, "one group per trial"),
        ({"labels": [1, 1, 1, 1]}, "labels must be"),
        ({"labels": [0, 1, 1, 0]}, "trial 0 has label 0"),
        ({"threshold": None}, "the threshold is None"),
        ({"threshold": np.nan}, "the threshold is nan"),
        ({"n_resamples": 0}, "n_resamples is 0"),
    ],
)
def test_what_cannot_be_grouped_is_refused(change, match):
    given = {
        "labels": [1, 0, 1, 0],
        "scores": [0.9, 0.1, 0.8, 0.2],
        "groups": ["f"] * 4,
        "enrol_speakers": list("aabb"),
        "test_speakers": list("abba"),
        "threshold": 0.5,
        **change,
    }
    with pytest.raises(InputError, match=match):
        subgroup_table(**given)
