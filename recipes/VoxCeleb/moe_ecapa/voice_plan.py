"""Who speaks in the synthetic corpus, what they say, and where.

 * Variants and texts of the test voices never occur in dev, and no two
   utterances of one voice share a text.
 * Pitch overlaps between voices and moves within each; what tells voices
   apart is variant, formants, spectral tilt, breath and accent.
 * Room, noise and level are drawn per utterance, from the number of the voice
   alone: `draw_utterances` is never told how the voice sounds.
 * Everything is drawn before anything is said, so that a plan can be compared
   with what an earlier run made.

Authors
 * The speechbrain_moe developers 2026
"""

import math
from pathlib import Path

import numpy as np
import speak

N_ROOMS = 5
TEXTS_PER_PART = 240
FIRST_ID = {"dev": 10001, "test": 20001}
# "en" is British; eSpeak refuses "en-gb" as the first voice of a process.
ACCENTS = (
    "en-us en en-gb-scotland en-gb-x-rp en-029 en-gb-x-gbclan "
    "en-gb-x-gbcwmd en-us-nyc"
).split()
# In the last list the even places are for dev's sentences, the odd for test's.
WORDS = [
    words.split()
    for words in (
        "the that this one my your his her our their some every",
        "old quiet young clever tired happy famous lonely proud gentle busy",
        "farmer teacher sailor doctor painter neighbour lawyer singer baker "
        "captain student driver writer hunter gardener",
        "carried found sold wanted painted moved counted borrowed lost bought "
        "repaired followed measured watched remembered",
        "two three four five six seven eight nine ten twelve fifty ninety",
        "wooden yellow heavy broken cheap silver frozen purple narrow foreign",
        "boxes horses letters bottles chairs tickets windows engines pictures "
        "blankets baskets hammers pillows cookies",
        "near behind beyond beside around under above below",
        "home town school church work court paris oslo rome dublin jail "
        "boston port deck london shore",
    )
]
# "fast" is byte-equal to the plain voice, and whispers have no pitch.
NOT_VOICES = (*speak.BABBLERS, "fast", "whisper", "whisperf")


def list_variants():
    """The voice variants of the installed eSpeak NG, with their pitch.

    Returns
    -------
    dict
        Variant name to natural pitch in Hz, sorted by name.

    Example
    -------
    >>> list_variants()["m3"]
    101.0
    """
    folder = Path(speak.espeak_loader().get_data_path()) / "voices" / "!v"
    natural_hz = {}
    for file in sorted(folder.iterdir()):
        if file.name not in NOT_VOICES:
            text = file.read_text(encoding="utf-8", errors="replace")
            lines = [line.split() for line in text.splitlines()]
            low, high = next(
                (line[1:3] for line in lines if line[:1] == ["pitch"]),
                (82, 118),  # eSpeak's own
            )
            natural_hz[file.name] = (float(low) + float(high)) / 2
    return natural_hz


def sentence(index):
    """The sentence with that number; neighbours differ in their last word.

    Arguments
    ---------
    index : int
        From 0; even numbers are for dev, odd ones for test.

    Returns
    -------
    str

    Example
    -------
    >>> sentence(1)
    'the old farmer carried two wooden boxes near town'
    """
    words = []
    for choices in reversed(WORDS):
        index, choice = divmod(index, len(choices))
        words.append(choices[choice])
    return " ".join(reversed(words))


def draw_voices(part, n_voices, seed):
    """Draw how each voice of one part sounds.

    Arguments
    ---------
    part : str
        "dev" or "test"; a quarter of the variants belongs to test.
    n_voices : int
        The first voices stay the same when more are asked for.
    seed : int

    Returns
    -------
    list of dict
        spk_id, gender ("f" or "m", by register), and what `speak.say` reads.
    """
    natural_hz = list_variants()
    names = np.random.default_rng([seed, 0]).permutation(list(natural_hz))
    n_test = len(names) // 4
    names = names[:n_test] if part == "test" else names[n_test:]
    rng = np.random.default_rng([seed, 1, FIRST_ID[part]])
    voices = []
    for index in range(n_voices):
        variant = str(names[index % len(names)])
        is_high = natural_hz[variant] > 140
        voices.append(
            {
                "spk_id": f"id{FIRST_ID[part] + index}",
                "gender": "f" if is_high else "m",
                "accent": str(rng.choice(ACCENTS)),
                "variant": variant,
                "natural_hz": natural_hz[variant],
                "f0_hz": (195 if is_high else 112) * 2 ** rng.normal(0, 0.15),
                "pitch_range": rng.uniform(30, 80),
                "rate_wpm": rng.uniform(150, 190),
                "formant_scale": rng.uniform(0.88, 1.14),
                "tilt_db": rng.uniform(-2, 2),
                "breath_db": rng.uniform(-45, -20),
            }
        )
    return voices


def draw_utterances(part, number, n_utterances, seed):
    """Draw texts and conditions of one voice without knowing the voice.

    Arguments
    ---------
    part : str
        "dev" or "test".
    number : int
        Of the voice within its part, from 0.
    n_utterances : int
    seed : int

    Returns
    -------
    list of dict
        path below the folder of the part, text_id, session, room_id, noise,
        snr_db, level_db, pitch_ratio, rate_ratio. Rooms come equally often.
    """
    rng = np.random.default_rng([seed, 2, FIRST_ID[part]])
    n_texts = max(TEXTS_PER_PART, n_utterances)
    n_pairs = math.prod(map(len, WORDS)) // 2
    texts = 2 * rng.choice(n_pairs, n_texts, replace=False) + (part == "test")
    rng = np.random.default_rng([seed, 3, FIRST_ID[part] + number])
    texts = rng.choice(texts, n_utterances, replace=False)
    rooms = rng.permutation(np.arange(n_utterances) % N_ROOMS)
    spk_id = f"id{FIRST_ID[part] + number}"
    return [
        {
            "path": f"{spk_id}/room{room}/{index:05d}.wav",
            "text_id": int(text),
            "session": f"room{room}",
            "room_id": int(room),
            "noise": str(rng.choice(list(speak.NOISES))),
            "snr_db": round(rng.uniform(10, 30), 2),
            "level_db": round(rng.uniform(-29, -25), 2),
            "pitch_ratio": 2 ** rng.uniform(-0.2, 0.2),
            "rate_ratio": 2 ** rng.uniform(-0.15, 0.15),
        }
        for index, (text, room) in enumerate(zip(texts, rooms))
    ]
