"""A corpus of buzzing voices in VoxCeleb layout, and a tiny run on it.

A voice is a pitch and three resonances; an utterance is a random melody
around that pitch. Enough to train on for a few steps, nothing more.
"""

import numpy as np
import soundfile
from scipy.signal import lfilter, resample_poly

RATE = 16000
TINY = {
    "device": "cpu",
    "n_epochs": 1,
    "batch_size": 10,
    "crop_s": 1.0,
    "n_dev_speakers": 2,
    "n_dev_trials": 40,
    "n_noises": 6,
    "n_rooms": 2,
    "n_warmup_steps": 2,
    "expert_channels": "[16,16,16,16,48]",
    "expert_attention_channels": 16,
    "expert_se_channels": 16,
    "gate_channels": "[16,16]",
    "emb_dim": 32,
}


def buzz(rng, pitch_hz, formants_hz, duration_s):
    """One utterance of a voice, float32."""
    n = round(duration_s * RATE)
    drift = np.cumsum(rng.normal(0, 0.02, n)) * 0.01
    phase = np.cumsum(pitch_hz * np.exp(drift) / RATE)
    wav = np.diff(np.floor(phase), prepend=0.0) + rng.normal(0, 0.01, n)
    for formant in formants_hz:
        angle = 2 * np.pi * formant / RATE
        wav = lfilter([1], [1, -1.9 * np.cos(angle), 0.9], wav)
    return (0.3 * wav / np.abs(wav).max()).astype(np.float32)


def write_corpus(folder, n_train=8, n_test=3, n_utterances=5, seed=0):
    """Write <folder>/{dev,test}/<speaker>/s01/*.wav and the trial list."""
    rng = np.random.default_rng(seed)
    files = {"dev": [], "test": []}
    for i in range(n_train + n_test):
        part = "dev" if i < n_train else "test"
        pitch = rng.uniform(80, 250)
        formants = rng.uniform([400, 1000, 2300], [800, 2000, 3000])
        for j in range(n_utterances):
            path = f"id{i:02d}/s01/{j:05d}.wav"
            file = folder / part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            wav = buzz(rng, pitch, formants, rng.uniform(1.1, 1.6))
            soundfile.write(file, wav, RATE)
            files[part].append(path)
    write_trials(folder / "meta" / "veri_test.txt", files["test"])
    return folder


def write_voices(folder):
    """Write <folder>/heard: dev and unlabelled once more, played faster."""
    for part in ("dev", "unlabelled"):
        for file in (folder / part).rglob("*.wav"):
            wav, _ = soundfile.read(file)
            place = folder / "heard" / part / "v1"
            voice = place / file.relative_to(folder / part)
            voice.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(voice, resample_poly(wav, 10, 11), RATE)


def voices_of(folder):
    """Settings for what ``write_voices`` wrote."""
    return {"n_voices": 1, "voices_folder": folder / "heard"}


def write_teaching(folder, seed=1):
    """Write <folder>/unlabelled/*.wav, voices of it and of dev, a teacher.

    The teacher knows all but one of six unlabelled files, and all voices.
    """
    rng = np.random.default_rng(seed)
    (folder / "unlabelled").mkdir()
    for j in range(6):
        wav = buzz(rng, rng.uniform(80, 250), (500, 1500, 2500), 1.2)
        soundfile.write(folder / f"unlabelled/{j}.wav", wav, RATE)
    write_voices(folder)
    parts = ("dev", "unlabelled", "heard")
    files = [f for part in parts for f in (folder / part).rglob("*.wav")]
    paths = sorted(str(file.relative_to(folder)) for file in files)[:-1]
    np.savez(
        folder / "meta/teacher.npz",
        paths=np.array(paths),
        embeddings=rng.normal(size=(len(paths), 24)).astype(np.float16),
    )


def teaching_of(folder):
    """Settings for what ``write_teaching`` wrote."""
    return {
        "teacher_embeddings": folder / "meta/teacher.npz",
        "unlabelled_folder": folder / "unlabelled",
        "distill_weight": 1.0,
        "pairwise_weight": 10.0,
    }


def write_trials(path, files):
    """All pairs of files, as lines "label enrol test"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = [(a, b) for i, a in enumerate(files) for b in files[i + 1 :]]
    lines = [f"{int(a[:4] == b[:4])} {a} {b}" for a, b in pairs]
    path.write_text("\n".join(lines) + "\n")


def arguments(yaml, corpus, out, **changes):
    """Command line of train.py; None leaves a setting out."""
    settings = {**TINY, "data_folder": corpus, "output_folder": out, **changes}
    flags = [f"--{k}={v}" for k, v in settings.items() if v is not None]
    return [str(yaml), "--noprogressbar", *flags]
