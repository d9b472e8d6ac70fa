#!/usr/bin/env python3
"""Who of N enrolled voices it is: time of an answer, and of what is around it.

    python benchmarks/gallery.py [--n_runs 50] [--sizes 1000 10000 100000]

 * from a gallery's file on; encoding the recording comes on top and does not
   depend on N
 * an answer is the look whether the file changed, one matrix product, the
   probability over all, the nearest ten and the decision
 * control: a loop in Python over a dict of embeddings, then sorted
 * index libraries, where installed (pip install faiss-cpu hnswlib): the
   nearest ten alone, without probability, and the time to build the index
 * embeddings are made up: speakers spread evenly, recordings of one at a
   cosine of about 0.7; runs of all kinds take turns, medians are printed
 * milliseconds are those of the processor, over all threads, so that other
   work on the machine counts little

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from speechbrain_moe.inference.gallery import mean_voices
from speechbrain_moe.inference.gallery_changes import add_recordings
from speechbrain_moe.inference.gallery_file import read_about, read_recordings
from speechbrain_moe.inference.identification import pick
from speechbrain_moe.inference.learnt import Learnt
from speechbrain_moe.inference.voices import Voice
from speechbrain_moe.scoring.calibration import Calibration

EMB_DIM, N_NEAREST, N_CHANGES = 192, 10, 5
LEARNT = Learnt(
    Calibration(("cosine",), (40.0,), -12.0),
    {"eer": {"value": 0.3, "reason": None}},
    "",
)


def unit_rows(rng, n):
    """Rows of length 1, float32."""
    rows = rng.normal(size=(n, EMB_DIM))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def make_data(file, n, n_queries):
    """Write a gallery of n voices; give recordings of its first ones."""
    rng = np.random.default_rng(0)
    enrolled = unit_rows(rng, n)
    enrol(file, enrolled)
    queries = enrolled[:n_queries] + unit_rows(rng, n_queries)
    return queries / np.linalg.norm(queries, axis=1, keepdims=True)


def enrol(file, rows, first=0):
    """Enrol a voice a row, called by its number."""
    numbered = enumerate(rows, first)
    rows = [(f"{i:07d}", f"{i}.wav", str(i), row) for i, row in numbered]
    add_recordings(file, "key", rows)


def load(file):
    """The voices as ``Gallery`` holds them."""
    return mean_voices(*read_recordings(file))


def build_gallery(file, voices):
    """What ``Gallery.identify`` does once it has the embedding."""

    def search(query):
        assert read_about(file)[1] == voices.state
        voice = Voice("a.wav", None, {}, query)
        enrolled = voices.names, voices.embeddings
        found = pick(*enrolled, voice, LEARNT, n_nearest=N_NEAREST)
        return int(next(iter(found.scores)))

    return search


def build_loop(voices):
    """A loop over a dict."""
    enrolled = dict(zip(voices.names, voices.embeddings))

    def search(query):
        scores = {name: float(row @ query) for name, row in enrolled.items()}
        return int(sorted(scores, key=scores.get, reverse=True)[:N_NEAREST][0])

    return search


def build_faiss(voices):
    """faiss's exact index."""
    import faiss

    index = faiss.IndexFlatIP(EMB_DIM)
    index.add(voices.embeddings)
    return lambda query: int(index.search(query[None], N_NEAREST)[1][0, 0])


def build_hnswlib(voices):
    """hnswlib's graph, which can miss a neighbour."""
    import hnswlib

    index = hnswlib.Index("ip", EMB_DIM)
    index.init_index(len(voices.names), ef_construction=200, M=16)
    index.add_items(voices.embeddings)
    index.set_ef(100)
    return lambda query: int(index.knn_query(query[None], N_NEAREST)[0][0, 0])


def timed(call, *given):
    """Milliseconds of a call, and what it returned."""
    begin = time.process_time()
    found = call(*given)
    return 1000 * (time.process_time() - begin), found


def builders(file):
    """What to measure, by name; index libraries where they are installed."""
    kinds = {"gallery": partial(build_gallery, file), "loop": build_loop}
    for name, build in (("faiss", build_faiss), ("hnswlib", build_hnswlib)):
        if importlib.util.find_spec(name):
            kinds[name] = build
    return kinds


def measure(n, n_runs):
    """Yield name, milliseconds, milliseconds to build, share found right."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gallery.sqlite"
        queries = make_data(file, n, n_runs)
        voices = load(file)
        built = {k: timed(b, voices) for k, b in builders(file).items()}
        runs = {kind: [] for kind in built}
        for query in queries:
            for kind, (_, search) in built.items():
                runs[kind].append(timed(search, query))
        for kind, found in runs.items():
            right = [nearest == i for i, (_, nearest) in enumerate(found)]
            middle = statistics.median(took for took, _ in found)
            yield kind, middle, built[kind][0], np.mean(right)
        yield from measure_changes(file, n)


def measure_changes(file, n):
    """Yield rows: reading all, and enrolling one more."""
    new = unit_rows(np.random.default_rng(1), N_CHANGES)
    loads, enrols = [], []
    for i, row in enumerate(new):
        loads.append(timed(load, file)[0])
        enrols.append(timed(enrol, file, [row], n + i)[0])
    yield "read the file", statistics.median(loads), None, None
    yield "enrol one more", statistics.median(enrols), None, None


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n_runs", type=int, default=50)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000]
    )
    given = parser.parse_args()
    print("| voices | what | ms | times the gallery's | build, ms | right, % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for n in given.sizes:
        rows = list(measure(n, given.n_runs))
        for name, took, build, right in rows:
            more = ["", "", ""]
            if build is not None:
                ratio = took / rows[0][1]
                more = [f"{ratio:.2f}", f"{build:.0f}", f"{100 * right:.0f}"]
            print(f"| {n} | {name} | {took:.2f} | {' | '.join(more)} |")


if __name__ == "__main__":
    main()
