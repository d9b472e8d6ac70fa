"""m4a made with PyAV's encoder, converted back."""

import csv
import os
import shutil
import subprocess
import sys
import time

import av
import numpy as np
import pytest
import soundfile
import voxceleb_convert
import voxceleb_decode
from voxceleb_convert import convert_folder, main
from voxceleb_decode import choose_decoder, decode_av, decode_ffmpeg
from voxceleb_layout import PreparationError
from voxceleb_prepare import prepare_voxceleb

from speechbrain_moe.errors import (
    AudioError,
    InputError,
    MissingPackageError,
)

DECODERS = {"av": decode_av, "ffmpeg": decode_ffmpeg}
RATE = 16000
TONE = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)


@pytest.fixture(params=DECODERS)
def decode(request):
    if request.param == "ffmpeg" and not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    return DECODERS[request.param]


@pytest.fixture(scope="module")
def m4a_bytes(tmp_path_factory):
    """Two seconds of a tone; the index stands first, as in a stream."""
    path = tmp_path_factory.mktemp("m4a") / "tone.m4a"
    with av.open(
        str(path), "w", format="mp4", options={"movflags": "faststart"}
    ) as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        samples = (TONE * 2**15).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate = RATE
        for given in (frame, None):
            out.mux(stream.encode(given))
    return path.read_bytes()


@pytest.fixture
def tree(tmp_path, m4a_bytes):
    """Three speakers of two files."""
    for speaker in ("id00012", "id00015", "id00016"):
        folder = tmp_path / "aac" / speaker / "s1"
        folder.mkdir(parents=True)
        for utt in (1, 2):
            (folder / f"{utt}.m4a").write_bytes(m4a_bytes)
    return tmp_path / "aac"


@pytest.fixture
def convert(tree, tmp_path):
    return lambda **given: convert_folder(tree, tmp_path / "out", **given)


def outputs(tmp_path):
    return sorted(
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*.*")
        if path.name != "broken.csv"
    )


def broken(done):
    with open(done.broken_csv, newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def level_at(wav, hz):
    """Share of a waveform's energy within 20 Hz of a frequency."""
    power = np.abs(np.fft.rfft(wav)) ** 2
    hertz = np.fft.rfftfreq(len(wav), 1 / RATE)
    return power[np.abs(hertz - hz) < 20].sum() / power.sum()


# one file


def test_an_m4a_decodes_to_the_sound_that_was_put_in(decode, tree):
    wav = decode(str(tree / "id00012/s1/1.m4a"), RATE)
    assert wav.dtype == np.int16 and wav.ndim == 1
    assert 2 <= len(wav) / RATE < 2.15  # AAC comes in frames of 64 ms
    middle = wav[RATE // 2 : RATE]
    assert level_at(middle, 440) > 0.99
    assert abs(middle / 2**15).max() == pytest.approx(0.3, abs=0.03)


def test_stereo_of_another_rate_becomes_mono_of_ours(decode, tmp_path):
    path = tmp_path / "s.wav"
    soundfile.write(path, np.stack([TONE[:8000]] * 2, 1), 8000)
    wav = decode(str(path), RATE)
    assert wav.ndim == 1 and abs(len(wav) - RATE) < 100
    assert level_at(wav, 220) > 0.99


def packet_ends(path):
    with av.open(str(path)) as file:
        return sorted(p.pos + p.size for p in file.demux() if p.size)


@pytest.mark.parametrize("extra", [0, 7])
def test_an_m4a_cut_within_or_between_packets_is_refused(
    decode, tmp_path, m4a_bytes, extra
):
    path = tmp_path / "cut.m4a"
    path.write_bytes(m4a_bytes)
    ends = packet_ends(path)
    path.write_bytes(m4a_bytes[: ends[len(ends) // 2] + extra])
    with pytest.raises(AudioError, match="cut off"):
        decode(str(path), RATE)


@pytest.mark.parametrize("content", [b"", b"no audio at all" * 9])
def test_what_is_no_audio_is_refused(decode, tmp_path, content):
    (tmp_path / "x.m4a").write_bytes(content)
    with pytest.raises(AudioError, match="broken"):
        decode(str(tmp_path / "x.m4a"), RATE)


def test_a_lone_ffmpeg_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(voxceleb_decode.shutil, "which", lambda _: "ffmpeg")
    assert choose_decoder() == "ffmpeg"


def test_without_a_decoder_the_pip_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(voxceleb_decode.shutil, "which", lambda _: None)
    with pytest.raises(MissingPackageError, match="pip install av"):
        choose_decoder()


# a tree


@pytest.mark.parametrize("audio_format", ["flac", "wav", "opus"])
def test_a_tree_is_converted_and_can_be_prepared(
    convert, tmp_path, audio_format
):
    done = convert(audio_format=audio_format)
    assert (done.n_converted, done.n_skipped, done.n_broken) == (6, 0, 0)
    assert f"id00012/s1/1.{audio_format}" in outputs(tmp_path)
    shutil.copytree(tmp_path / "out/id00012", tmp_path / "out/id00017")
    made = prepare_voxceleb(
        tmp_path / "out",
        tmp_path / "save",
        n_dev_speakers=2,
        n_dev_trials=4,
    )
    assert made.n_broken == 0 and made.n_train_utts + made.n_dev_utts == 8


def test_a_second_run_decodes_nothing(convert, monkeypatch):
    convert()
    monkeypatch.delattr(voxceleb_decode, "decode_av")
    monkeypatch.setattr(voxceleb_decode, "convert_files", None)
    done = convert()
    assert (done.n_converted, done.n_skipped) == (0, 6)


def test_broken_files_are_listed_and_the_rest_converted(convert, tree):
    (tree / "id00015/s1/2.m4a").write_bytes(b"no audio")
    done = convert()
    assert (done.n_converted, done.n_broken) == (5, 1)
    assert "broken" in broken(done)["id00015/s1/2.m4a"]


def test_a_broken_file_whose_name_is_no_text_is_listed(convert, tree):
    name = os.fsdecode(b"\xff.m4a")
    (tree / "id00015/s1" / name).write_bytes(b"no audio")
    assert [*broken(convert())] == ["id00015/s1/\\udcff.m4a"]


def test_a_mended_file_is_converted_by_the_next_run(convert, tree, m4a_bytes):
    (tree / "id00015/s1/2.m4a").write_bytes(b"no audio")
    convert()
    (tree / "id00015/s1/2.m4a").write_bytes(m4a_bytes)
    done = convert()
    assert (done.n_converted, done.n_skipped) == (1, 5)
    assert not broken(done)


def test_workers_find_what_one_process_finds(
    convert, tree, tmp_path, monkeypatch
):
    (tree / "id00015/s1/2.m4a").write_bytes(b"no audio")
    monkeypatch.setattr(voxceleb_convert, "CHUNK", 4)
    done = convert(n_workers=2)
    assert [*broken(done)] == ["id00015/s1/2.m4a"]
    assert len(outputs(tmp_path)) == 5


def test_a_kill_while_writing_leaves_no_output(convert, tmp_path, monkeypatch):
    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            convert()
    assert not outputs(tmp_path)
    assert convert().n_converted == 6


@pytest.mark.slow
def test_after_sigkill_all_is_whole_and_the_rest_is_done(
    tree, tmp_path, recipe_folder
):
    for copy in range(60):
        shutil.copytree(tree / "id00012", tree / f"id01{copy:03d}")
    command = [sys.executable, str(recipe_folder / "voxceleb_convert.py")]
    command += [str(tree), str(tmp_path / "out"), "--n-workers", "1"]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(list((tmp_path / "out").rglob("*.flac"))) < 3:
        assert child.poll() is None
        time.sleep(0.005)
    child.kill()
    child.wait()
    there = [p for p in (tmp_path / "out").rglob("[0-9].flac")]
    assert 0 < len(there) < 126
    lengths = {soundfile.info(path).frames for path in there}
    again = subprocess.run(command, capture_output=True, check=True)
    assert f'"n_skipped": {len(there)}'.encode() in again.stdout
    lengths |= {
        soundfile.info(path).frames
        for path in (tmp_path / "out").rglob("[0-9].flac")
    }
    assert len(lengths) == 1 and len(outputs(tmp_path)) >= 126


# errors


def test_a_target_inside_the_source_is_refused(tree):
    with pytest.raises(InputError, match="target_folder .* beside"):
        convert_folder(tree, tree / "flac")


def test_an_unknown_format_names_the_known(tree, tmp_path):
    with pytest.raises(InputError, match="format mp3: .*wav, flac, opus"):
        convert_folder(tree, tmp_path / "out", audio_format="mp3")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(PreparationError, match="absent"):
        convert_folder(tmp_path / "absent", tmp_path / "out")


def test_cli_prints_the_counts(tree, tmp_path, capsys):
    code = main([str(tree), str(tmp_path / "out"), "--format", "opus"])
    assert code == 0 and '"n_converted": 6' in capsys.readouterr().out


def test_cli_exits_2_on_bad_input(tmp_path, capsys):
    assert main([str(tmp_path / "absent"), str(tmp_path / "out")]) == 2
    assert "absent" in capsys.readouterr().err
