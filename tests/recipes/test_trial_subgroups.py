import numpy as np
import pandas as pd
import pytest
from scored_files import all_pairs, made_up
from trial_subgroups import (
    as_markdown,
    check_columns,
    file_values,
    groups_of,
    subgroup_tables,
    write_subgroups,
)

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.trials import trial_scores


@pytest.fixture(scope="module")
def found():
    return made_up([f"t{i:02d}" for i in range(24)], 3)


@pytest.fixture
def metadata(tmp_path):
    rows = [
        (f"t{i:02d}", "fm"[i % 2], i + 6.5, "x" if i else "") for i in range(24)
    ]
    names = ["spk_id", "gender", "age", "note"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "m.csv", index=False)
    return tmp_path / "m.csv"


def test_gender_and_age_are_shown_where_no_columns_are_named(found, metadata):
    assert [*file_values(found, metadata)] == ["duration_s", "gender", "age"]
    named = file_values(found, metadata, ["note"])
    assert [*named] == ["duration_s", "note"]
    assert [*file_values(found)] == ["duration_s"]


def test_numbers_of_the_speaker_group_by_agreement(found, metadata):
    trials = all_pairs(found.paths)
    groups = np.array(groups_of(trials, file_values(found, metadata)["age"]))
    assert "mixed" not in groups[trials.labels == 1]
    assert "mixed" in groups[trials.labels == 0]
    assert len({*groups[trials.labels == 1]}) == 3


def test_numbers_of_the_file_group_by_the_smaller_side(found):
    trials = all_pairs(found.paths)
    values = file_values(found)["duration_s"]
    groups = np.array(groups_of(trials, values))
    smaller = np.minimum(values[trials.enrol], values[trials.test].to_numpy())
    for name in {*groups}:
        low, high = (float(x) for x in name.removesuffix(" s").split(" to "))
        inside = smaller[groups == name]
        # The names of the bins are rounded
        assert low - 0.01 <= inside.min() and inside.max() <= high + 0.01
    assert {*groups} & {"mixed", "unknown"} == set()


def test_files_without_a_value_are_unknown(found, metadata):
    trials = all_pairs(found.paths)
    values = file_values(found, metadata, ["note"])["note"]
    groups = groups_of(trials, values)
    wanted = ["t00" in a + b for a, b in zip(trials.enrol, trials.test)]
    assert [group == "unknown" for group in groups] == wanted


def test_written_tables_hold_every_group_and_the_gap(found, metadata, tmp_path):
    trials = all_pairs(found.paths)
    scores = trial_scores(found.embeddings, found.paths, trials)
    tables = subgroup_tables(trials, scores, file_values(found, metadata), 0.4)
    write_subgroups(tmp_path, tables, "of the test")
    table = pd.read_csv(tmp_path / "subgroups.csv")
    women = table[table.group == "f"].iloc[0]
    sex = {p: int(p[1:3]) % 2 for p in found.paths}
    inside = np.array(
        [not sex[a] and not sex[b] for a, b in zip(trials.enrol, trials.test)]
    )
    accepted = scores[inside & (trials.labels == 0)] >= 0.4
    assert women.n_trials == inside.sum()
    assert women.p_fa == pytest.approx(accepted.mean())
    text = (tmp_path / "subgroups.md").read_text()
    assert "Error rates by group: of the test." in text
    gap = tables["gender"].gap
    assert f"{gap.eer:.2f} points of EER" in as_markdown("x", tables["gender"])


def test_table_that_will_not_do_is_refused_before_anything_runs(metadata):
    check_columns(metadata, ["age"])
    with pytest.raises(InputError, match="no column height"):
        check_columns(metadata, ["height"])
    with pytest.raises(InputError, match="give --metadata too"):
        check_columns(None, ["age"])
