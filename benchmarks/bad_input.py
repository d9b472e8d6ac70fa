#!/usr/bin/env python3
"""What bad input does to stock SpeechBrain, and here, as two tables.

    python benchmarks/bad_input.py <package or training folder>

 * each case once through stock SpeakerRecognition and once through
   MoESpeakerRecognition, with the same weights
 * sounds are made up: a buzzing voice of 3 s, and what is done to it
 * files go through ``verify_files`` of stock and ``verify`` here, each
   against the whole voice; waveforms through ``verify_batch`` of both
 * the threshold is 0.25, which stock takes for every model
 * what the package's model itself refuses, such as lengths out of range, it
   refuses behind the stock interface too; so waveforms go through
   SpeechBrain's own ECAPA-TDNN besides, untrained: whether it answers counts

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import soundfile
import torch
from speechbrain.inference.speaker import SpeakerRecognition
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.processing.features import InputNormalization

from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.recognition import MoESpeakerRecognition

RATE, THRESHOLD = 16000, 0.25


def make_voice(rate=RATE, seconds=3.0, pitch=120.0):
    """Harmonics in syllables, with a little noise [S], float32."""
    t = np.arange(int(seconds * rate)) / rate
    orders = np.arange(1, int(min(rate, RATE) / 2 / pitch))
    buzz = sum(np.sin(2 * np.pi * pitch * k * t + k * k) / k for k in orders)
    noise = np.random.default_rng(0).normal(size=len(t))
    syllables = 1.1 + np.sin(2 * np.pi * 3 * t)
    return (0.1 * (buzz * syllables + 0.02 * noise)).astype(np.float32)


def file_cases(folder):
    """Yield name and path of each bad file."""

    def write(name, wav, rate=RATE, **kwargs):
        soundfile.write(folder / name, wav, rate, **kwargs)
        return folder / name

    voice = make_voice()
    pair = np.stack([voice, -voice], axis=1)
    bad = voice.copy()
    bad[100] = np.nan
    edge = np.quantile(np.abs(voice), 0.9)
    noise = np.random.default_rng(1).normal(size=len(voice)) / 10
    yield "silence", write("silence.wav", 0 * voice)
    yield "noise", write("noise.wav", noise)
    wind = np.cumsum(noise - noise.mean())
    yield "wind", write("wind.wav", wind / np.abs(wind).max() / 2)
    yield "NaN", write("nan.wav", bad, subtype="FLOAT")
    yield "50 ms", write("short.wav", voice[: RATE // 20])
    yield "0.5 s", write("half.wav", voice[: RATE // 2])
    little = np.pad(voice[: RATE * 3 // 20], RATE)
    yield "0.15 s of speech in silence", write("little.wav", little)
    yield "clipped", write("clipped.wav", np.clip(voice, -edge, edge))
    yield "antiphase stereo", write("antiphase.wav", pair)
    yield "six channels", write("six.wav", np.tile(voice[:, None], 6))
    for rate in (8000, 11025, 48000):
        yield f"{rate} Hz", write(f"{rate}.wav", make_voice(rate), rate)
    yield "u8", write("u8.wav", voice, subtype="PCM_U8")
    yield "flac", write("voice.flac", voice)
    for kind, how in {"wav": None, "opus": "OPUS", "mp3": None}.items():
        form = "OGG" if how else None
        path = write(f"truncated.{kind}", voice, subtype=how, format=form)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        yield f"truncated {kind}", path
    (folder / "corrupt.wav").write_bytes(b"nothing that sounds")
    yield "corrupt", folder / "corrupt.wav"
    (folder / "empty.wav").touch()
    yield "empty file", folder / "empty.wav"
    yield "missing", folder / "missing.wav"
    (folder / "folder.wav").mkdir()
    yield "folder", folder / "folder.wav"


def batch_cases():
    """Yield name, waveforms and lengths of each bad batch."""
    voice = torch.from_numpy(make_voice())
    pair = torch.stack([voice, torch.from_numpy(make_voice(pitch=210.0))])
    bad = pair.clone()
    bad[1, 100] = float("nan")
    yield "silence [2, S]", pair * 0, None
    yield "NaN [2, S]", bad, None
    yield "50 ms [2, 800]", pair[:, :800], None
    yield "stereo [2, S]", torch.stack([voice, 0.8 * voice]), None
    yield "[B, 1, S]", pair.unsqueeze(1), None
    yield "[B, S, 2]", torch.stack([pair, pair], 2), None
    yield "numpy array", pair.numpy(), None
    lengths = {"0": 0.0, "-1": -1.0, "NaN": float("nan"), "> 1": 1.5}
    for name, value in (lengths | {"in samples": 48000.0}).items():
        yield f"wav_lens {name}", pair, torch.tensor([1.0, value])
    yield "wav_lens of 3 for 2", pair, torch.ones(3)


def outcome(call, *given):
    """What a call returns or raises, in a few words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(*given)
        except Exception as error:  # stock raises of every kind
            said = str(error).strip().splitlines() or [""]
            return f"{type(error).__name__}: {said[0]}"


def stock_files(encoder, enrol):
    """A call on a file, with stock SpeechBrain."""

    def call(path):
        score, same = encoder.verify_files(str(enrol), str(path))
        return f"{score.item():.3f}, {same.item()}"

    return call


def our_files(encoder, enrol):
    """A call on a file, here."""

    def call(path):
        found = encoder.verify(enrol, path, threshold=THRESHOLD)
        if found.same_speaker is None:
            return f"no decision: {found.reason}"
        return f"{found.score:.3f}, {found.same_speaker}"

    return call


def on_batch(encoder):
    """A call on a batch against two voices."""
    whole = make_voice(), make_voice(pitch=210.0)
    whole = torch.from_numpy(np.stack(whole))

    def call(wavs, lens):
        scores, same = encoder.verify_batch(whole, wavs, None, lens)
        return ", ".join(
            f"{s:.3f} {bool(d)}" for s, d in zip(scores.flatten(), same)
        )

    return call


def own_network():
    """Stock SpeakerRecognition with SpeechBrain's own network, untrained."""
    torch.manual_seed(0)
    small = {"channels": [64] * 4 + [192], "attention_channels": 32}
    modules = {
        "compute_features": Fbank(n_mels=80),
        "mean_var_norm": InputNormalization(
            norm_type="sentence", std_norm=False
        ),
        "embedding_model": ECAPA_TDNN(80, lin_neurons=32, **small).eval(),
        "classifier": torch.nn.Identity(),
    }
    return SpeakerRecognition(modules, hparams={"sample_rate": RATE})


def file_table(stock, ours):
    """Lines of the table of files."""
    yield from head("file", "stock", "here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        enrol = folder / "voice.wav"
        soundfile.write(enrol, make_voice(), RATE)
        calls = stock_files(stock, enrol), our_files(ours, enrol)
        for case, path in [("the voice itself", enrol), *file_cases(folder)]:
            yield row(case, [outcome(call, path) for call in calls], folder)


def batch_table(stock, ours):
    """Lines of the table of waveforms."""
    yield from head("waveforms", "stock, own network", "stock", "here")
    calls = [on_batch(encoder) for encoder in (own_network(), stock, ours)]
    for case, wavs, lens in batch_cases():
        yield row(case, [outcome(call, wavs, lens) for call in calls])


def head(*names):
    """The first two lines of a table."""
    yield "| " + " | ".join(names) + " |"
    yield "| --- " * len(names) + "|"


def row(case, outcomes, folder="", width=110):
    """One line; folders left out, long messages cut."""
    cells = [text.replace(f"{folder}/", "") for text in outcomes]
    cells = [c if len(c) <= width else c[: width - 3] + "..." for c in cells]
    return "| " + " | ".join(c.replace("|", "/") for c in (case, *cells)) + " |"


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="package or training folder")
    given = parser.parse_args()
    stock = load_encoder(given.model)
    ours = MoESpeakerRecognition.from_encoder(stock)
    for line in [*file_table(stock, ours), "", *batch_table(stock, ours)]:
        print(line)


if __name__ == "__main__":
    main()
