#!/usr/bin/env python3
"""Error rates on voices, languages and channels that no training heard.

    python benchmarks/generalisation.py <speech pack> --models <folder> ... \
        --peers <folder> --cache <folder>

 * human voices out of Debian's packages (generalisation_voices.py), and
   spoilt copies of the small speech pack's test list
   (generalisation_copies.py)
 * models are exported packages or training folders; Resemblyzer and CAM++
   stand beside them when their folder is given (peers.py)
 * cosine scores, EER in % with 95 % intervals over speakers, the same draws
   for all systems
 * sounds and embeddings are kept in the cache: a killed run goes on, and
   another model costs its own embeddings alone
 * these sets are for reports: choosing a model by them would spoil them

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from generalisation_copies import (
    RATE,
    copy_name,
    list_babble,
    ways_to_spoil,
    write_copies,
)
from generalisation_voices import (
    across_families,
    make_voices,
    within_families,
)
from peers import System, load_peers
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.scoring.intervals import percentiles
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.speaker_draws import resample_metric
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import Trials, read_trials, trial_scores

N_RESAMPLES, LEVEL, SEED = 1000, 0.95, 0
PER_SAVE = 200  # embeddings
MIN_PEOPLE = 5  # for a row of one family's own


class CheckSet(NamedTuple):
    """Trials, where their sounds are, and the speaker of each sound."""

    name: str
    folder: Path
    trials: Trials
    speaker: dict


def load_model(folder):
    """An exported package or a training folder as a system."""
    encoder = load_encoder(folder)
    key = 0
    for module in encoder.mods.values():
        for tensor in module.state_dict().values():
            key = zlib.crc32(tensor.numpy().tobytes(), key)

    @torch.inference_mode()
    def embed(wav):
        return encoder.encode_batch(wav.unsqueeze(0)).flatten().numpy()

    name = "/".join(Path(folder).resolve().parts[-2:])
    return System(name, f"{key:08x}", embed)


def select(trials, kept):
    """Those trials of a list whose place is kept."""
    sides = ([side[i] for i in kept] for side in trials[1:])
    return Trials(trials.labels[kept], *sides)


def voice_sets(folder, utterances):
    """The voices of the packages: across families, within, within each."""
    person = dict(zip(utterances.path, utterances.person))
    family = dict(zip(utterances.path, utterances.family))
    across, within = across_families(utterances), within_families(utterances)
    yield CheckSet("voices, other families", folder, across, person)
    yield CheckSet("voices, own family", folder, within, person)
    families = np.array([family[path] for path in within.enrol])
    n_people = utterances.groupby("family").person.nunique()
    for name in n_people[n_people >= MIN_PEOPLE].index:
        trials = select(within, np.flatnonzero(families == name))
        yield CheckSet(f"voices, {name}", folder, trials, person)


def copy_sets(title, list_file, source, cache, ways):
    """A trial list, its sounds as recorded and spoilt."""
    trials = read_trials(list_file)
    paths = sorted({*trials.enrol, *trials.test})
    speaker = dict(zip(map(copy_name, paths), speakers_of(paths)))
    sides = ([*map(copy_name, side)] for side in trials[1:])
    trials = Trials(trials.labels, *sides)
    for name, spoil in ways.items():
        folder = cache / "".join(c if c.isalnum() else "_" for c in name)
        write_copies(source, folder, paths, spoil, name)
        yield CheckSet(f"{title}, {name}", folder, trials, speaker)


def embed_paths(system, folder, paths, store):
    """Embeddings [U, D] of files, kept in an npz file on the way."""
    rows = {}
    if store.is_file():
        with np.load(store) as kept:
            rows = dict(zip(kept["paths"].tolist(), kept["embeddings"]))

    def save():
        arrays = {"paths": [*rows], "embeddings": np.stack([*rows.values()])}
        write_whole(store, lambda aside: np.savez(aside, **arrays))

    todo = [path for path in paths if path not in rows]
    desc = f"{system.name}, {folder.name}"
    for path in tqdm(todo, desc=desc, unit="file", disable=None):
        rows[path] = system.embed(read_audio(folder / path, RATE))
        if len(rows) % PER_SAVE == 0:
            save()
    if todo:
        save()
    return np.stack([rows[path] for path in paths])


def score(check, system, cache):
    """Cosines of the trials of a set."""
    paths = sorted({*check.trials.enrol, *check.trials.test})
    place = "_".join(check.folder.relative_to(cache).parts)
    store = cache / "embeddings" / system.key / f"{place}.npz"
    embeddings = embed_paths(system, check.folder, paths, store)
    return trial_scores(embeddings, paths, check.trials)


def eer(labels, scores, weights):
    """EER in %, of weighted trials."""
    return equal_error_rate(labels, scores, weights).eer


def row(check, systems, cache):
    """A line of the table."""
    trials = check.trials
    sides = [[check.speaker[path] for path in side] for side in trials[1:]]
    scores = [score(check, system, cache) for system in systems]
    estimates, draws = resample_metric(
        eer, trials.labels, scores, *sides, N_RESAMPLES, SEED
    )
    ranges = [percentiles(column, LEVEL) for column in draws.T]
    n_targets = int(trials.labels.sum())
    counts = [len({*sides[0], *sides[1]}), n_targets]
    counts.append(len(trials.labels) - n_targets)
    cells = [check.name, *map(str, counts)]
    for value, (low, high) in zip(estimates, ranges):
        cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]")
    return "| " + " | ".join(cells) + " |"


def sources(utterances):
    """A line that says what the voices are, and a line a package."""
    yield (
        f"{utterances.voice.nunique()} voices of "
        f"{utterances.person.nunique()} people in "
        f"{utterances.language.nunique()} languages, {len(utterances)} "
        f"utterances of {utterances.duration_s.mean():.1f} s on average:\n"
    )
    for name, rows in utterances.groupby("package"):
        languages = ", ".join(sorted({*rows.language}))
        yield (
            f" * {name} {rows.version.iloc[0]} ({rows.licence.iloc[0]}): "
            f"{rows.voice.nunique()} voices; {languages}"
        )


def table(pack, models, peers, cache):
    """Lines of the report."""
    folder, utterances = make_voices(cache)
    babble = list_babble(folder.parent / "babble.csv", folder, utterances)
    copies = cache / f"copies-{folder.parent.name}"
    systems = [load_model(model) for model in models]
    systems += load_peers(peers) if peers else []
    names = [system.name for system in systems]
    heads = ["EER %", "speakers", "target", "nontarget", *names]
    yield "| " + " | ".join(heads) + " |"
    yield "| --- " * len(heads) + "|"
    for check in voice_sets(folder, utterances):
        yield row(check, systems, cache)
    ways = ways_to_spoil(copies, babble)
    test = ("test list", pack / "meta" / "veri_test.txt", pack / "test")
    for check in copy_sets(*test, copies, ways):
        yield row(check, systems, cache)
    yield ""
    yield from sources(utterances)


def main(args=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="the small speech pack")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--peers", type=Path, help="folder, see peers.py")
    parser.add_argument("--cache", type=Path, required=True)
    given = parser.parse_args(args)
    torch.set_num_threads(1)
    cache = given.cache.resolve()
    lines = []
    try:
        for line in table(given.pack, given.models, given.peers, cache):
            print(line, flush=True)
            lines.append(line + "\n")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_whole(cache / "generalisation.md", "".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
