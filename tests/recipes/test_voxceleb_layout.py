"""VoxCeleb1, VoxCeleb2, both, and what is neither."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import voxceleb_scan
from voxceleb_counts import KNOWN, compare_counts, voxceleb_part
from voxceleb_layout import (
    PreparationError,
    count_speakers,
    find_speaker_folders,
)
from voxceleb_prepare import prepare_voxceleb
from voxceleb_scan import list_files, read_headers

RATE = 16000


def write_speakers(folder, speakers, suffix="wav"):
    """Two sessions of two files, one second each."""
    for speaker in speakers:
        for session in ("s1", "s2"):
            (folder / speaker / session).mkdir(parents=True)
            for utt in (1, 2):
                path = folder / speaker / session / f"{utt}.{suffix}"
                soundfile.write(path, np.zeros(RATE), RATE)


@pytest.fixture
def both(tmp_path):
    """VoxCeleb1 of both parts and VoxCeleb2, below one folder."""
    root = tmp_path / "data"
    write_speakers(root / "vox1/dev/wav", ["id10001", "id10002", "id10003"])
    write_speakers(root / "vox1/test/wav", ["id10270"])
    write_speakers(root / "vox2/dev/flac", ["id00012", "id00015"], "flac")
    return root


@pytest.fixture
def prepare(both, tmp_path):
    def run(**changes):
        settings = {"n_dev_speakers": 2, "n_dev_trials": 8} | changes
        return prepare_voxceleb(both, tmp_path / "save", **settings)

    return run


def trial_list(path, speakers):
    rows = [f"0 {s}/s1/1.wav {s}/s2/1.wav\n" for s in speakers]
    path.write_text("".join(rows))
    return path


def rows_of(made):
    return pd.concat([pd.read_csv(made.train_csv), pd.read_csv(made.dev_csv)])


def named(*paths):
    return [(path, 1) for path in paths]


def test_vox1_and_vox2_are_prepared_from_one_folder(prepare):
    table = rows_of(prepare())
    assert table.spk_id.nunique() == 6 and len(table) == 24
    row = table.set_index("path").loc["vox2/dev/flac/id00012/s1/1.flac"]
    assert (row.spk_id, row.session) == ("id00012", "s1")


def test_paths_lead_to_the_files_from_the_root(prepare, both):
    assert all((both / path).is_file() for path in rows_of(prepare()).path)


def test_links_to_two_corpora_do_for_one_folder(both, tmp_path):
    (tmp_path / "root").mkdir()
    for name in ("vox1", "vox2"):
        (tmp_path / "root" / name).symlink_to(both / name)
    files = list_files(tmp_path / "root")
    assert len(files) == 24 and find_speaker_folders(files).keys() == {
        "vox1/dev/wav",
        "vox1/test/wav",
        "vox2/dev/flac",
    }


def test_lists_that_bar_all_of_vox1_leave_vox2_and_say_so(
    both, prepare, tmp_path, caplog
):
    write_speakers(both / "vox2/test/flac", ["id00017", "id00061"], "flac")
    vox1 = ["id10001", "id10002", "id10003", "id10270"]
    made = prepare(trial_lists=[trial_list(tmp_path / "E.txt", vox1)])
    assert all(path.startswith("vox2") for path in rows_of(made).path)
    assert "vox1/dev/wav: all its speakers stand" in caplog.text
    assert "vox2/dev/flac: all its speakers" not in caplog.text


def test_a_stray_inside_a_speaker_is_no_speaker_folder():
    files = named("a/s/1.wav", "a/s/2.wav", "a/s/deep/3.wav", "a/s/b/c/4.wav")
    assert find_speaker_folders(files) == {"": 2}


def test_of_two_depths_the_one_with_more_files_stays(both, prepare):
    path = both / "notes/talk/1.wav"  # the root as speaker folder
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.zeros(RATE), RATE)
    broken = pd.read_csv(prepare().broken_csv)
    assert broken.path.tolist() == ["notes/talk/1.wav"]
    assert "vox1/dev/wav" in broken.reason[0]


def test_a_speaker_in_two_folders_is_refused_with_both(both, prepare):
    write_speakers(both / "vox1/copy", ["id10001"])
    with pytest.raises(
        PreparationError, match="id10001 stands at vox1/dev.* vox1/copy"
    ):
        prepare()


def test_unconverted_files_beside_converted_ones_do_not_clash(both):
    folder = both / "vox2/dev/aac/id00012/s1"
    folder.mkdir(parents=True)
    (folder / "1.m4a").write_bytes(b"x")
    files = list_files(both)
    counts = count_speakers(files, find_speaker_folders(files))
    assert counts["vox2/dev/aac"] == {}


def test_workers_answer_as_one_process_does(both, monkeypatch):
    (both / "vox1/dev/wav/id10001/s1/1.wav").write_text("broken")
    files = list_files(both)
    alone = read_headers(both, files)
    monkeypatch.setattr(voxceleb_scan, "CHUNK", 9)
    assert read_headers(both, files).equals(alone)
    assert (alone.reason != "").sum() == 1


# known numbers


def whole(part, known):
    """Speaker sizes that add up to the known numbers of a part."""
    first = {"VoxCeleb1 dev": 10001, "VoxCeleb1 test": 10270}.get(part, 1)
    names = (f"id{n:05d}" for n in range(first, 20000))
    names = (name for name in names if voxceleb_part(name) == part)
    sizes = {next(names): 1 for _ in range(known[0])}
    sizes[next(iter(sizes))] += known[1] - known[0]
    return sizes


@pytest.mark.parametrize(
    "part, known", [(part, n) for part, ns in KNOWN.items() for n in ns]
)
def test_a_whole_part_is_called_whole(part, known):
    lines, differing = compare_counts(whole(part, known))
    assert [line.split(":")[0] for line in lines] == [part] and not differing


def test_parts_of_vox1_add_up_to_its_total():
    dev, test = KNOWN["VoxCeleb1 dev"][0], KNOWN["VoxCeleb1 test"][0]
    assert (dev[0] + test[0], dev[1] + test[1]) == (1251, 153516)


def test_what_is_lacking_is_named_and_the_whole_part_is_not_blamed():
    sizes = whole("VoxCeleb1 dev", (1211, 148642))
    sizes |= whole("VoxCeleb2", (5992, 1092000))
    lines, differing = compare_counts(sizes)
    assert len(lines) == 1 and len(differing) == 1
    assert "2 of 5994 speakers" in differing[0]
    assert "9 of 1092009 files" in differing[0]


def test_too_many_files_are_said_too():
    sizes = whole("VoxCeleb1 test", (40, 4875))
    assert "4875 files where 4874" in compare_counts(sizes)[1][0]


def test_other_corpora_are_not_judged():
    assert compare_counts({"spk1": 3, "id11252": 1, "id2": 1}) == ([], [])


def test_preparation_warns_of_what_is_lacking(prepare, both, caplog):
    for folder in sorted(both.glob("vox1/dev/wav/*/s1")):
        folder.rename(folder.with_name("1zcIwhmdeo4"))
    prepare()
    assert "VoxCeleb1 dev: 1208 of 1211 speakers are missing" in caplog.text


def test_a_corpus_with_such_names_of_speakers_alone_is_not_judged(
    prepare, caplog
):
    prepare()
    assert "are missing" not in caplog.text


def test_lists_below_a_training_stay_as_they_are(prepare, both, tmp_path):
    made = prepare()
    (tmp_path / "save/label_encoder.txt").write_text("'id10001' => 0\n")
    assert not prepare().remade  # nothing changed: it goes on
    before = made.train_csv.read_bytes()
    write_speakers(both / "vox1/dev/wav", ["id10004"])
    with pytest.raises(PreparationError, match="holds a training, and files"):
        prepare()
    assert made.train_csv.read_bytes() == before
