"""Voices that no training heard, out of Debian's packages.

 * human voices of games, language tutors and telephone prompts, listed in
   generalisation_voices.csv with language and licence
 * left out, by their notes or where CAM++ hears it: synthesised or changed
   voices (all of Hedgewars), folders with two speakers, second folders of a
   person; what it merely finds hard stays in
 * packages are downloaded and unpacked into a folder, never installed
 * words are short: silence is cut off their ends, then they are joined, in a
   seeded order and with 0.1 s between them, until there are 3 s; what is
   longer than 6 s is cut
 * no recording is in two utterances; at most ten utterances a voice

Authors
 * The speechbrain_moe developers 2026
"""

import re
import shutil
import subprocess
import zlib
from pathlib import Path

import av
import numpy as np
import pandas as pd
from generalisation_copies import RATE, write_flac
from tqdm import tqdm

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.trial_design import make_trials
from speechbrain_moe.scoring.trials import Trials

LIST = Path(__file__).with_suffix(".csv")
SHORTEST_S, LONGEST_S, GAP_S = 3.0, 6.0, 0.1
MIN_UTTERANCES, MAX_UTTERANCES = 6, 10
FRAME = RATE // 100
SPEECH_RANGE_DB = 40  # quieter than the loudest frame by this is silence
MIN_FRAMES = 15
N_TRIALS = 4000  # of each class, as far as there are as many


def unpack(package, folder):
    """Download a package of Debian and unpack it, if that is not done.

    Arguments
    ---------
    package : str
        Its name.
    folder : Path
        Where packages go.

    Returns
    -------
    Path
        The unpacked package.

    Raises
    ------
    InputError
        If it cannot be had; says what to do.
    """
    target, aside = folder / package, folder / f".{package}"
    if target.is_dir():
        return target
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    run(["apt-get", "download", package], aside)
    run(["dpkg", "-x", next(aside.glob("*.deb")).name, "."], aside)
    aside.rename(target)
    return target


def run(command, folder):
    """Run a command of Debian's in a folder, or say why it failed."""
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        raise InputError(
            f"{' '.join(command)} failed: {said.decode().strip()}; it takes "
            "Debian 12 or a kin of it, after apt-get update"
        ) from error


def version_of(folder):
    """Version of an unpacked package, out of its file's name."""
    return next(folder.glob("*.deb")).name.split("_")[1].replace("%3a", ":")


def recordings(voice, folder):
    """Files of a voice, in an order that its name seeds."""
    root = folder / voice.package / "usr" / "share"
    paths = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*"))
    found = [root / p for p in paths if re.fullmatch(voice.files, p)]
    rng = np.random.default_rng(zlib.crc32(voice.voice.encode()))
    return [found[i] for i in rng.permutation(len(found))]


def read_any(path):
    """A recording of any kind as a waveform [S], 16 kHz."""
    form = "g722" if path.suffix == ".g722" else None
    resampler = av.AudioResampler("flt", "mono", RATE)
    # a few files carry names that are no UTF-8
    given = {"format": form, "metadata_errors": "replace"}
    with av.open(str(path), **given) as container:
        frames = [*container.decode(audio=0), None]
        parts = [p for frame in frames for p in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def trim(wav):
    """A waveform without the silence at its ends; empty if too short."""
    n_frames = len(wav) // FRAME
    power = np.square(wav[: n_frames * FRAME]).reshape(-1, FRAME).mean(1)
    limit = power.max(initial=0) * 10 ** (-SPEECH_RANGE_DB / 10)
    loud = np.flatnonzero(power > limit)
    if len(loud) < MIN_FRAMES:
        return wav[:0]
    start = max(0, loud[0] - 5)
    return wav[start * FRAME : (loud[-1] + 6) * FRAME]


def join(wavs):
    """Yield utterances of 3 to 6 s, made of one or more waveforms."""
    gap = np.zeros(int(GAP_S * RATE), dtype=np.float32)
    utterance = gap[:0]
    for wav in wavs:
        if len(wav):
            utterance = np.concatenate([utterance, gap, wav])
        if len(utterance) - len(gap) >= SHORTEST_S * RATE:
            yield utterance[len(gap) :][: int(LONGEST_S * RATE)]
            utterance = gap[:0]


def write_voice(voice, packages, folder):
    """Write the utterances of one voice; give a row for each."""
    rows = []
    wavs = (trim(read_any(path)) for path in recordings(voice, packages))
    for i, utterance in enumerate(join(wavs)):
        if i == MAX_UTTERANCES:
            break
        path = f"{voice.voice}/{i:02d}.flac"
        write_flac(folder / path, utterance)
        rows.append({"path": path, "duration_s": len(utterance) / RATE})
    if len(rows) < MIN_UTTERANCES:
        raise InputError(
            f"{voice.package}: {len(rows)} utterances of {voice.voice}, "
            f"wanted {MIN_UTTERANCES}; take the versions of Debian 12"
        )
    return [{**row, **voice._asdict()} for row in rows]


def make_voices(cache):
    """Make the utterances of all voices, if that is not done.

    Arguments
    ---------
    cache : Path
        Packages and utterances go here.

    Returns
    -------
    folder : Path
        Its name tells the list apart; utterances are in it.
    utterances : pandas.DataFrame
        path, duration_s, and the columns of the list.
    """
    key = f"{zlib.crc32(LIST.read_bytes()):08x}"
    # MixNoise of training/augment.py takes what is in "speech" for talkers
    folder, index = cache / key / "speech", cache / key / "utterances.csv"
    if not index.exists():
        voices = list(pd.read_csv(LIST).itertuples(index=False))
        packages = cache / "packages"
        names = sorted({voice.package for voice in voices})
        for name in tqdm(names, desc="packages", disable=None):
            unpack(name, packages)
        rows = []
        for voice in tqdm(voices, desc="voices", disable=None):
            rows += write_voice(voice, packages, folder)
        table = pd.DataFrame(rows)
        table["version"] = table.package.map(
            {name: version_of(packages / name) for name in names}
        )
        write_whole(index, lambda aside: table.to_csv(aside, index=False))
    return folder, pd.read_csv(index)


def within_families(utterances):
    """Trials whose nontargets are of one family: one maker, one style."""
    return make_trials(
        utterances.path, utterances.person, N_TRIALS, groups=utterances.family
    )


def across_families(utterances):
    """The same targets; nontargets between families."""
    trials = make_trials(utterances.path, utterances.person, N_TRIALS)
    family = dict(zip(utterances.path, utterances.family))
    kept = [
        i
        for i, (label, *sides) in enumerate(zip(*trials))
        if label or family[sides[0]] != family[sides[1]]
    ]
    return Trials(
        trials.labels[kept], *([side[i] for i in kept] for side in trials[1:])
    )
