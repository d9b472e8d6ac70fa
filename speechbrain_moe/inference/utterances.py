"""Utterances that are long enough to embed.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import AudioError

MIN_DURATION_S = 0.1  # ECAPA's reflected edges need about 0.05 s


def read_utterance(path, sample_rate):
    """Read an utterance that is long enough to embed.

    Arguments
    ---------
    path : str or Path
        The file.
    sample_rate : int
        Rate it must have, in Hz.

    Returns
    -------
    torch.Tensor
        Waveform [S].

    Raises
    ------
    AudioError
        If the file cannot be used or is shorter than 0.1 s.
    """
    wav = read_audio(path, sample_rate)
    if len(wav) < MIN_DURATION_S * sample_rate:
        raise AudioError(
            f"{path}: lasts {len(wav) / sample_rate:.3f} s, shorter than "
            f"{MIN_DURATION_S} s; leave it out"
        )
    return wav
