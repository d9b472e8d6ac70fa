import pandas as pd
import pytest
from scoring_data import dev_trials, draw_cohort, draw_files, training_settings

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.speakers import speakers_of


def write_lists(folder, n_utterances=4):
    """train.csv of speakers a to d, and dev_trials.txt: a-b and c-d."""
    rows = [
        (f"{s}/s01/{j}.wav", s) for s in "abcd" for j in range(n_utterances)
    ]
    table = pd.DataFrame(rows, columns=["path", "spk_id"])
    table.to_csv(folder / "train.csv", index=False)
    lines = ["1 a/s01/0.wav a/s01/1.wav"]
    lines += ["0 b/s01/0.wav a/s01/1.wav", "0 c/s01/0.wav d/s01/1.wav"]
    (folder / "dev_trials.txt").write_text("\n".join(lines))
    return table, folder / "dev_trials.txt"


def test_as_many_files_of_each_speaker_are_drawn_by_the_seed(tmp_path):
    write_lists(tmp_path)
    drawn = draw_files(tmp_path / "train.csv", 3, seed=1)
    assert drawn.spk_id.tolist() == [*"aaabbbcccddd"]
    assert drawn.path.is_monotonic_increasing
    assert drawn.equals(draw_files(tmp_path / "train.csv", 3, seed=1))
    assert not drawn.equals(draw_files(tmp_path / "train.csv", 3, seed=2))


def test_speakers_of_the_list_stay_out_of_the_cohort(tmp_path, caplog):
    write_lists(tmp_path)
    table = draw_cohort(tmp_path / "train.csv", {"b", "x"}, 3, seed=1)
    assert {*table.spk_id} == {*"acd"}
    assert "1 speakers of the list were trained on" in caplog.text
    with pytest.raises(InputError, match="fewer than two speakers"):
        draw_cohort(tmp_path / "train.csv", {*"bcd"}, 3, seed=1)


def test_dev_trials_are_all_pairs_of_the_speakers_compared(tmp_path):
    table, dev_list = write_lists(tmp_path)
    trials = dev_trials(table, dev_list)
    pairs = [frozenset(pair) for pair in zip(trials.enrol, trials.test)]
    # 4 speakers x 6 pairs, then 16 of a with b and 16 of c with d
    assert len({*pairs}) == len(pairs) == 24 + 32
    assert all(len(pair) == 2 for pair in pairs)
    sides = [*zip(speakers_of(trials.enrol), speakers_of(trials.test))]
    assert [int(a == b) for a, b in sides] == trials.labels.tolist()
    assert {"".join(sorted(s)) for s in sides if s[0] != s[1]} == {"ab", "cd"}


def test_no_more_dev_trials_are_drawn_than_asked_for(tmp_path):
    table, dev_list = write_lists(tmp_path)
    trials = dev_trials(table, dev_list, n_most=40)
    assert trials.labels.sum() == 20 and len(trials.labels) == 40
    assert len({*zip(trials.enrol, trials.test)}) == 40
    assert trials.enrol == dev_trials(table, dev_list, n_most=40).enrol


def test_missing_lists_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="train.csv: no such file"):
        draw_files(tmp_path / "train.csv", 3, seed=1)
    with pytest.raises(InputError, match="hyperparams.yaml: no such file"):
        training_settings(tmp_path)
    write_lists(tmp_path)
    with pytest.raises(InputError, match="cohort_utts is 0"):
        draw_files(tmp_path / "train.csv", 0, seed=1)
