#!/usr/bin/env python3
"""How often recordings are refused: real ones, and spoilt copies of them.

    python benchmarks/refusals.py <speech pack> [--every 1]

 * quality is measured as MoESpeakerRecognition does, on every file of the
   small speech pack; no model is needed
 * spoilt copies of some 300 of the files: white noise, 8 kHz, telephone
   (8 kHz, mu-law and GSM), clipping at a half, a third and a fifth of the peak
 * and as much noise without any speech, white and falling as of wind
 * a table is printed: share of files with any fault, and with each

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
from speechbrain.dataio.preprocess import AudioNormalizer

from speechbrain_moe.inference.quality import (
    FAULTS,
    find_faults,
    measure_quality,
)

RATE, N_SPOILT = 16000, 300
LISTS = {"labelled": "utterances.csv", "unlabelled": "unlabelled.csv"}


def noisy(wav, snr_db):
    """The sound in white noise."""
    rng = np.random.default_rng(len(wav))
    noise = rng.normal(size=len(wav)) * np.sqrt(np.mean(wav**2))
    return wav + noise.astype(np.float32) * 10 ** (-snr_db / 20)


def noise_alone(wav, power):
    """Noise as long as the sound, its level falling by 3 dB x power an octave.

    Swelling and fading, since noise at one level is told by that alone.
    """
    rng = np.random.default_rng(len(wav))
    bins = np.arange(len(wav) // 2 + 1).clip(1)
    spectrum = np.fft.rfft(rng.normal(size=len(wav))) / bins ** (power / 2)
    noise = np.fft.irfft(spectrum, len(wav))
    swell = 1.1 + np.sin(2 * np.pi * 3 * np.arange(len(wav)) / RATE)
    return (0.1 * noise / noise.std() * swell).astype(np.float32)


def resampled(wav, subtype):
    """The sound through a file of 8 kHz."""
    low = AudioNormalizer(8000)(torch.from_numpy(wav), RATE)
    file = io.BytesIO()
    soundfile.write(file, low.numpy(), 8000, format="WAV", subtype=subtype)
    file.seek(0)
    low, _ = soundfile.read(file, dtype="float32")
    return AudioNormalizer(RATE)(torch.from_numpy(low), 8000).numpy()


def clipped(wav, gain):
    """The sound with all cut that is above a share of its peak."""
    edge = np.abs(wav).max() / gain
    return np.clip(wav, -edge, edge)


SPOILT = {
    "white noise, 10 dB": lambda wav: noisy(wav, 10),
    "white noise, 0 dB": lambda wav: noisy(wav, 0),
    "8 kHz": lambda wav: resampled(wav, "FLOAT"),
    "8 kHz, mu-law": lambda wav: resampled(wav, "ULAW"),
    "8 kHz, GSM": lambda wav: resampled(wav, "GSM610"),
    "clipped at 1/2": lambda wav: clipped(wav, 2),
    "clipped at 1/3": lambda wav: clipped(wav, 3),
    "clipped at 1/5": lambda wav: clipped(wav, 5),
    "white noise alone": lambda wav: noise_alone(wav, 0),
    "pink noise alone": lambda wav: noise_alone(wav, 1),
    "brown noise alone": lambda wav: noise_alone(wav, 2),
}


def row(name, wavs):
    """A line of the table."""
    found = [find_faults(measure_quality(wav, RATE)) for wav in wavs]
    shares = [100 * np.mean([bool(faults) for faults in found])]
    shares += [100 * np.mean([key in f for f in found]) for key in FAULTS]
    cells = [name, str(len(found)), *(f"{share:.2f}" for share in shares)]
    return "| " + " | ".join(cells) + " |"


def table(folder, every=1):
    """Lines of the table."""
    yield "| recordings | n | any, % | " + " | ".join(FAULTS) + " |"
    yield "| --- " * (3 + len(FAULTS)) + "|"
    spoilt = []
    for name, file in LISTS.items():
        paths = pd.read_csv(folder / "meta" / file).path[::every]
        read = (soundfile.read(folder / p, dtype="float32")[0] for p in paths)
        step = max(1, len(paths) * len(LISTS) // N_SPOILT)
        spoilt += [folder / path for path in paths[::step]]
        yield row(name, read)
    for name, spoil in SPOILT.items():
        read = (soundfile.read(path, dtype="float32")[0] for path in spoilt)
        yield row(name, map(spoil, read))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", type=Path, help="the small speech pack")
    parser.add_argument("--every", type=int, default=1, help="nth file")
    given = parser.parse_args()
    for line in table(given.speech, given.every):
        print(line, flush=True)


if __name__ == "__main__":
    main()
