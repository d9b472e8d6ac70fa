"""Cosine of two recordings with an exported encoder, without torch.

 * needs numpy, soundfile and onnxruntime alone
 * ``python onnx_embed.py encoder.onnx a.wav b.wav`` prints the score
 * ``load`` and ``embed`` are all that another program needs

Authors
 * The speechbrain_moe developers 2026
"""

import sys

import numpy as np
import onnxruntime
import soundfile


def load(path):
    """An onnxruntime session and what the file says of its input."""
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    return session, session.get_modelmeta().custom_metadata_map


def embed(encoder, path):
    """Speaker embedding [emb_dim], of length 1, of an audio file."""
    session, about = encoder
    wav, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != int(about["sample_rate"]):
        raise ValueError(
            f"{path}: has {rate} Hz, wanted {about['sample_rate']} Hz; "
            "resample it"
        )
    if len(wav) < int(about["min_samples"]):
        raise ValueError(f"{path}: holds {len(wav)} samples, too few to embed")
    if not np.isfinite(wav).all():
        raise ValueError(f"{path}: holds NaN or Inf; remove or replace it")
    wavs = wav.mean(1)[np.newaxis]  # several of one length, or padded with 0
    return session.run(["embeddings"], {"wavs": wavs})[0][0]


def main(model, enrol, test):
    """Print the cosine of two files: high when one person speaks in both."""
    encoder = load(model)
    score = embed(encoder, enrol) @ embed(encoder, test)
    print(f"{score:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
