"""Conversations put together of single utterances, and who speaks when.

 * turns of 2 to 6 s, a quarter of them without a pause before
 * speech begins and ends where an utterance's level says so, in frames of
   20 ms; pauses below 0.3 s within a turn count as speech
 * each speaker at a level of their own, over a steady noise
 * the same seed gives the same conversations

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np
import soundfile

RATE_HZ = 16000
FRAME = 320  # samples
TURN_S, PAUSE_S = (2.0, 6.0), (-0.33, 1.0)
BELOW_DB = 25  # of the loudest frames: no speech
JOINED_S = 0.3


class Conversation(NamedTuple):
    """A waveform [S] and its (start_s, end_s, speaker)."""

    wav: np.ndarray
    turns: list


def make_conversation(files, rng, n_speakers, duration_s, snr_db):
    """Speakers drawn from a dict of files by speaker, talking in turns."""
    voices = rng.choice(sorted(files), n_speakers, replace=False)
    gains = dict(zip(voices, 10 ** (rng.uniform(-4, 4, n_speakers) / 20)))
    parts, turns, n_samples, last = [], [], 0, None
    while n_samples < duration_s * RATE_HZ:
        pause = np.zeros(int(max(0, rng.uniform(*PAUSE_S)) * RATE_HZ))
        others = [voice for voice in voices if voice != last]
        last = rng.choice(others or voices)
        turn, speech = make_turn(files[last], rng)
        begin_s = (n_samples + len(pause)) / RATE_HZ
        turns += [(begin_s + a, begin_s + b, str(last)) for a, b in speech]
        parts += [pause, gains[last] * turn]
        n_samples += len(pause) + len(turn)
    wav = np.concatenate(parts)
    noise = rng.standard_normal(len(wav)) * 10 ** (-snr_db / 20)
    wav += noise * np.sqrt(np.mean(wav**2))
    return Conversation(0.5 * wav / np.abs(wav).max(), turns)


def make_turn(files, rng):
    """Utterances of one speaker in a row, and where in them is speech."""
    wanted = FRAME * round(rng.uniform(*TURN_S) * RATE_HZ / FRAME)
    parts, n_samples = [], 0
    while n_samples < wanted:
        wav, rate = soundfile.read(rng.choice(files))
        assert rate == RATE_HZ
        loud = np.flatnonzero(loud_frames(wav))
        parts.append(wav[loud[0] * FRAME : (loud[-1] + 1) * FRAME])
        parts[-1] = parts[-1] / (np.std(parts[-1]) + 1e-9)
        n_samples += len(parts[-1])
    turn = np.concatenate(parts)[:wanted]
    return turn, speech_of(loud_frames(turn))


def loud_frames(wav):
    """Which frames are near the loudest in level."""
    frames = wav[: len(wav) // FRAME * FRAME].reshape(-1, FRAME)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return levels > np.quantile(levels, 0.95) - BELOW_DB


def speech_of(loud):
    """Start and end in seconds of each stretch of loud frames."""
    frame_s = FRAME / RATE_HZ
    found = []
    for frame in np.flatnonzero(loud):
        start, end = frame * frame_s, (frame + 1) * frame_s
        if found and start - found[-1][1] < JOINED_S:
            found[-1][1] = end
        else:
            found.append([start, end])
    return found
