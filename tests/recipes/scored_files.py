"""Made-up embeddings of speakers, as the scoring chain reads them."""

import numpy as np

from speechbrain_moe.inference.file_embeddings import FileEmbeddings
from speechbrain_moe.scoring.trials import Trials


def made_up(speakers, n_utterances, seed=0, spread=0.6):
    """Files of speakers; short ones are noisier."""
    rng = np.random.default_rng(seed)
    paths, rows, durations = [], [], []
    for speaker in speakers:
        centre = rng.normal(size=16)
        for j in range(n_utterances):
            duration_s = rng.uniform(1, 8)
            noise = spread * rng.normal(size=16) * (4 / duration_s) ** 0.5
            paths.append(f"{speaker}/s01/{j}.wav")
            rows.append(centre + noise)
            durations.append(duration_s)
    quality = {
        "duration_s": np.array(durations),
        "magnitude": rng.uniform(5, 9, len(paths)),
        "entropy": rng.uniform(0.1, 0.7, len(paths)),
        "agreement": np.ones(len(paths)),
    }
    return FileEmbeddings(paths, np.float32(rows), quality, {})


def all_pairs(paths):
    """Every pair of files, targets where the speaker is the same."""
    pairs = [(a, b) for i, a in enumerate(paths) for b in paths[i + 1 :]]
    labels = [int(a.split("/")[0] == b.split("/")[0]) for a, b in pairs]
    return Trials(np.array(labels), *(list(side) for side in zip(*pairs)))
