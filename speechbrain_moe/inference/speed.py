"""How fast a model embeds, beside one stock ECAPA-TDNN on this machine.

 * both take turns on the same sound, features included; medians of turns
 * the stock network has one expert's width and random weights, which cost
   the same as any

Authors
 * The speechbrain_moe developers 2026
"""

import statistics
import time
from typing import NamedTuple

import torch
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.processing.features import InputNormalization
from tqdm import tqdm

from speechbrain_moe.errors import InputError

KEYS = ("channels", "kernel_sizes", "dilations", "attention_channels")
KEYS = (*KEYS, "res2net_scale", "se_channels")
MAX_DURATION_S = 600


class Speed(NamedTuple):
    """How fast one network was.

    Arguments
    ---------
    params : int
        Its weights.
    seconds : float
        Median time of a batch.
    files_per_s : float
        Recordings embedded in a second.
    real_time_factor : float
        Seconds of work for a second of sound.

    Example
    -------
    >>> Speed(100, 0.03, 33.3, 0.01).real_time_factor
    0.01
    """

    params: int
    seconds: float
    files_per_s: float
    real_time_factor: float


def compare_speed(recognition, duration_s=3.0, batch_size=1, n_turns=15):
    """Time a model and a stock network in turns.

    Arguments
    ---------
    recognition : SpeakerRecognition
        The model.
    duration_s : float
        Length of each recording, 0.1 s or more.
    batch_size : int
        Recordings at a time.
    n_turns : int
        Turns whose median is taken, after one that does not count.

    Returns
    -------
    dict of Speed
        moe and stock.

    Raises
    ------
    InputError
        If a number is too small, the duration above ten minutes, or there is
        no memory for a batch.
    """
    usable = 0.1 <= duration_s <= MAX_DURATION_S  # NaN is not
    if not usable or batch_size < 1 or n_turns < 1:
        raise InputError(
            f"duration_s is {duration_s}, batch_size {batch_size}, n_turns "
            f"{n_turns}; give 0.1 to {MAX_DURATION_S} s, 1 and 1 or more"
        )
    n_samples = round(duration_s * recognition.hparams.sample_rate)
    stock, network = stock_encoder(recognition)
    runs = {"moe": recognition.encode_batch, "stock": stock}
    sizes = {"moe": recognition.mods.embedding_model, "stock": network}
    try:
        size = batch_size, n_samples
        times = time_turns(runs, size, n_turns, recognition.device)
    except (RuntimeError, MemoryError) as error:  # of memory
        raise InputError(
            f"batch_size {batch_size} of {duration_s} s cannot be run "
            f"({error}); give less"
        ) from error
    return {
        name: speed_of(sizes[name], times[name], batch_size, duration_s)
        for name in runs
    }


def time_turns(runs, size, n_turns, device):
    """Seconds of each turn, by name; the first turn does not count."""
    generator = torch.Generator().manual_seed(0)
    wavs = torch.randn(size, generator=generator).to(device)
    times = {name: [] for name in runs}
    for turn in tqdm(range(n_turns + 1), desc="turns", disable=None):
        for name, run in runs.items():
            taken = time_of(run, wavs)
            times[name] += [taken] if turn else []
    return times


def stock_encoder(recognition):
    """Waveforms to embeddings by stock classes of one expert's width.

    Arguments
    ---------
    recognition : SpeakerRecognition
        Its settings say the width.

    Returns
    -------
    callable
        From waveforms [B, S].
    torch.nn.Module
        The network in it.
    """
    settings = vars(recognition.hparams)
    device, n_mels = recognition.device, settings["n_mels"]
    given = {key: settings.get(f"expert_{key}") for key in KEYS}
    given = {key: value for key, value in given.items() if value is not None}
    network = ECAPA_TDNN(
        n_mels, lin_neurons=settings["emb_dim"], device=str(device), **given
    )
    network.to(device).eval()
    fbank = Fbank(
        n_mels=n_mels,
        sample_rate=settings["sample_rate"],
        hop_length=settings.get("hop_length", 10),
    )
    normalise = InputNormalization(norm_type="sentence", std_norm=False)
    fbank, normalise = fbank.to(device), normalise.to(device)

    def encode(wavs):
        feats = fbank(wavs)
        lens = torch.ones(len(wavs), device=device)
        return network(normalise(feats, lens), lens)

    return encode, network


@torch.no_grad()
def time_of(run, wavs):
    """Seconds that one call takes, to the end of the device's work."""
    start = time.perf_counter()
    run(wavs).cpu()
    return time.perf_counter() - start


def speed_of(network, times, batch_size, duration_s):
    """Speed from the times of a network's turns."""
    median = statistics.median(times)
    return Speed(
        sum(weight.numel() for weight in network.parameters()),
        median,
        batch_size / median,
        median / (batch_size * duration_s),
    )
