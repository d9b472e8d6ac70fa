"""More people beside the pack: one-second commands, eight in a row."""

import numpy as np
import pandas as pd
import prepare_arabic_commands as script
import pytest
import soundfile
from prepare_arabic_commands import main, prepare_arabic_commands

from speechbrain_moe.errors import InputError

WORDS = [f"word{n}" for n in range(11)]


@pytest.fixture
def corpus(tmp_path):
    """Two people, two rounds of eleven words; each sample tells its file."""
    folder, number = tmp_path / "corpus/dataset", 0
    for word in WORDS:
        (folder / word).mkdir(parents=True)
        for who in ("00000001", "00000030"):
            for one in ("01", "02"):
                number += 1
                samples = np.full(160, number, np.int16)
                path = folder / word / f"{who}_NO_{one}.wav"
                soundfile.write(path, samples, 16000)
    (folder / "background_noise").mkdir()
    soundfile.write(folder / "background_noise/x.wav", samples, 16000)
    return folder.parent


@pytest.fixture
def pack(tmp_path):
    folder = tmp_path / "pack"
    (folder / "dev/id1/s01").mkdir(parents=True)
    (folder / "dev/id1/s01/1.opus").write_bytes(b"speech")
    (folder / "meta").mkdir()
    table = "path,spk_id,gender\ndev/id1/s01/1.opus,id1,f\n"
    (folder / "meta/utterances.csv").write_text(table)
    return folder


def numbers(path):
    """Which files a recording is made of, in order."""
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16000
    assert len(samples) == 8 * 160
    return samples[::160].tolist()


def test_eight_commands_of_one_person_and_round_are_in_a_row(
    corpus, pack, tmp_path
):
    joined = prepare_arabic_commands(corpus, pack, tmp_path / "out")
    assert [*joined.spk_id] == ["asc001", "asc001", "asc030", "asc030"]
    assert [*joined.session] == ["r01", "r02"] * 2
    heard = []
    for row in joined.itertuples():
        made_of = numbers(tmp_path / "out" / row.path)
        kinds = {number % 4 for number in made_of}
        assert len(kinds) == 1  # one person, one round
        heard += made_of
    assert len({*heard}) == 32  # no command is in two recordings


def test_the_packs_dev_speakers_and_their_table_are_there_too(
    corpus, pack, tmp_path
):
    out = tmp_path / "out"
    prepare_arabic_commands(corpus, pack, out)
    assert (out / "train/id1/s01/1.opus").read_bytes() == b"speech"
    table = pd.read_csv(out / "meta/utterances.csv").set_index("spk_id")
    assert table.gender["id1"] == "f" and table.corpus["id1"] == script.PACK
    assert {*table.corpus["asc001"]} == {script.CORPUS}
    assert all((out / path).is_file() for path in table.path["asc030"])


def test_a_second_run_makes_what_is_lacking_alone(corpus, pack, tmp_path):
    out = tmp_path / "out"
    joined = prepare_arabic_commands(corpus, pack, out)
    kept, lost = [out / path for path in joined.path[:2]]
    before = numbers(kept), numbers(lost), kept.stat().st_mtime_ns
    lost.unlink()
    prepare_arabic_commands(corpus, pack, out)
    assert before == (numbers(kept), numbers(lost), kept.stat().st_mtime_ns)


def test_a_recording_that_is_none_is_named_and_nothing_is_listed(
    corpus, pack, tmp_path
):
    for path in corpus.rglob("00000001_NO_02.wav"):
        path.write_bytes(b"RIFF")
    with pytest.raises(InputError, match="00000001_NO_02.wav: .*again"):
        prepare_arabic_commands(corpus, pack, tmp_path / "out")
    assert not (tmp_path / "out/meta").exists()


def test_a_recording_of_another_rate_is_refused(corpus, pack, tmp_path):
    for path in corpus.rglob("*_NO_01.wav"):
        soundfile.write(path, np.zeros(80, np.int16), 8000)
    with pytest.raises(InputError, match="8000 Hz, .* not one channel at 16"):
        prepare_arabic_commands(corpus, pack, tmp_path / "out")


def test_the_command_names_the_folder_that_is_none(corpus, tmp_path, capsys):
    given = [str(corpus), str(tmp_path / "no"), str(tmp_path / "out")]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / 'no'}/meta/utterances.csv: ")


def test_the_command_says_what_to_train_on(corpus, pack, tmp_path, capsys):
    assert main([str(corpus), str(pack), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 recordings of 2 more speakers; train_folder: ")
