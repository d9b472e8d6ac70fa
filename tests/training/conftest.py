"""A few files of noise and the items that training makes of them."""

import shutil

import numpy as np
import pytest
import soundfile
from shard_files import write_files, write_shards
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.training.changed_voices import ChangedVoices
from speechbrain_moe.training.crops import CropMaker
from speechbrain_moe.training.data import train_dataset, training_rows
from speechbrain_moe.training.draws import Draws
from speechbrain_moe.training.teacher import Teacher

N_SAMPLES = {"long": 40000, "short": 5000, "exact": 16000}


@pytest.fixture
def speech(tmp_path):
    """Three wav files and their list, of speakers 007, bob and NA."""
    rng = np.random.default_rng(0)
    for name, n_samples in N_SAMPLES.items():
        noise = rng.normal(0, 0.1, n_samples)
        soundfile.write(tmp_path / f"{name}.wav", noise, 16000)
    rows = [
        f"{name},{name}.wav,{spk},{n / 16000}"
        for (name, n), spk in zip(N_SAMPLES.items(), ("007", "bob", "NA"))
    ]
    header = "ID,path,spk_id,duration_s"
    (tmp_path / "train.csv").write_text("\n".join([header, *rows]) + "\n")
    return tmp_path


def write_tone(path, hz, n_samples):
    """A sine of one frequency, for a voice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(n_samples) / 16000
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hz * time), 16000)


@pytest.fixture
def voices(speech):
    """Two changed voices of each file: tones of 2 and 3 kHz, 2.5 s."""
    for k in (1, 2):
        for name in N_SAMPLES:
            path = speech / f"heard/{speech.name}/v{k}/{name}.wav"
            write_tone(path, 1000 * (k + 1), 40000)
    return ChangedVoices(2, str(speech / "heard"), str(speech), str(speech))


@pytest.fixture
def labels():
    encoder = CategoricalEncoder()
    encoder.update_from_iterable(["007", "NA", "bob"], sequence_input=False)
    encoder.expect_len(3)
    return encoder


@pytest.fixture
def teacher():
    """Knows "long" and "short", not "exact"."""
    rows = {("long.wav",): 0, ("short.wav",): 1}
    return Teacher(rows, np.array([[1, 0], [0, 1]], np.float32))


@pytest.fixture
def draws():
    return Draws(seed=1)


@pytest.fixture
def make_crop(labels, draws):
    def make(speeds=(1.0,), crop_s=1.0, teacher=None, paths=(), voices=None):
        more = {} if voices is None else {"voices": voices}
        return CropMaker(
            labels, crop_s, list(speeds), 16000, draws, teacher, paths, **more
        )

    return make


@pytest.fixture
def crops(speech, make_crop):
    """Dataset of the three files, and of more rows."""

    def make(speeds=(1.0,), crop_s=1.0, teacher=None, more=None, voices=None):
        rows = training_rows(speech / "train.csv", speech) | (more or {})
        paths = [row["path"] for row in rows.values()]
        if voices is not None:
            paths = [p for path in paths for p in voices.paths(path, "x")]
        make = make_crop(speeds, crop_s, teacher, paths, voices)
        return train_dataset(rows, make)

    return make


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A list, its files and its shards; not to be changed."""
    folder = tmp_path_factory.mktemp("corpus")
    write_files(folder)
    write_shards(folder)
    return folder


@pytest.fixture
def own(corpus, tmp_path):
    """The same, to damage."""
    return shutil.copytree(corpus, tmp_path / "own")
