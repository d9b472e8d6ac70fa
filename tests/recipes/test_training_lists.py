"""Lists of a training that has begun."""

import pytest
from tiny_corpus import write_trials
from training_lists import check_unheard

from speechbrain_moe.scoring.trials import TrialListError, read_trials


@pytest.fixture
def save_folder(tmp_path):
    """Ann was trained on, bob was held out."""
    for name, speaker in (("train", "ann"), ("dev", "bob")):
        row = f"{speaker}1,{speaker}/s/1.wav,{speaker},1.0"
        (tmp_path / f"{name}.csv").write_text(
            f"ID,path,spk_id,duration_s\n{row}\n"
        )
    (tmp_path / "label_encoder.txt").touch()
    return tmp_path


def trials_of(folder, *speakers):
    path = folder / "trials.txt"
    files = [f"{speaker}/s/{i}.wav" for speaker in speakers for i in (1, 2)]
    write_trials(path, files)
    return read_trials(path)


@pytest.mark.parametrize("name, speaker", [("train", "ann"), ("dev", "bob")])
def test_speakers_that_a_training_knows_are_refused(save_folder, name, speaker):
    trials = trials_of(save_folder, "cid", speaker)
    wanted = f"list.txt names {speaker}, .*{name}.csv: score .* verify.py"
    with pytest.raises(TrialListError, match=wanted):
        check_unheard(trials, "list.txt", save_folder)


def test_other_speakers_pass(save_folder):
    check_unheard(trials_of(save_folder, "cid", "eve"), "x", save_folder)


def test_before_the_training_begins_all_pass(save_folder):
    (save_folder / "label_encoder.txt").unlink()
    check_unheard(trials_of(save_folder, "ann", "bob"), "x", save_folder)
