"""Each kind of bad input ends in one error that says what to do."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import train
import verify
from tiny_corpus import arguments, write_corpus
from training_lists import check_apart, prepare

from speechbrain_moe.errors import InputError


@pytest.fixture
def own_corpus(tmp_path):
    """A corpus that a test may damage."""
    return write_corpus(tmp_path / "corpus")


BAD_VALUES = [
    ({"n_experts": 0}, "n_experts is 0"),
    ({"n_experts": "four"}, "n_experts is 'four'"),
    (
        {"selection": "top_k", "top_k": 5},
        "top_k is 5 and n_experts is 2.*choose top_k from 1 to 2",
    ),
    ({"selection": "top_k", "top_k": 0}, "top_k is 0"),
    ({"top_k": 1}, "selection is soft: choose --selection=top_k too"),
    ({"crop_s": 0}, "crop_s is 0: choose"),
    ({"trial_folder": "nowhere"}, "nowhere.*trial_folder"),
    ({"selection": "hard"}, "selection is 'hard': choose one of soft"),
    ({"loss": "softmax"}, "loss is 'softmax': choose one of aam_softmax"),
    ({"optimizer_name": "sgd"}, "optimizer_name is 'sgd'.*one of adamw, muon"),
    ({"expert_overrides": "[{}]"}, "expert_overrides has 1 entries"),
    ({"speeds": "[0.9]"}, "speeds is"),
    ({"batch_size": 1000}, "batch_size is 1000.*smaller batch_size"),
    ({"data_folder": None}, "data_folder.*PLACEHOLDER"),
    ({"n_exprts": 4}, "has no key n_exprts"),
    ({"train_folder": "nowhere"}, "train_folder.*nowhere"),
    ({"trial_list": "nowhere.txt"}, "nowhere.txt"),
    ({"noise_folder": "nowhere"}, "noise_folder"),
    ({"rir_folder": "nowhere"}, "rir_folder"),
    ({"unlabelled_folder": "u"}, "unlabelled_folder is 'u'.*teacher alone"),
    (
        {"teacher_embeddings": "no.npz", "distill_weight": 1},
        "teacher_embeddings no.npz: no such file",
    ),
    ({"init_from": "./nowhere"}, "init_from: there is no folder ./nowhere"),
    ({"n_shared_blocks": 6}, "n_shared_blocks is 6: choose 0 to 5"),
    ({"execution": "fast"}, "execution is 'fast': choose dense or sparse"),
]


@pytest.mark.parametrize("changes, said", BAD_VALUES, ids=str)
def test_bad_values_name_the_key_and_the_mend(
    changes, said, corpus, small_yaml, tmp_path
):
    given = arguments(small_yaml, corpus, tmp_path / "out", **changes)
    with pytest.raises(InputError) as caught:
        train.main(given)
    message = str(caught.value.args[-1])
    assert re.search(said, message), message


@pytest.mark.parametrize("name", ["", "dev", "dev/id00", "test/id08"])
def test_unlabelled_speech_of_held_out_speakers_is_refused(tmp_path, name):
    settings = folders_of(tmp_path)
    said = f"unlabelled_folder {tmp_path / name}.*: give folders apart"
    with pytest.raises(InputError, match=said):
        prepare({**settings, "unlabelled_folder": tmp_path / name}, None)
    check_apart({**settings, "unlabelled_folder": tmp_path / "more"})


def folders_of(folder):
    """Settings of a training whose folders are apart."""
    return {
        "train_folder": folder / "dev",
        "trial_folder": folder / "test",
        "unlabelled_folder": None,
        "noise_folder": None,
        "rir_folder": folder / "rooms",
        "voices_folder": folder / "voices",
        "output_folder": folder / "results",
    }


KINDS = ["noise_folder", "rir_folder", "voices_folder", "output_folder"]


@pytest.mark.parametrize("key", KINDS)
def test_what_is_no_speaker_may_not_lie_among_the_speakers(
    tmp_path, monkeypatch, key
):
    settings = folders_of(tmp_path)
    check_apart(settings)
    monkeypatch.chdir(tmp_path / "..")
    inside = f"{tmp_path.name}/dev/musan"
    with pytest.raises(InputError, match=f"{key} .* taken for speakers"):
        check_apart({**settings, key: inside})


def test_results_may_not_lie_among_what_is_heard(tmp_path):
    settings = {**folders_of(tmp_path), "output_folder": tmp_path / "rooms/a"}
    with pytest.raises(InputError, match="output_folder .* would be heard"):
        check_apart(settings)


@pytest.mark.parametrize("key", ["noise_folder", "rir_folder"])
@pytest.mark.parametrize("name", ["", "test"])
def test_noises_of_held_out_speakers_are_refused(tmp_path, key, name):
    settings = {**folders_of(tmp_path), key: tmp_path / name}
    with pytest.raises(InputError, match=f"within {key} .* might be heard"):
        check_apart(settings)
    # Paths of a list may begin above all folders
    check_apart({**folders_of(tmp_path), "trial_folder": tmp_path})


@pytest.mark.parametrize(
    "flag", ["grad_accumulation_factor=2", "max_grad_norm=0"]
)
def test_flags_of_speechbrain_are_checked_as_keys_are(
    corpus, small_yaml, tmp_path, flag
):
    given = arguments(small_yaml, corpus, tmp_path / "out")
    with pytest.raises(InputError, match=f"{flag.split('=')[0]} is"):
        train.main([*given, f"--{flag}"])
    assert not (tmp_path / "out").exists()


def test_teacher_that_heard_the_trial_list_stops_before_anything(
    corpus, small_yaml, tmp_path
):
    teacher, out = tmp_path / "teacher.npz", tmp_path / "out"
    path = "test/id08/s01/00000.wav"
    np.savez(teacher, paths=[path], embeddings=np.ones((1, 3)))
    changes = {"teacher_embeddings": teacher, "distill_weight": 1}
    with pytest.raises(InputError, match=f"{path} stands in the trial list"):
        train.main(arguments(small_yaml, corpus, out, **changes))
    assert not out.exists()


def test_teacher_that_knows_no_file_is_refused(corpus, small_yaml, tmp_path):
    teacher, path = tmp_path / "teacher.npz", "dev/id00/s01/00000.flac"
    np.savez(teacher, paths=[path], embeddings=np.ones((1, 3)))
    changes = {"teacher_embeddings": teacher, "distill_weight": 1}
    given = arguments(small_yaml, corpus, tmp_path / "out", **changes)
    with pytest.raises(InputError, match="has no row of a file .* such as"):
        train.main(given)


def test_command_ends_in_one_line_and_status_2(corpus, small_yaml, tmp_path):
    given = arguments(
        small_yaml, corpus, tmp_path / "out", selection="top_k", top_k=9
    )
    command = [sys.executable, train.__file__, *given]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: top_k is 9")
    assert "Traceback" not in done.stderr


def test_empty_train_folder_is_named(own_corpus, small_yaml, tmp_path):
    shutil.rmtree(own_corpus / "dev")
    (own_corpus / "dev").mkdir()
    with pytest.raises(InputError, match="train_folder"):
        train.main(arguments(small_yaml, own_corpus, tmp_path / "out"))


def test_folder_without_speakers_shows_the_layout(
    own_corpus, small_yaml, tmp_path
):
    file = next((own_corpus / "dev").rglob("*.wav"))
    shutil.copy(file, tmp_path / "a.wav")
    shutil.rmtree(own_corpus / "dev")
    (own_corpus / "dev").mkdir()
    shutil.copy(tmp_path / "a.wav", own_corpus / "dev" / "a.wav")
    with pytest.raises(InputError, match="<speaker>"):
        train.main(arguments(small_yaml, own_corpus, tmp_path / "out"))


def test_broken_file_is_listed_and_the_rest_trained(
    own_corpus, small_yaml, tmp_path
):
    broken = own_corpus / "dev/id00/s01/00000.wav"
    broken.write_bytes(b"not audio")
    train.main(arguments(small_yaml, own_corpus, tmp_path / "out"))
    listed = (tmp_path / "out/save/broken.csv").read_text()
    assert "id00/s01/00000.wav" in listed


def test_trial_of_a_missing_file_stops_before_training(
    own_corpus, small_yaml, tmp_path
):
    (own_corpus / "test/id08/s01/00000.wav").unlink()
    with pytest.raises(InputError, match="id08/s01/00000.wav"):
        train.main(arguments(small_yaml, own_corpus, tmp_path / "out"))
    assert not (tmp_path / "out/train_log.txt").exists()


def test_list_that_contradicts_its_speakers_stops_before_training(
    own_corpus, small_yaml, tmp_path
):
    path = own_corpus / "meta/veri_test.txt"
    path.write_text("0 id08/s01/00000.wav id08/s01/00001.wav\n")
    with pytest.raises(InputError, match="0 id08/s01/00000.wav"):
        train.main(arguments(small_yaml, own_corpus, tmp_path / "out"))


def test_broken_test_file_is_named_by_verify(own_corpus, small_yaml, tmp_path):
    out = tmp_path / "out"
    train.main(arguments(small_yaml, own_corpus, out))
    (own_corpus / "test/id08/s01/00000.wav").write_bytes(b"not audio")
    trials = own_corpus / "meta/veri_test.txt"
    with pytest.raises(InputError, match="id08/s01/00000.wav"):
        verify.verify(out, trials, own_corpus / "test")


def test_verify_refuses_a_folder_that_is_no_training(own_corpus, tmp_path):
    trials = own_corpus / "meta/veri_test.txt"
    with pytest.raises(InputError, match="output_folder of a training"):
        verify.verify(tmp_path, trials, own_corpus / "test")
