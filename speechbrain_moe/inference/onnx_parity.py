"""Whether onnxruntime gives torch's embeddings with an ONNX file.

 * sounds of 0.3 to 30 s, faint to clipping, each alone and all in one
   padded batch
 * the direction of the embedding is compared, in float64

Shape letters: B batch, S samples.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
import torch.nn.functional as F

from speechbrain_moe.errors import PackageError

TOLERANCE = 1e-5  # of 1 - cos
# Seconds, and the gain on a voice at a usual level
SOUNDS = ((0.3, 1.0), (1.0, 1e-3), (3.33, 30.0), (10.0, 1.0), (30.0, 0.1))


def check_parity(content, encoder, name):
    """Refuse an ONNX file with which embeddings are not torch's.

    Arguments
    ---------
    content : bytes
        The file.
    encoder : SpeakerRecognition
        The encoder it was made of.
    name : str or Path
        What it is to be called, for the error.

    Returns
    -------
    float
        Largest 1 - cos between onnxruntime's embeddings and torch's.

    Raises
    ------
    PackageError
        If it is 1e-5 or more, or NaN.
    """
    distance = largest_distance(content, encoder)
    # not (a < b), so that NaN is refused too
    if not distance < TOLERANCE:
        raise PackageError(
            f"{name}: onnxruntime and torch differ by 1 - cos = "
            f"{distance:.1e}, {TOLERANCE:.0e} is allowed; nothing was "
            "written, try other versions of torch, onnxscript or onnxruntime"
        )
    return distance


def largest_distance(content, encoder):
    """How far onnxruntime's embeddings are from torch's, on test sounds.

    Arguments
    ---------
    content : bytes
        An ONNX file.
    encoder : SpeakerRecognition
        The encoder it was made of.

    Returns
    -------
    float
        Largest 1 - cos, NaN if any embedding holds NaN.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        content, providers=["CPUExecutionProvider"]
    )
    found = torch.tensor(0.0, dtype=torch.float64)
    for wavs in sounds_to_check(encoder.hparams.sample_rate):
        (ours,) = session.run(["embeddings"], {"wavs": wavs.numpy()})
        wanted = encoder.encode_batch(wavs).squeeze(1).double()
        cosine = F.cosine_similarity(
            torch.from_numpy(ours).double(), wanted, dim=1
        )
        found = torch.maximum(found, (1 - cosine).max())  # keeps NaN
    return found.item()


def sounds_to_check(sample_rate):
    """Batches of harmonic sounds in noise, of several durations and levels.

    Arguments
    ---------
    sample_rate : int
        In Hz.

    Yields
    ------
    torch.Tensor
        Waveforms [1, S] and, the last, [5, S] padded to one length; the
        same at each call.
    """
    rng = torch.Generator().manual_seed(0)
    sounds = []
    for duration_s, gain in SOUNDS:
        n_samples = round(duration_s * sample_rate)
        seconds = torch.arange(n_samples) / sample_rate
        pitch = 80 + 200 * torch.rand(1, generator=rng)
        order = torch.arange(1, 20).unsqueeze(1)
        harmonics = torch.sin(2 * torch.pi * pitch * order * seconds) / order
        noise = torch.randn(n_samples, generator=rng)
        sound = 0.05 * gain * (harmonics.sum(0) + 0.1 * noise)
        sounds.append(sound.clamp(-1, 1))
        yield sounds[-1].unsqueeze(0)
    yield torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True)
