import numpy as np
import pandas as pd
import prepare_speechocean as script
import pytest
import soundfile
from prepare_speechocean import CorpusError, main, prepare_speechocean

HEADER = "path,spk_id,part,session,duration_s,gender,age,source_utt\n"


def write_wav(path, n_samples=8000, rate=16000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(-999, 999, (n_samples, channels))
    soundfile.write(path, noise.astype(np.int16), rate)
    return path


@pytest.fixture
def meta(tmp_path):
    folder = tmp_path / "meta"
    folder.mkdir()
    rows = [
        f"{part}/id{spk}/s01/0000{n}.opus,id{spk},{part},s01,0.5,m,6,{spk}000{n}"
        for part, spk in (("dev", "00001"), ("test", "00002"))
        for n in (1, 2)
    ]
    (folder / "utterances.csv").write_text(HEADER + "\n".join(rows) + "\n")
    sides = "id00002/s01/00001.opus id00002/s01/00002.opus"
    (folder / "veri_test.txt").write_text(f"1 {sides}\n")
    return folder


@pytest.fixture
def corpus(tmp_path):
    for utt in ("000010001", "000010002", "000020001", "000020002"):
        speaker = f"SPEAKER{utt[1:5]}"
        write_wav(tmp_path / "corpus/WAVE" / speaker / f"{utt}.WAV")
    return tmp_path / "corpus"


@pytest.fixture
def rebuild(corpus, meta, tmp_path):
    def run(**changes):
        return prepare_speechocean(
            corpus, tmp_path / "out", meta=meta, **changes
        )

    return run


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_lossless_formats_hold_the_corpus_bit_for_bit(
    rebuild, corpus, tmp_path, form
):
    rebuild(format=form)
    target = tmp_path / f"out/test/id00002/s01/00002.{form}"
    source = corpus / "WAVE/SPEAKER0002/000020002.WAV"
    (wanted, _), (found, rate) = (
        soundfile.read(path, dtype="int16") for path in (source, target)
    )
    assert rate == 16000 and np.array_equal(found, wanted)


def test_opus_has_the_length_and_about_24_kbit_s(tmp_path, corpus, meta):
    write_wav(corpus / "WAVE/SPEAKER0001/000010001.WAV", n_samples=80000)
    prepare_speechocean(corpus, tmp_path / "out", "opus", meta)
    path = tmp_path / "out/dev/id00001/s01/00001.opus"
    info = soundfile.info(path)
    assert (info.frames, info.subtype) == (80000, "OPUS")
    assert 15e3 < path.stat().st_size * 8 / info.duration < 35e3


def test_lists_have_the_suffix_of_the_files(rebuild, tmp_path):
    rebuilt = rebuild()
    out = tmp_path / "out"
    table = pd.read_csv(out / "meta/utterances.csv", dtype=str)
    assert all((out / path).is_file() for path in table.path)
    assert table.source_utt[0] == "000010001" and len(table) == 4
    _, *sides = rebuilt.trial_list.read_text().split()
    assert all((out / "test" / side).is_file() for side in sides)


def test_second_run_keeps_what_stands(rebuild):
    assert rebuild()[:2] == (4, 0)
    assert rebuild()[:2] == (0, 4)


def test_file_of_another_length_is_written_again(rebuild, tmp_path):
    rebuild()
    write_wav(tmp_path / "out/dev/id00001/s01/00001.flac", n_samples=99)
    assert rebuild()[:2] == (1, 3)


def test_killed_write_leaves_no_file_in_place(rebuild, tmp_path, monkeypatch):
    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(script.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        rebuild()
    monkeypatch.undo()
    assert not list(tmp_path.glob("out/dev/**/*.flac"))
    assert rebuild()[:2] == (4, 0)


def test_lower_case_spelling_is_found(rebuild, corpus):
    for path in corpus.rglob("*.WAV"):
        path.rename(path.with_suffix(".wav"))
    (corpus / "WAVE").rename(corpus / "wave")
    assert rebuild().n_written == 4


def test_missing_source_is_listed_before_anything_is_written(
    rebuild, corpus, tmp_path
):
    (corpus / "WAVE/SPEAKER0002/000020001.WAV").unlink()
    with pytest.raises(CorpusError, match="1 source files .*000020001"):
        rebuild()
    missing = (tmp_path / "out/meta/missing.csv").read_text()
    assert "000020001" in missing and not (tmp_path / "out/dev").exists()


def test_list_of_missing_files_goes_once_all_are_there(
    rebuild, corpus, tmp_path
):
    path = corpus / "WAVE/SPEAKER0002/000020001.WAV"
    path.rename(corpus / "aside.WAV")
    with pytest.raises(CorpusError):
        rebuild()
    (corpus / "aside.WAV").rename(path)
    rebuild()
    assert not (tmp_path / "out/meta/missing.csv").exists()


@pytest.mark.parametrize("fault", ["text", "rate", "stereo", "empty"])
def test_broken_source_is_listed_and_the_rest_written(
    rebuild, corpus, tmp_path, fault
):
    path = corpus / "WAVE/SPEAKER0001/000010002.WAV"
    if fault == "text":
        path.write_text("no audio")
    else:
        form = {"rate": {"rate": 8000}, "stereo": {"channels": 2}}
        write_wav(path, **form.get(fault, {"n_samples": 0}))
    with pytest.raises(CorpusError, match="000010002"):
        rebuild()
    assert len(list(tmp_path.glob("out/*/*/s01/*.flac"))) == 3
    assert not (tmp_path / "out/meta/utterances.csv").exists()


def test_folder_that_is_not_the_corpus_is_refused(tmp_path, meta):
    with pytest.raises(CorpusError, match="WAVE.*OpenSLR 101"):
        prepare_speechocean(tmp_path, tmp_path / "out", meta=meta)


def test_unknown_format_is_refused(rebuild):
    with pytest.raises(CorpusError, match="mp3.*flac, wav, opus"):
        rebuild(format="mp3")


def test_cli_exits_2_and_says_how_many_are_missing(corpus, tmp_path, capsys):
    assert main([str(corpus), str(tmp_path / "out")]) == 2
    assert "source files are missing" in capsys.readouterr().err


def test_committed_lists_belong_together(recipe_folder):
    table = pd.read_csv(recipe_folder / "meta/utterances.csv", dtype=str)
    lines = (recipe_folder / "meta/veri_test.txt").read_text().split()
    test = table[table.part == "test"].path.str.removeprefix("test/")
    assert table.groupby("part").spk_id.nunique().to_dict() == {
        "dev": 160,
        "test": 30,
    }
    assert {*lines} - {"0", "1"} <= {*test} and len(lines) == 18000
    assert table.source_utt.is_unique and table.path.is_unique
