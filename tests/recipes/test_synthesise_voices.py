import builtins
import hashlib
import os
import subprocess
import sys
import time

import baselines
import numpy as np
import pandas
import pytest
import soundfile
import speak
import voice_plan
from synthesise_voices import main, synthesise_corpus

from speechbrain_moe.scoring.trials import (
    Trials,
    check_trial_files,
    read_trials,
)

NUMBERS = dict(n_train_voices=2, n_test_voices=3, n_utterances=6, seed=7)


def make(folder, **changes):
    return synthesise_corpus(
        folder, **{**NUMBERS, "n_per_class": 12, **changes}
    )


def hashes(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(
            file.read_bytes()
        ).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def table(corpus):
    return pandas.read_csv(corpus / "meta" / "utterances.csv")


def test_two_runs_agree_to_the_byte(corpus, tmp_path):
    make(tmp_path, n_jobs=1)
    assert hashes(tmp_path) == hashes(corpus)


def test_speech_does_not_depend_on_the_second_it_is_made_in(recipe_folder):
    """eSpeak's own seed is the time in seconds."""
    code = (
        "import hashlib, speak; sound = speak.Speaker()('the quick brown fox "
        "jumps over the lazy dog', 'en-029+f2'); "
        "print(hashlib.sha256(sound.tobytes()).hexdigest())"
    )
    said = set()
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=recipe_folder,
            capture_output=True,
            text=True,
        )
        said.add(done.stdout)
        time.sleep(1.1)
    assert len(said) == 1 and len(said.pop()) == 65


def test_another_seed_makes_other_files(corpus, tmp_path):
    make(tmp_path, n_train_voices=1, n_test_voices=2, n_utterances=2, seed=8)
    ours = {k: v for k, v in hashes(tmp_path).items() if k.endswith("wav")}
    assert not set(ours.values()) & set(hashes(corpus).values())


def test_every_file_is_another_recording(corpus, table):
    wavs = {k: v for k, v in hashes(corpus).items() if k.endswith(".wav")}
    assert len(set(wavs.values())) == len(wavs) == len(table) == 30


def test_voices_differ_in_the_same_sentence_and_room():
    # Not the corpus: there texts and rooms would differ as well.
    utterance = voice_plan.draw_utterances("dev", 0, 2, seed=7)[0]
    speaker, spectra = speak.Speaker(), []
    for voice in voice_plan.draw_voices("dev", 8, seed=7):
        rng = np.random.default_rng(0)
        text = voice_plan.sentence(0)
        wav = speak.say(speaker, text, voice, utterance, rng)
        power = np.abs(np.fft.rfft(wav, 2**17)[: 2**16]) ** 2
        bands_db = 10 * np.log10(power.reshape(64, -1).sum(axis=1))
        spectra.append(bands_db - bands_db.mean())
    spectra = np.array(spectra)
    apart_db = np.abs(spectra[:, None] - spectra).mean(axis=-1)
    assert apart_db[np.triu_indices(8, 1)].min() > 1.0


HASH_ALL = """
import hashlib, multiprocessing, speak, voice_plan
def digest(voice):
    sound = speak.Speaker()("the quiet farmer", voice)
    return hashlib.sha256(sound.tobytes()).hexdigest()
voices = ["en-us"] + [f"en-us+{v}" for v in voice_plan.list_variants()]
with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
    print(len(voices), len(set(pool.map(digest, voices, chunksize=1))))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="spawning takes 10 s")
def test_every_variant_differs_from_the_plain_voice(recipe_folder):
    # In fresh processes: within one even the same voice differs.
    command = [sys.executable, "-c", HASH_ALL]
    done = subprocess.run(
        command, cwd=recipe_folder, capture_output=True, text=True, check=True
    )
    n_voices, n_distinct = map(int, done.stdout.split())
    assert n_voices == n_distinct > 80


def test_every_accent_is_accepted_by_a_fresh_speaker():
    speaker = speak.Speaker()
    sounds = [speaker("hello there", f"{a}+m3") for a in voice_plan.ACCENTS]
    digests = {hashlib.sha256(sound.tobytes()).digest() for sound in sounds}
    assert len(digests) == len(voice_plan.ACCENTS)


def test_unknown_accent_is_refused_by_name():
    with pytest.raises(RuntimeError, match="nowhere"):
        speak.Speaker()("hello", "nowhere+m3")


def test_variants_and_texts_of_dev_and_test_are_disjoint():
    variants, texts = [], []
    for part, n_voices in (("dev", 90), ("test", 40)):
        voices = voice_plan.draw_voices(part, n_voices, seed=1)
        variants.append({voice["variant"] for voice in voices})
        rows = [
            voice_plan.draw_utterances(part, i, 20, seed=1)
            for i in range(n_voices)
        ]
        texts.append(
            {voice_plan.sentence(u["text_id"]) for row in rows for u in row}
        )
    assert not variants[0] & variants[1]
    assert not texts[0] & texts[1]


def test_no_voice_says_a_text_twice():
    rows = voice_plan.draw_utterances("dev", 0, 300, seed=1)
    texts = {voice_plan.sentence(row["text_id"]) for row in rows}
    assert len(texts) == 300


def test_more_voices_leave_the_first_as_they_were():
    few = voice_plan.draw_voices("test", 3, seed=1)
    assert voice_plan.draw_voices("test", 30, seed=1)[:3] == few


def test_many_voices_share_a_median_pitch():
    voices = voice_plan.draw_voices("test", 20, seed=1234)
    octave = np.log2([voice["f0_hz"] for voice in voices])
    apart = np.abs(octave[:, None] - octave)[np.triu_indices(20, 1)]
    assert np.mean(apart < 0.2) > 0.25


def test_conditions_do_not_depend_on_how_voices_sound():
    voices = voice_plan.draw_voices("dev", 60, 5)
    drawn = pandas.DataFrame(
        {**voices[number], **row}
        for number in range(60)
        for row in voice_plan.draw_utterances("dev", number, 20, 5)
    )
    sound = ["f0_hz", "formant_scale", "tilt_db", "breath_db", "rate_wpm"]
    means = drawn.groupby("spk_id")[[*sound, "snr_db", "level_db"]].mean()
    correlation = means.corr().loc[sound, ["snr_db", "level_db"]].abs()
    # 0.42 is p = 0.001 for 60 voices; ten correlations are looked at
    assert correlation.to_numpy().max() < 0.42
    assert (drawn.groupby("spk_id")["room_id"].nunique() == 5).all()
    assert (drawn.groupby("spk_id")["noise"].nunique() >= 3).all()


def test_each_voice_is_heard_in_all_rooms_and_many_snrs(table):
    per_voice = table.groupby("spk_id")
    assert (per_voice["room_id"].nunique() == voice_plan.N_ROOMS).all()
    assert (per_voice["snr_db"].nunique() == 6).all()
    assert table["snr_db"].between(10, 30).all()


def test_trials_name_test_files_that_exist(corpus, table):
    trials = read_trials(corpus / "meta" / "veri_test.txt")
    check_trial_files(trials, corpus / "test")
    parts = table.groupby("part")["spk_id"].agg(set)
    sides = {path.split("/")[0] for path in [*trials.enrol, *trials.test]}
    assert sides <= parts["test"]
    assert not parts["dev"] & parts["test"]


def test_target_trials_never_share_a_text(corpus, table):
    trials = read_trials(corpus / "meta" / "veri_test.txt")
    texts = dict(zip(table["path"], table["text_id"]))
    pairs = zip(trials.labels, trials.enrol, trials.test)
    assert all(texts[a] != texts[b] for label, a, b in pairs if label)


def test_files_are_as_the_table_says(corpus, table):
    for row in table.itertuples():
        info = soundfile.info(corpus / row.part / row.path)
        assert info.subtype == "PCM_16" and info.channels == 1
        assert info.samplerate == 16000 and info.duration == row.duration_s
    assert table["duration_s"].between(2, 4).all()


def test_no_file_is_clipped_or_silent(corpus, table):
    for row in table.itertuples():
        wav, _ = soundfile.read(corpus / row.part / row.path)
        assert np.abs(wav).max() < 0.95
        assert -35 < 10 * np.log10(np.mean(wav**2)) < -20


def test_a_second_run_makes_nothing(corpus):
    before = hashes(corpus)
    assert make(corpus) == []
    assert hashes(corpus) == before


@pytest.mark.parametrize("damage", ["removed", "cut short"])
def test_resume_makes_only_the_damaged_voice(corpus, table, damage):
    before = hashes(corpus)
    row = table[table["part"] == "test"].iloc[0]
    file = corpus / "test" / row["path"]
    data = file.read_bytes()
    file.unlink()
    if damage == "cut short":
        file.write_bytes(data[:1000])
    assert make(corpus) == [row["spk_id"]]
    assert hashes(corpus) == before


def test_voices_of_another_call_are_refused(corpus):
    with pytest.raises(ValueError, match="1 voices"):
        make(corpus, n_test_voices=2)


def test_too_few_voices_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1, 2 and 2"):
        make(tmp_path, n_test_voices=1)


@pytest.mark.parametrize("module", ["espeakng_loader", "pyroomacoustics"])
def test_missing_extra_names_the_pip_line(monkeypatch, tmp_path, module):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == module:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r'pip install "speechbrain-moe\[d'):
        make(tmp_path)


def test_command_line_takes_the_numbers(tmp_path):
    words = "--n_train_voices 1 --n_test_voices 2 --n_utterances 2 --seed 3"
    main([str(tmp_path), *words.split(), "--n_per_class", "2"])
    assert len(list(tmp_path.glob("*/id*/room*/*.wav"))) == 6


def write_tones(folder, tones_hz):
    time_s = np.arange(32000) / 16000
    for name, tone_hz in tones_hz.items():
        harmonics = np.arange(1, 9)[:, None] * 2 * np.pi * tone_hz * time_s
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, 0.1 * np.sin(harmonics).sum(axis=0), 16000)


def test_median_pitch_score_is_the_distance_in_octaves(tmp_path):
    write_tones(tmp_path / "test", {"a.wav": 100, "b.wav": 200, "c.wav": 100})
    trials = Trials(np.array([0, 1]), ["a.wav", "a.wav"], ["b.wav", "c.wav"])
    scores = baselines.median_pitch_scores(tmp_path, trials)
    np.testing.assert_allclose(scores, [-1, 0], atol=0.02)  # lags are whole


def test_mean_log_mel_ranks_the_same_voice_first(corpus):
    trials = read_trials(corpus / "meta" / "veri_test.txt")
    scores = baselines.mean_log_mel_scores(corpus, trials)
    assert scores.shape == trials.labels.shape
    targets, others = scores[trials.labels == 1], scores[trials.labels == 0]
    assert targets.mean() > others.mean()


def test_mean_log_mel_needs_training_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="synthesise_voices"):
        baselines.mean_log_mel_scores(tmp_path, Trials(np.array([]), [], []))
