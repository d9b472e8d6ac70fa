"""New voices of recorded speech, each through a channel."""

import shutil
from pathlib import Path

import change_voices
import numpy as np
import pytest
import soundfile
import voice_changer
from formant_bends import MAX_BEND, bend_formants, draw_bends
from voice_changer import CHANNELS, Change, draw_change, pass_channel

from speechbrain_moe.training.changed_voices import ChangedVoices

RATE = voice_changer.SAMPLE_RATE


@pytest.fixture
def buzz():
    """A second of a voice at 120 Hz, with formants at 600 and 1 500 Hz."""
    time = np.arange(RATE) / RATE
    harmonics = np.arange(1, 40) * 120
    peaks = sum(np.exp(-(((harmonics - f) / 150) ** 2)) for f in (600, 1500))
    waves = np.sin(2 * np.pi * harmonics[:, None] * time)
    return (0.05 * (peaks + 0.02) @ waves).astype(np.float32)


def peak_hz(wav, low, high):
    spectrum = np.abs(np.fft.rfft(wav[:RATE], RATE))
    return low + int(spectrum[low:high].argmax())


def test_a_higher_pitch_leaves_the_formants(buzz):
    change = Change(1.0, 1.25, 1.0, 1.0, None)
    voice = voice_changer.change_voice(buzz, change)
    assert peak_hz(voice, 100, 200) == pytest.approx(150, abs=3)
    assert peak_hz(voice, 300, 900) == pytest.approx(600, abs=80)


def test_other_formants_leave_the_pitch(buzz):
    change = Change(1.19, 1.0, 1.0, 1.0, None)
    voice = voice_changer.change_voice(buzz, change)
    assert peak_hz(voice, 100, 200) == pytest.approx(120, abs=3)
    assert peak_hz(voice, 300, 1000) == pytest.approx(714, abs=80)


def test_slower_speech_is_longer(buzz):
    change = Change(1.0, 1.0, 1.0, 1.1, None)
    voice = voice_changer.change_voice(buzz, change)
    assert len(voice) == pytest.approx(1.1 * len(buzz), rel=0.03)


def test_bends_move_one_formant_up_and_one_down_and_leave_the_pitch(buzz):
    bent = bend_formants(buzz, (-0.2, -0.2, 0.2, 0.2, 0.2, 0.2))
    before, after = (np.abs(np.fft.rfft(w[:RATE])) for w in (buzz, bent))
    gains = after[120:2400:120] / before[120:2400:120]  # of each harmonic
    gain_at = dict(zip(range(120, 2400, 120), gains))
    assert gain_at[720] > 2 * gain_at[480]  # 600 Hz went up
    assert gain_at[1200] > 20 * gain_at[1560]  # 1 500 Hz went down
    assert peak_hz(bent, 100, 200) == pytest.approx(120, abs=3)
    assert bent.dtype == np.float32 and bent.shape == buzz.shape


def test_without_bends_speech_stays_as_it_is(buzz):
    assert np.array_equal(bend_formants(buzz, ()), buzz)
    assert np.abs(bend_formants(buzz, (0.0,) * 6) - buzz).max() < 1e-3


def test_bends_are_drawn_aside_of_all_else():
    """So that voices of before there were bends stay as they were."""
    bent, plain = draw_change("v4/ann", bend=True), draw_change("v4/ann")
    assert bent.bends == draw_bends("v4/ann") and plain.bends == ()
    assert bent[:-1] == plain[:-1]
    assert max(map(abs, bent.bends)) <= MAX_BEND


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_keeps_time_and_changes_sound(buzz, channel, strength):
    noise = np.random.default_rng(0).normal(0, 0.01, RATE).astype(np.float32)
    sent = buzz + noise
    heard = pass_channel(sent, channel, strength)
    assert heard.dtype == np.float32 and heard.shape == sent.shape
    assert not np.array_equal(heard, sent)
    assert np.corrcoef(heard, sent)[0, 1] > 0.7


@pytest.mark.parametrize("channel", ["ulaw", "gsm", "narrow"])
def test_a_telephone_carries_nothing_above_4_khz(channel):
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(pass_channel(noise, channel, 0.5)))
    assert spectrum[5000:].max() < 0.1 * spectrum[500:3000].mean()


def test_a_name_is_a_change_of_its_own():
    changes = {draw_change(f"dev/v1/a/s01/{i}.wav") for i in range(50)}
    assert len(changes) == 50
    assert {change.channel for change in changes} > {None, "opus", "gsm"}


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory):
    """Voices 0 and 1 of the corpus, without one speaker."""
    target = tmp_path_factory.mktemp("voices")
    listed = target / "without.csv"
    listed.write_text("spk_id\nid03\n")
    arguments = [str(corpus / "test"), str(target), "--voices", "0", "1"]
    assert change_voices.main(arguments) == 0
    arguments[0] = str(corpus / "dev")
    assert change_voices.main([*arguments, "--without", str(listed)]) == 0
    return target


def test_each_voice_of_each_file_is_made(corpus, made):
    for kind in ("clean", "heard"):
        names = {
            p.relative_to(made / kind) for p in made.rglob(f"{kind}/**/*.wav")
        }
        sources = [p.relative_to(corpus) for p in corpus.rglob("*.wav")]
        wanted = {
            Path(p.parts[0], f"v{voice}", *p.parts[1:])
            for p in sources
            for voice in (0, 1)
            if "id03" not in p.parts
        }
        assert names == wanted


def test_voice_0_is_the_recording_itself(corpus, made):
    path = "test/{}id08/s01/00000.wav"
    source, _ = soundfile.read(corpus / path.format(""))
    for kind in ("clean", "heard"):
        copy, _ = soundfile.read(made / kind / path.format("v0/"))
        assert np.allclose(copy, source, atol=1e-4)


def test_a_second_call_keeps_what_is_there(corpus, made):
    kept = made / "heard/test/v1/id08/s01/00000.wav"
    lost = made / "heard/test/v1/id08/s01/00001.wav"
    before, n_samples = kept.stat().st_mtime_ns, soundfile.info(lost).frames
    lost.unlink()
    change_voices.main([str(corpus / "test"), str(made), "--voices", "1"])
    assert kept.stat().st_mtime_ns == before
    # Not each sample: Praat draws noise of its own
    assert soundfile.info(lost).frames == n_samples


def drawn(corpus, target, by_speaker):
    """What the voices 1 and 2 of a folder's files are drawn by."""
    found = change_voices.lacking(
        corpus / "test", target, [1, 2], set(), by_speaker
    )
    return {name: voice_name for _, name, voice_name in found}


def test_all_files_of_a_speaker_change_alike_if_asked_for(corpus, tmp_path):
    names = drawn(corpus, tmp_path, by_speaker=True)
    assert len(names) == 30
    for name, voice_name in names.items():
        assert voice_name == "/".join(Path(name).parts[:3])
    assert len({draw_change(name) for name in names.values()}) == 6


def test_each_file_changes_by_its_own_name_otherwise(corpus, tmp_path):
    names = drawn(corpus, tmp_path, by_speaker=False)
    assert all(name == voice_name for name, voice_name in names.items())


def test_a_voice_is_bent_where_that_is_asked_for(corpus, tmp_path, monkeypatch):
    given = []

    def note(samples, bends):
        given.append(bends)
        return samples.astype(np.float32)

    monkeypatch.setattr(voice_changer, "bend_formants", note)
    source, voice = corpus / "test/id08/s01/00000.wav", "test/v1/id08"
    for bent in (False, True):
        name = f"{voice}/s01/{bent}.wav"
        voice_changer.write_voice(source, tmp_path, name, voice, bent)
    assert given == [(), draw_bends(voice)]


def test_bent_and_other_files_are_not_mixed_in_one_voice(
    corpus, tmp_path, capsys
):
    given = [str(corpus / "test"), str(tmp_path), "--voices"]
    assert change_voices.main([*given, "1"]) == 0
    assert change_voices.main([*given, "2", "--bend"]) == 0
    assert change_voices.main([*given, "2", "--bend"]) == 0  # to go on
    for more, how in ((["1", "--bend"], "without"), (["2"], "with")):
        assert change_voices.main([*given, *more]) == 2
        said = capsys.readouterr().err
        assert f"test/v{more[0]} was made {how} --bend" in said


@pytest.fixture
def changes(corpus, tmp_path, monkeypatch):
    """What is drawn for files of one voice: voices, and channels."""
    found = []

    def note(samples, what, *_):
        found.append(what)
        return samples

    monkeypatch.setattr(voice_changer, "change_voice", note)
    monkeypatch.setattr(voice_changer, "pass_channel", note)
    source = corpus / "test/id08/s01/00000.wav"

    def draw(names, voice_name):
        for name in names:
            voice_changer.write_voice(source, tmp_path, name, voice_name)
        return [change[:4] for change in found[::2]], found[1::2]

    return draw


def test_a_speakers_files_have_one_voice_and_channels_of_their_own(changes):
    names = [f"test/v1/id08/s01/{i}.wav" for i in range(20)]
    voices, channels = changes(names, "test/v1/id08")
    assert len(set(voices)) == 1 and len(set(channels)) > 3


def test_a_file_that_is_a_voice_of_its_own_is_drawn_as_one(changes):
    """So that folders of before there was a choice can be finished."""
    name = "test/v1/id08/s01/00000.wav"
    voices, channels = changes([name], name)
    change = draw_change(name)
    assert (voices, channels) == ([change[:4]], [change.channel])


def test_a_folder_drawn_by_file_is_not_finished_by_speaker(
    corpus, made, capsys
):
    given = [str(corpus / "test"), str(made), "--speakers"]
    for _ in range(2):
        assert change_voices.main(given) == 2
        assert "were drawn by file, not by speaker" in capsys.readouterr().err
        (made / "test.drawn_by").unlink(missing_ok=True)  # as made before


def test_files_are_where_a_training_looks_for_them(corpus, made):
    voices = ChangedVoices(1, str(made / "heard"), str(corpus / "test"))
    path = str(corpus / "test/id08/s01/00000.wav")
    assert Path(voices.paths(path, "id08")[1]).is_file()


def test_a_folder_without_audio_ends_in_a_clear_error(tmp_path, capsys):
    assert change_voices.main([str(tmp_path), str(tmp_path / "new")]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "ID\nx\n", ""])
def test_a_list_of_speakers_that_is_none_is_named(
    corpus, tmp_path, capsys, text
):
    listed = tmp_path / "listed.csv"
    if text is not None:
        listed.write_text(text)
    arguments = [str(corpus / "dev"), str(tmp_path), "--without", str(listed)]
    assert change_voices.main(arguments) == 2
    assert "listed.csv" in capsys.readouterr().err


def test_a_broken_file_is_named_and_the_rest_is_made(corpus, tmp_path, capsys):
    speech = shutil.copytree(corpus / "dev/id00", tmp_path / "speech/id00")
    (speech / "s01/broken.wav").write_bytes(b"no audio")
    arguments = [str(speech.parent), str(tmp_path / "new"), "--voices", "0"]
    assert change_voices.main(arguments) == 2
    assert "broken.wav" in capsys.readouterr().err
    made = tmp_path / "new/heard/speech/v0/id00/s01"
    assert len([*made.iterdir()]) == len([*(speech / "s01").iterdir()]) - 1


def test_without_praat_the_error_says_what_to_install(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(change_voices, "find_spec", lambda name: None)
    assert change_voices.main([str(tmp_path), str(tmp_path / "new")]) == 2
    assert "pip install praat-parselmouth" in capsys.readouterr().err
