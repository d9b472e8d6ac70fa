"""The pictures of a training, one function each.

 * ``python pictures.py <training> <list> <out>``: the training's folder, the
   folder that verify.py wrote for a trial list (such as
   <training>/veri_test), and where the pictures go
 * with ``<list>/routing.npz``, written by ``speechbrain-moe report --out
   <list>``, the routing heatmap too
 * where verify.py took the raw cosine alone, what that has

Authors
 * The speechbrain_moe developers 2026
"""

# %% What is read: text files that the recipe wrote, and arrays.
import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from speechbrain_moe.report.det import plot_det
from speechbrain_moe.report.load_curves import plot_load
from speechbrain_moe.report.routing_heatmap import plot_routing
from speechbrain_moe.report.score_histogram import plot_scores
from speechbrain_moe.report.speaker_map import plot_embeddings
from speechbrain_moe.report.subgroup_bars import plot_subgroups
from speechbrain_moe.scoring.metrics import det_curve
from speechbrain_moe.scoring.speakers import speakers_of

training, verified, out = (Path(folder) for folder in sys.argv[1:])
metrics = json.loads((verified / "metrics.json").read_text(encoding="utf-8"))
with open(verified / "scores.txt", encoding="utf-8") as file:
    first = file.readline().split()
has_names = first[0] == "#"  # not of the raw cosine alone
names = first[1:] if has_names else ["label", "enrol", "test", "cosine"]
plain = {"sep": " ", "skiprows": int(has_names), "quoting": csv.QUOTE_NONE}
scores = pd.read_csv(verified / "scores.txt", names=names, **plain)
steps = metrics.get("steps", {"cosine": {}})

# %% Misses against false alarms, of the raw cosine and after AS-norm.
curves = {
    name: det_curve(scores["label"], scores[step])
    for name, step in {"cosine": "cosine", "AS-norm": "as_norm"}.items()
    if step in scores
}
plot_det(curves, out / "det.png", title=metrics["list"])

# %% Both classes of scores. The threshold was learnt from other speakers.
learnt = steps["cosine"].get("thresholds", {"eer": {"value": None}})
plot_scores(
    scores["label"],
    scores["cosine"],
    out / "scores.png",
    threshold=learnt["eer"]["value"],
    title=metrics["list"],
)

# %% Groups of speakers. Each has an interval or is said to be too small.
last = [*steps.values()][-1]  # the step that they are of
groups = verified / "subgroups.csv"
if groups.exists():
    plot_subgroups(groups, out / "subgroups.png", overall=last["eer"])

# %% Every file of the list, as t-SNE lays it out.
shards = [np.load(path) for path in sorted(verified.glob("embeddings/*.npz"))]
if shards:
    embeddings = np.concatenate([shard["embeddings"] for shard in shards])
    paths = np.concatenate([shard["paths"] for shard in shards])
    plot_embeddings(embeddings, speakers_of(paths), out / "map.png")

# %% What the gate did during training.
plot_load(training / "train_log.txt", out / "load.png")

# %% Where each speaker's files go.
if (verified / "routing.npz").exists():
    with np.load(verified / "routing.npz") as routing:
        speakers = speakers_of(routing["paths"])
        plot_routing(routing["gate_probs"], speakers, out / "routing.png")
