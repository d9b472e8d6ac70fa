"""The subcommands enroll, identify and gallery."""

import numpy as np
import pytest
import soundfile

from speechbrain_moe.cli import main
from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.shipped import open_recognition


@pytest.fixture
def people(experiment, files, tmp_path, monkeypatch, said):
    """Ann and Bob are enrolled in ./gallery."""
    monkeypatch.chdir(tmp_path)
    for name, file in zip(("Ann", "Bob"), files):
        said("enroll", name, file, "--model", experiment)
    return files


def test_identify_says_what_the_gallery_says(experiment, people, said):
    model = ("--model", experiment, "--threshold", 0.9)
    found = said("identify", people[1], *model)
    assert found["name"] == "Bob" and found["n_enrolled"] == 2
    recognition = open_recognition(experiment)
    wanted = Gallery("gallery").identify(recognition, people[1], 0.9)
    assert found == wanted.to_dict()


def test_identify_answers_in_words(experiment, people, capsys):
    given = ["identify", people[0], "--model", str(experiment), "--threshold"]
    assert main([*given, "0.9"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "Ann" and rest[-1].split()[-1] == "Bob"
    assert main(given[:-1]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No decision: no threshold eer")


def test_a_threshold_above_all_scores_gives_an_unknown_voice(
    experiment, people, voices, tmp_path, capsys
):
    stranger = str(tmp_path / "stranger.wav")
    soundfile.write(stranger, voices(3, seed=5)[2].numpy(), 16000)
    given = ["identify", stranger, "--model", str(experiment)]
    assert main([*given, "--threshold", "1"]) == 0
    assert capsys.readouterr().out.startswith("Unknown voice\n")


def test_enroll_adds_files_and_replaces_when_told(experiment, people, said):
    more = ("enroll", "Ann", *people, "--model", experiment)
    assert said(*more)["n_recordings"] == 2
    assert said(*more[:3], *more[4:], "--replace")["n_recordings"] == 1


def test_the_gallery_is_shown_exported_and_people_deleted(people, said):
    assert [*said("gallery")["people"]] == ["Ann", "Bob"]
    said("gallery", "--export", "voices.npz")
    with np.load("voices.npz") as arrays:
        assert arrays["names"].tolist() == ["Ann", "Bob"]
    assert said("gallery", "--delete", "Ann") == {"deleted": "Ann"}
    assert [*said("gallery")["people"]] == ["Bob"]


def test_a_gallery_that_is_not_there_is_an_error(
    experiment, files, tmp_path, refused
):
    nowhere = ("--gallery", tmp_path / "nowhere")
    assert "no such folder" in refused("gallery", *nowhere)
    model = ("--model", experiment)
    assert "nowhere" in refused("identify", files[0], *nowhere, *model)


def test_a_gallery_moves_to_another_folder(people, said, refused):
    said("gallery", "--export", "voices.npz")
    team = ("--gallery", "team")
    found = said("gallery", "--take_in", "voices.npz", *team)
    assert found == {"taken_in": "voices.npz", "gallery": "team"}
    before = said("gallery")["people"]
    assert said("gallery", *team)["people"] == before
    # The same recordings count once
    said("gallery", "--take_in", "voices.npz", *team)
    assert said("gallery", *team)["people"] == before
    assert "nowhere.npz" in refused("gallery", "--take_in", "nowhere.npz")


@pytest.mark.parametrize("change", ["--delete", "--export", "--take_in"])
def test_an_empty_word_changes_nothing_and_is_an_error(change, people, refused):
    assert refused("gallery", change, "")


def test_a_name_is_said_as_the_gallery_keeps_it(experiment, people, said):
    name = "Zoe" + chr(0x308)
    found = said("enroll", name, people[0], "--model", experiment)
    assert found["name"] == "Zo" + chr(0xEB)
    assert found["name"] in said("gallery")["people"]
    deleted = said("gallery", "--delete", name)
    assert deleted == {"deleted": found["name"]}
