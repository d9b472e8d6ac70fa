"""Spoilt copies of a test list: noise, rooms, codecs, bands, short ones.

 * every copy of an utterance follows from its path alone, so that a killed
   run goes on with the same sounds
 * noises and rooms by seeds that no training took; babble is made of the
   voices of Debian's packages, which no training heard
 * codecs are those of libsndfile, by way of a file in memory

Authors
 * The speechbrain_moe developers 2026
"""

import io
import zlib

import numpy as np
import pandas as pd
import soundfile
import torch
from refusals import resampled
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.files import write_whole
from speechbrain_moe.training.augment import AddRoom, MixNoise
from speechbrain_moe.training.noises import prepare_noises
from speechbrain_moe.training.rooms import prepare_rooms

RATE, SEED = 16000, 20261
SHORT_S = 1.5
SNR_DB = {kind: (0, 10) for kind in ("noise", "music", "babble")}
# libsndfile's scale: 6 to 256 kbit/s for Opus, 8 to 160 for MP3
OPUS_8 = {"format": "OGG", "subtype": "OPUS", "compression_level": 0.992}
MP3_16 = {
    "format": "MP3",
    "subtype": "MPEG_LAYER_III",
    "bitrate_mode": "CONSTANT",
    "compression_level": 0.95,
}


def through_file(wav, **form):
    """What a waveform [S] is after a file of some form, [S]."""
    file = io.BytesIO()
    soundfile.write(file, wav.numpy(), RATE, **form)
    file.seek(0)
    return torch.from_numpy(soundfile.read(file, dtype="float32")[0])


def through_8_khz(wav, subtype):
    """What a waveform [S] is after a wav file of 8 kHz, [S]."""
    return torch.from_numpy(resampled(wav.numpy(), subtype))


def mixer(csv_file):
    """A function that mixes a noise of a list into a waveform [S]."""
    mix, ones = MixNoise(csv_file, SNR_DB), torch.ones(1)
    return lambda wav: mix(wav.unsqueeze(0), ones)[0]


def list_babble(path, folder, utterances):
    """Write the list that ``MixNoise`` sums talkers of; give its path."""
    table = pd.DataFrame(
        {
            "wav": [str(folder / name) for name in utterances.path],
            "duration": utterances.duration_s,
        }
    )
    write_whole(path, lambda aside: table.to_csv(aside, index=False))
    return str(path)


def ways_to_spoil(cache, babble_csv):
    """By name, functions from a waveform [S] to a waveform."""
    noises = prepare_noises(
        cache / "noise.csv", cache / "noise", n_noises=200, seed=SEED
    )
    rooms = prepare_rooms(
        cache / "rooms.csv", cache / "rooms", n_rooms=100, seed=SEED
    )
    room = AddRoom(str(rooms))
    return {
        "as recorded": lambda wav: wav,
        "noise, 0 to 10 dB": mixer(str(noises)),
        "babble, 0 to 10 dB": mixer(babble_csv),
        "room": lambda wav: room(wav.unsqueeze(0))[0],
        "Opus, 8 kbit/s": lambda wav: through_file(wav, **OPUS_8),
        "MP3, 16 kbit/s": lambda wav: through_file(wav, **MP3_16),
        "8 kHz": lambda wav: through_8_khz(wav, "FLOAT"),
        "8 kHz, mu-law": lambda wav: through_8_khz(wav, "ULAW"),
        "8 kHz, GSM": lambda wav: through_8_khz(wav, "GSM610"),
        "first 1.5 s": lambda wav: wav[: int(SHORT_S * RATE)],
    }


def copy_name(path):
    """Name of an utterance's copies: theirs are flac files."""
    return path.rsplit(".", 1)[0] + ".flac"


def write_copies(source, target, paths, spoil, name):
    """Write the copies of one name that are not there.

    Arguments
    ---------
    source, target : Path
        Folders of the utterances and of their copies.
    paths : list of str
        Utterances, relative to source.
    spoil : callable
        Waveform [S] to waveform.
    name : str
        Of the copies; with the path it seeds the draws.
    """
    todo = [p for p in paths if not (target / copy_name(p)).exists()]
    for path in tqdm(todo, desc=name, unit="file", disable=None):
        wav = read_audio(source / path, RATE)
        torch.manual_seed(zlib.crc32(f"{SEED}/{name}/{path}".encode()))
        write_flac(target / copy_name(path), spoil(wav).numpy())


def write_flac(path, wav):
    """Write a waveform [S] whole, quieter where it would clip."""
    wav = wav / max(1.0, np.abs(wav).max() / 0.99)
    write_whole(path, lambda aside: soundfile.write(aside, wav, RATE))
