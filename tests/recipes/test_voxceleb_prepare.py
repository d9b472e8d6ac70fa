import logging
import os

import numpy as np
import pandas as pd
import pytest
import soundfile
import voxceleb_prepare
from voxceleb_prepare import PreparationError, main, prepare_voxceleb
from voxceleb_scan import list_files, read_headers
from voxceleb_split import hold_out

from speechbrain_moe.scoring.trials import read_trials

RATE = 16000


def write_audio(path, n_samples=RATE, rate=RATE, channels=1, **form):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, (n_samples, channels))
    soundfile.write(path, noise, rate, **form)
    return path


@pytest.fixture
def tree(tmp_path):
    """Eight speakers with two sessions of two utterances each."""
    for speaker in range(8):
        for session in ("a", "b"):
            for utt in ("1", "2"):
                folder = tmp_path / "wav" / f"id{speaker}" / session
                write_audio(folder / f"{utt}.wav")
    return tmp_path / "wav"


@pytest.fixture
def prepare(tree, tmp_path):
    """prepare_voxceleb on the tree, with small numbers."""

    def run(**changes):
        settings = {"n_dev_speakers": 3, "n_dev_trials": 20} | changes
        return prepare_voxceleb(tree, tmp_path / "save", **settings)

    return run


def write_list(path, *rows):
    path.write_text("".join(row + "\n" for row in rows))
    return path


def write_metadata(path, genders="mmmmffff", ages=(9, 30) * 4):
    rows = zip(genders, ages)
    lines = [f"id{n},{g},{a}" for n, (g, a) in enumerate(rows)]
    return write_list(path, "spk_id,gender,age", *lines)


def read_csv(path):
    return pd.read_csv(path, dtype=str)


def reasons(made):
    table = read_csv(made.broken_csv)
    return dict(zip(table.path, table.reason))


# the split


def test_speakers_of_both_trial_columns_stay_out(prepare, tmp_path):
    trials = write_list(
        tmp_path / "veri.txt",
        "1 id0/a/1.wav id0/b/1.wav",
        "0 id0/a/1.wav id5/a/1.wav",
    )
    made = prepare(trial_lists=[trials])
    used = {*read_csv(made.train_csv).spk_id, *read_csv(made.dev_csv).spk_id}
    assert used == {"id1", "id2", "id3", "id4", "id6", "id7"}
    assert made.n_removed_speakers == 2


def test_every_trial_list_counts(prepare, tmp_path):
    lists = [
        write_list(tmp_path / f"{n}.txt", f"1 id{n}/a/1.wav id{n}/b/1.wav")
        for n in (0, 1)
    ]
    assert prepare(trial_lists=lists).n_removed_speakers == 2


def test_a_single_trial_list_may_be_a_string(prepare, tmp_path):
    trials = write_list(tmp_path / "v.txt", "0 id0/a/1.wav id1/a/1.wav")
    assert prepare(trial_lists=str(trials)).n_removed_speakers == 2


def test_trial_list_of_another_folder_removes_nobody(prepare, tmp_path):
    trials = write_list(tmp_path / "v.txt", "0 x/a/1.wav vox1/y/a/1.wav")
    assert prepare(trial_lists=[trials]).n_removed_speakers == 0


def test_no_speaker_and_so_no_session_is_in_train_and_dev(prepare):
    made = prepare()
    train, dev = read_csv(made.train_csv), read_csv(made.dev_csv)
    assert not {*train.spk_id} & {*dev.spk_id}
    assert (train.spk_id.nunique(), dev.spk_id.nunique()) == (5, 3)
    assert len(train) + len(dev) == 32


def test_csv_rows_are_sorted_relative_and_unique(prepare):
    table = read_csv(prepare().train_csv)
    assert list(table) == ["ID", "path", "spk_id", "session", "duration_s"]
    assert table.path.tolist() == sorted(table.path)
    assert (table.path == table.ID + ".wav").all() and table.ID.is_unique
    row = table.iloc[0]
    assert row.ID.split("/")[:2] == [row.spk_id, row.session]
    assert (table.duration_s.astype(float) == 1.0).all()


def test_dev_trials_are_half_target_and_of_dev_files(prepare):
    made = prepare()
    trials = read_trials(made.dev_trials)
    assert made.n_dev_trials == 20 and trials.labels.mean() == 0.5
    assert {*trials.enrol, *trials.test} <= {*read_csv(made.dev_csv).path}


def test_seed_decides_the_dev_speakers(prepare):
    drawn = [
        tuple(read_csv(prepare(seed=seed).dev_csv).spk_id.unique())
        for seed in (1, 1, 2, 3, 4)
    ]
    assert drawn[0] == drawn[1] and len({*drawn}) > 1


def test_dev_speakers_follow_the_groups_of_the_pool(tmp_path):
    ages = [9] * 12 + [30] * 6
    metadata = write_metadata(tmp_path / "m.csv", "m" * 18, ages)
    spk_ids = pd.Series([f"id{n % 18}" for n in range(36)])
    groups = list(hold_out(spk_ids, 6, metadata=metadata).values())
    assert (groups.count("m-child"), groups.count("m-adult")) == (4, 2)


def test_metadata_may_lack_a_column_and_some_speakers(tmp_path):
    rows = ["spk_id,age"] + [f"id{n},{n}" for n in range(12, 24)]
    metadata = write_list(tmp_path / "m.csv", *rows)
    spk_ids = pd.Series([f"id{n}" for n in range(12, 30)] * 2)
    groups = hold_out(spk_ids, 9, metadata=metadata)
    assert {*groups.values()} == {"child", "adult", "unknown"}


def test_nontarget_trials_stay_within_a_group(prepare, tmp_path):
    metadata = write_metadata(tmp_path / "m.csv", ages=("",) * 8)
    made = prepare(metadata=metadata, n_dev_speakers=4)
    trials = read_trials(made.dev_trials)
    sides = [
        [int(path[2]) < 4 for path in side]
        for side in (trials.enrol, trials.test)
    ]
    assert sides[0] == sides[1] and len({*sides[0]}) == 2


# broken files


def test_broken_files_are_listed_and_the_rest_kept(prepare, tree, caplog):
    (tree / "id0/a/empty.wav").touch()
    (tree / "id0/a/text.flac").write_text("no audio")
    (tree / "id0/a/cut.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt ")
    (tree / "id0/a/video.m4a").write_text("x")
    write_audio(tree / "id0/a/short.wav", n_samples=RATE - 1)
    write_audio(tree / "id0/shallow.wav")
    write_audio(tree / "id0/a/b/deep.wav")
    write_audio(tree / "id0/a/with space.wav")
    (tree / "id0/a/link.wav").symlink_to(tree / "nowhere.wav")
    made = prepare()
    found = reasons(made)
    wanted = {
        "id0/a/empty.wav": "empty file",
        "id0/a/text.flac": "unreadable",
        "id0/a/cut.wav": "unreadable",
        "id0/a/video.m4a": "voxceleb_convert.py",
        "id0/a/short.wav": "shorter than 1.0 s",
        "id0/shallow.wav": "1 folders above the file, want <speaker>",
        "id0/a/b/deep.wav": "3 folders above the file, want <speaker>",
        "id0/a/with space.wav": "white space",
        "id0/a/link.wav": "missing file",
    }
    assert found.keys() == wanted.keys()
    assert all(text in found[path] for path, text in wanted.items())
    assert made.n_broken == 9 and made.n_train_utts + made.n_dev_utts == 32
    assert str(made.broken_csv) in caplog.text


def test_flac_cut_in_its_audio_is_broken(tree):
    path = write_audio(tree / "id0/a/cut.flac", n_samples=5 * RATE)
    path.write_bytes(path.read_bytes()[:40000])
    table = read_headers(tree, [("id0/a/cut.flac", 40000)])
    assert "cut off" in table.reason[0]


def test_other_sample_rate_is_broken_with_the_mend(prepare, tree):
    write_audio(tree / "id0/a/phone.wav", rate=8000)
    reason = reasons(prepare())["id0/a/phone.wav"]
    assert "8000 Hz" in reason and "sox" in reason and "ffmpeg" in reason


def test_sample_rate_may_be_changed(tree):
    write_audio(tree / "id0/a/phone.wav", rate=8000)
    table = read_headers(tree, [("id0/a/phone.wav", 1)], sample_rate=8000)
    assert table.reason[0] == ""


def test_formats_channels_and_upper_case_suffixes_are_taken(prepare, tree):
    write_audio(tree / "id0/a/f.FLAC")
    write_audio(tree / "id0/a/o.opus", format="OGG", subtype="OPUS")
    write_audio(tree / "id0/a/v.ogg", format="OGG", subtype="VORBIS")
    write_audio(tree / "id0/a/stereo.wav", channels=2)
    made = prepare()
    assert made.n_broken == 0
    assert made.n_train_utts + made.n_dev_utts == 36


def test_second_file_of_a_name_is_broken_so_ids_are_unique(prepare, tree):
    write_audio(tree / "id0/a/1.flac")
    assert "second file" in reasons(prepare())["id0/a/1.wav"]


def test_hidden_files_are_not_listed(tree):
    (tree / "id0/a/._1.wav").write_text("left by macOS")
    assert len(list_files(tree)) == 32


def test_linked_speakers_are_read_and_a_loop_ends(tree):
    (tree / "id8").symlink_to(tree / "id0")
    (tree / "id9").symlink_to(tree)
    speakers = {path.split("/")[0] for path, _ in list_files(tree)}
    assert "id8" in speakers and "id9" not in speakers


def test_speaker_named_like_a_number_or_na_survives(prepare, tree):
    for name in ("007", "NA"):
        for utt in ("1", "2"):
            write_audio(tree / name / "a" / f"{utt}.wav")
    made = prepare()
    text = made.train_csv.read_text() + made.dev_csv.read_text()
    assert ",007," in text and ",NA," in text


def test_name_that_is_not_utf8_is_listed(prepare, tree):
    name = os.fsdecode(b"\xff.wav")
    try:
        write_audio(tree / "id0/a/plain.wav").rename(tree / "id0/a" / name)
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    assert any("UTF-8" in reason for reason in reasons(prepare()).values())


# the key


def test_second_call_is_skipped_and_says_so(prepare, caplog):
    first = prepare()
    before = first.train_csv.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        second = prepare()
    assert second == first._replace(remade=False)
    assert second.train_csv.stat().st_mtime_ns == before
    assert "skipped" in caplog.text


def test_skipping_reads_no_header(prepare, monkeypatch):
    prepare()
    monkeypatch.delattr(voxceleb_prepare, "read_headers")
    assert not prepare().remade


def test_moved_folder_is_not_made_again(tree, tmp_path):
    prepare_voxceleb(tree, tmp_path / "s", n_dev_speakers=2)
    moved = tree.rename(tmp_path / "elsewhere")
    made = prepare_voxceleb(moved, tmp_path / "s", n_dev_speakers=2)
    assert not made.remade


def test_changed_argument_makes_it_again(prepare):
    prepare()
    assert prepare(n_dev_speakers=4).n_dev_speakers == 4


def test_changed_trial_list_makes_it_again(prepare, tmp_path):
    path = write_list(tmp_path / "v.txt", "0 id0/a/1.wav id1/a/1.wav")
    prepare(trial_lists=[path])
    write_list(path, "0 id0/a/1.wav id2/a/1.wav")
    made = prepare(trial_lists=[path])
    assert made.remade and "id2" not in {*read_csv(made.train_csv).spk_id}


def test_changed_metadata_makes_it_again(prepare, tmp_path):
    path = tmp_path / "m.csv"
    prepare(metadata=write_metadata(path), n_dev_speakers=5)
    write_metadata(path, genders="mfmfmfmf", ages=[30] * 8)
    assert prepare(metadata=path, n_dev_speakers=5).remade


def test_removed_file_makes_it_again(prepare, tree):
    prepare()
    (tree / "id0/a/1.wav").unlink()
    made = prepare()
    assert made.remade and made.n_train_utts + made.n_dev_utts == 31


def test_longer_file_makes_it_again(prepare, tree):
    prepare()
    write_audio(tree / "id0/a/1.wav", n_samples=2 * RATE)
    assert prepare().remade


@pytest.mark.parametrize("name", voxceleb_prepare.OUTPUTS)
def test_touched_output_is_made_again(prepare, tmp_path, name):
    prepare()
    before = (tmp_path / "save" / name).read_text()
    (tmp_path / "save" / name).write_text("changed")
    assert prepare().remade
    assert (tmp_path / "save" / name).read_text() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1'])
def test_damaged_record_is_made_again(prepare, tmp_path, text):
    prepare()
    (tmp_path / "save/prepared.json").write_text(text)
    assert prepare().remade


def test_killed_run_leaves_no_half_file_in_place(prepare, monkeypatch):
    made = prepare()
    before = made.train_csv.read_text()

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            prepare(seed=9)
    assert made.train_csv.read_text() == before
    assert prepare(seed=9).remade


# errors


def refuse(error, *words):
    """Expect an error whose message holds all the words."""
    pattern = "".join(f"(?=.*{word})" for word in words)
    return pytest.raises(error, match=f"(?s){pattern}")


def test_missing_train_folder_names_key_and_folder(tmp_path):
    with refuse(PreparationError, "train_folder", "absent", "<speaker>"):
        prepare_voxceleb(tmp_path / "absent", tmp_path)


def test_empty_folder_shows_the_layout_wanted(tmp_path):
    with refuse(PreparationError, "train_folder", "<speaker>/", "nothing"):
        prepare_voxceleb(tmp_path, tmp_path / "save")


def test_folder_without_audio_shows_what_it_holds(tmp_path):
    (tmp_path / "list.txt").touch()
    with refuse(PreparationError, "<speaker>/", "list.txt", "unpack"):
        prepare_voxceleb(tmp_path, tmp_path / "save")


def test_too_shallow_layout_says_what_to_add(tmp_path):
    write_audio(tmp_path / "id0/1.wav")
    with refuse(PreparationError, "id0/1.wav, 1 folders deep", "session"):
        prepare_voxceleb(tmp_path, tmp_path / "save")


def test_all_broken_names_the_first_and_the_list(tmp_path):
    (tmp_path / "id0/a").mkdir(parents=True)
    (tmp_path / "id0/a/1.wav").touch()
    with refuse(PreparationError, "none of 1", "empty file", "broken.csv"):
        prepare_voxceleb(tmp_path, tmp_path / "save")
    assert "empty" in (tmp_path / "save/broken.csv").read_text()


@pytest.mark.parametrize("key", ["trial_lists", "metadata"])
def test_missing_file_names_its_key(prepare, tmp_path, key):
    path = tmp_path / "absent"
    with refuse(PreparationError, key.rstrip("s"), "absent"):
        prepare(**{key: [path] if key == "trial_lists" else path})


@pytest.mark.parametrize(
    "row, word",
    [("2 id0/a/1.wav id1/a/1.wav", "v.txt:1"), ("1 a b", "session")],
)
def test_bad_trial_list_names_key_file_and_form(prepare, tmp_path, row, word):
    path = write_list(tmp_path / "v.txt", row)
    with refuse(PreparationError, "trial_list", "v.txt", word):
        prepare(trial_lists=[path])


@pytest.mark.parametrize(
    "rows, word",
    [
        (["spk,gender", "id0,m"], "spk, gender"),
        (["spk_id,sex", "id0,m"], "gender or age"),
        (["spk_id,age", "id0,young"], "young"),
        (["spk_id,age", "other,9"], "any speaker"),
        ([], "m.csv"),
        (["spk_id,age", "id0,9,9,9", "id1,3,3,3,3"], "m.csv"),
    ],
)
def test_bad_metadata_names_key_file_and_mend(prepare, tmp_path, rows, word):
    path = write_list(tmp_path / "m.csv", *rows)
    with refuse(PreparationError, "metadata", "m.csv", word):
        prepare(metadata=path)


def test_metadata_columns_that_shift_are_refused(prepare, tmp_path):
    path = write_list(tmp_path / "m.csv", "spk_id,age", "id0,9,extra")
    with refuse(PreparationError, "metadata", "m.csv"):
        prepare(metadata=path)


@pytest.mark.parametrize("number", [0, 1, -3, 2.5])
def test_fewer_than_two_dev_speakers_are_refused(prepare, number):
    with refuse(PreparationError, "n_dev_speakers", "at least 2"):
        prepare(n_dev_speakers=number)


def test_two_speakers_must_stay_for_training(prepare):
    assert prepare(n_dev_speakers=6).n_train_speakers == 2
    with refuse(PreparationError, "n_dev_speakers: 7", "Lower"):
        prepare(n_dev_speakers=7)


def test_trial_lists_that_bar_everyone_are_named(prepare, tmp_path):
    rows = [f"1 id{n}/a/1.wav id{n}/b/1.wav" for n in range(8)]
    path = write_list(tmp_path / "v.txt", *rows)
    with refuse(PreparationError, "trial_list", "0 speakers are left"):
        prepare(trial_lists=[path])


def test_groups_too_small_for_nontargets_are_refused(prepare, tmp_path):
    metadata = write_metadata(tmp_path / "m.csv")
    with refuse(PreparationError, "n_dev_speakers", "metadata"):
        prepare(metadata=metadata, n_dev_speakers=2)


# the command line


def test_cli_prints_the_result_and_exits_0(tree, tmp_path, capsys):
    code = main([str(tree), str(tmp_path / "s"), "--n-dev-speakers", "2"])
    assert code == 0 and '"n_train_speakers": 6' in capsys.readouterr().out


def test_cli_exits_2_on_bad_input(tmp_path, capsys):
    assert main([str(tmp_path / "absent"), str(tmp_path)]) == 2
    assert "train_folder" in capsys.readouterr().err
