"""What a mixture did with each file: routes, embeddings, all experts.

 * every expert runs on every file, chosen or not, so that leaving one out
   can be scored later without the model
 * each file is read once, resampled where its rate is another, and encoded
   alone, in evaluation mode
 * the arrays are plain numpy; the routing report needs nothing else

Shape letters: B batch, S samples, E experts, K chosen, D emb_dim, U files.
A counts the experts that ran: E, and the always-on one if there is one.

Authors
 * The speechbrain_moe developers 2026
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from speechbrain_moe.errors import AudioError, PackageError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.quality import (
    find_faults,
    measure_quality,
    merge_qualities,
)
from speechbrain_moe.inference.recordings import read_windows
from speechbrain_moe.inference.utterances import MIN_DURATION_S
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

MAX_SNR_DB = 60.0  # digital silence between words has no level to measure


def collect_routing(encoder, paths, folder):
    """Run a mixture and each of its experts on audio files.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned; its embedding model is a MoEECAPA.
    paths : list of str
        Distinct files, relative to folder.
    folder : str or Path
        Where they are.

    Returns
    -------
    dict of np.ndarray
        One row for each path: paths, embedding [U, D], gate_logits and
        gate_probs [U, E], expert_ids and expert_weights [U, K], weights
        [U, A] (of the sum, over all experts), agreement [U], raw [U, A, D]
        (each expert's embedding, not normalised), duration_s [U], snr_db
        [U] (an estimate, see ``estimate_snr_db``). For all files: selection,
        top_k, always_on_weight, expert_bias [E].

    Raises
    ------
    PackageError
        If the encoder is no mixture.
    AudioError
        If a file cannot be used or is silent; the message names it.
    """
    model = encoder.mods.embedding_model
    if not isinstance(model, MoEECAPA):
        raise PackageError(
            f"the embedding_model is a {type(model).__name__}: a routing "
            "report needs a MoEECAPA"
        )
    progress = tqdm(paths, desc="routing", unit="file", disable=None)
    rows = [routing_of_file(encoder, Path(folder) / path) for path in progress]
    arrays = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return {
        "paths": np.array(paths),
        **arrays,
        "selection": np.array(model.selection),
        "top_k": np.array(model.top_k),
        "always_on_weight": np.array(model.always_on_weight),
        "expert_bias": model.expert_bias.cpu().numpy(),
    }


def routing_of_file(encoder, path):
    """Run a mixture and each of its experts on one file.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    path : str or Path
        The file.

    Returns
    -------
    dict of np.ndarray
        The file's row of each array of ``collect_routing``.

    Raises
    ------
    AudioError
        If the file cannot be used, is silent or shorter than 0.1 s.
    """
    rate = encoder.audio_normalizer.sample_rate
    wav = read_speech(path, encoder.audio_normalizer)
    model = encoder.mods.embedding_model.eval()
    with torch.no_grad():
        feats = encoder.mods.compute_features(wav[None].to(encoder.device))
        feats = encoder.mods.mean_var_norm(feats, feats.new_ones(1))
        embedding, routing = model(feats, return_routing=True)
        raw = run_every_expert(model, feats)
    weights = weights_of_all(routing, raw.shape[1], model.always_on_weight)
    tensors = {
        "embedding": embedding[:, 0],
        **routing._asdict(),
        "weights": weights,
        "raw": raw,
    }
    return {
        **{key: value[0].cpu().numpy() for key, value in tensors.items()},
        "duration_s": np.array(len(wav) / rate),
        "snr_db": np.array(estimate_snr_db(wav.numpy(), rate)),
    }


def read_speech(path, normalizer):
    """Read a file whole that is neither silent nor too short to embed.

    Arguments
    ---------
    path : str or Path
        The file, of 8 to 192 kHz.
    normalizer : AudioNormalizer
        Resamples; says the rate wanted.

    Returns
    -------
    torch.Tensor
        Waveform [S], channels averaged, at the wanted rate.

    Raises
    ------
    AudioError
        If the file cannot be used, is silent or shorter than 0.1 s.
    """
    rate = normalizer.sample_rate
    windows = list(read_windows(path, normalizer))
    seconds = sum(map(len, windows)) / rate
    if seconds < MIN_DURATION_S:
        raise AudioError(
            f"{path}: lasts {seconds:.3f} s, shorter than {MIN_DURATION_S} s"
            "; leave it out"
        )
    parts = [measure_quality(wav.numpy(), rate) for wav in windows]
    faults = find_faults(merge_qualities(parts))
    if "silent" in faults:
        raise AudioError(f"{path}: {faults['silent']}; leave it out")
    return torch.cat(windows)


def run_every_expert(model, feats, lengths=None):
    """Raw embeddings of all experts, chosen or not.

    Arguments
    ---------
    model : MoEECAPA
        In evaluation mode.
    feats : torch.Tensor
        Log-mel features, not normalised [B, T, M].
    lengths : torch.Tensor, optional
        Relative lengths [B], as for the model.

    Returns
    -------
    torch.Tensor
        Embeddings [B, A, D] as the experts gave them, any length.
    """
    counts, normalised, _ = model.prepare(feats, lengths)
    return model.experts.run_all(normalised, counts)


def weights_of_all(routing, n_all, always_on_weight=0.0):
    """Weights of the sum over all experts, zero for those not chosen.

    Arguments
    ---------
    routing : Routing
        Its expert_ids [B, K] and expert_weights [B, K] are read.
    n_all : int
        Experts that ran, A; one more than the gate knows when one of them,
        the last, is always on.
    always_on_weight : float
        Share of the always-on expert, in [0, 1].

    Returns
    -------
    torch.Tensor
        Weights [B, A], float32, rows sum to 1.

    Example
    -------
    >>> from speechbrain_moe.lobes.selection import Selection
    >>> chosen = Selection(torch.tensor([[2]]), torch.ones(1, 1))
    >>> weights_of_all(chosen, n_all=4, always_on_weight=0.5).tolist()
    [[0.0, 0.0, 0.5, 0.5]]
    """
    weights = routing.expert_weights.float()
    dense = weights.new_zeros(len(weights), n_all)
    dense.scatter_(1, routing.expert_ids, weights)
    if always_on_weight:
        dense *= 1 - always_on_weight
        dense[:, -1] += always_on_weight
    return dense


def estimate_snr_db(wav, sample_rate):
    """Estimate the signal-to-noise ratio of speech from frame energies.

    The 95th percentile of the energies of 25 ms frames over the 10th: loud
    speech over what is left in the pauses. An estimate: it reads low where
    a recording has no pauses, and reverberation counts as noise.

    Arguments
    ---------
    wav : np.ndarray
        Waveform [S], at least 25 ms.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        In dB, from 0 to 60.

    Example
    -------
    >>> loud, soft = np.ones(8000), np.full(8000, 0.1)
    >>> round(estimate_snr_db(np.concatenate([loud, soft]), 16000))
    20
    """
    width, hop = sample_rate // 40, sample_rate // 100
    frames = np.lib.stride_tricks.sliding_window_view(wav, width)[::hop]
    energies = np.mean(frames.astype(np.float64) ** 2, axis=1)
    floor, speech = np.quantile(energies, [0.1, 0.95])
    ratio = max(speech, 1e-12) / max(floor, 1e-12)
    return float(np.clip(10 * np.log10(ratio), 0.0, MAX_SNR_DB))


def write_routing(path, arrays):
    """Write what ``collect_routing`` returned, whole or not at all.

    Arguments
    ---------
    path : str or Path
        File to write, .npz.
    arrays : dict of np.ndarray
        By name.

    Example
    -------
    >>> path = getfixture("tmp_path") / "routing.npz"
    >>> write_routing(path, {"paths": np.array(["a/1.wav"])})
    >>> np.load(path)["paths"].tolist()
    ['a/1.wav']
    """
    write_whole(path, partial(np.savez_compressed, **arrays))
