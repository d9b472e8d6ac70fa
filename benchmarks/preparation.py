#!/usr/bin/env python3
"""What preparation takes at the size of VoxCeleb1 and 2, and why so.

    python benchmarks/preparation.py [--folder <on the disk to measure>]

 * the tree is simulated: hard links to a few files of 8 s, with the speakers
   and utterances that VoxCeleb1 and VoxCeleb2 dev have
 * it is prepared in a process of its own, whose memory is measured, and its
   workers', which stand beside it
 * reading headers is compared with reading whole signals, and processes with
   threads, turn by turn on samples; so are the decoders of m4a
 * all in the page cache: a slower disk adds its own time

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

RECIPE = Path(__file__).parents[1] / "recipes" / "VoxCeleb" / "moe_ecapa"
sys.path.insert(0, str(RECIPE))

import voxceleb_decode  # noqa: E402
import voxceleb_headers  # noqa: E402
import voxceleb_scan  # noqa: E402
from voxceleb_counts import KNOWN  # noqa: E402
from voxceleb_prepare import prepare_voxceleb  # noqa: E402

CORPORA = [  # folder, suffix, number of the first speaker, known numbers
    ("vox1/dev/wav", "wav", 10001, *KNOWN["VoxCeleb1 dev"]),
    ("vox1/test/wav", "wav", 10270, *KNOWN["VoxCeleb1 test"]),
    ("vox2/dev/flac", "flac", 1, KNOWN["VoxCeleb2"][1]),
]
TESTED = range(10270, 10310)  # numbers of VoxCeleb1's test speakers
DURATION_S = 8.0  # VoxCeleb's mean
N_SOURCES = 24  # of each format; a file has 65 000 names at most on ext4
PER_SESSION = 8


def make_tree(folder, share):
    """A share of each speaker's utterances, in CORPORA's layout."""
    rng = np.random.default_rng(0)
    (folder / "sources").mkdir(parents=True)
    for suffix in ("wav", "flac"):
        for number in range(N_SOURCES):
            wav = 0.01 * rng.normal(size=int(DURATION_S * 16000))
            path = folder / "sources" / f"{number}.{suffix}"
            soundfile.write(path, wav, 16000)
    for below, suffix, first, (n_speakers, n_utts) in CORPORA:
        numbers = range(first, first + n_speakers)
        if first == 10001:  # the test speakers' numbers are among these
            numbers = [n for n in range(10001, 11252) if n not in TESTED]
        sizes = np.full(n_speakers, n_utts // n_speakers)
        sizes[: n_utts % n_speakers] += 1
        for number, size in zip(numbers, sizes):
            speaker = folder / "tree" / below / f"id{number:05d}"
            link_speaker(folder, speaker, suffix, max(2, int(size * share)))
    rows = [f"1 id{n}/v0000/00000.wav id{n}/v0000/00001.wav" for n in TESTED]
    (folder / "veri_test2.txt").write_text("\n".join(rows))


def link_speaker(folder, speaker, suffix, n_utts):
    """Fill one speaker's folder."""
    for utt in range(n_utts):
        session = speaker / f"v{utt // PER_SESSION:04d}"
        if utt % PER_SESSION == 0:
            session.mkdir(parents=True)
        source = hash((speaker.name, utt // 2)) % N_SOURCES
        os.link(
            folder / "sources" / f"{source}.{suffix}",
            session / f"{utt % PER_SESSION:05d}.{suffix}",
        )


def prepare_here(folder):
    """Prepare twice; seconds of both, and peak MB."""
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        prepare_voxceleb(
            folder / "tree",
            folder / "save",
            trial_lists=[folder / "veri_test2.txt"],
        )
        times.append(time.perf_counter() - begin)
    own_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "first_s": times[0],
        "second_s": times[1],
        "own_mb": own_kb / 1024,
    }


def worker_mb(tree, files):
    """Peak MB of a worker with its share of files.

    Not by getrusage: that counts what the parent had at the fork, too.
    """
    code = (
        "import runpy, sys, pathlib; "
        f"runpy.run_path({voxceleb_headers.__file__!r}, run_name='__main__'); "
        "print(pathlib.Path('/proc/self/status').read_text(), file=sys.stderr)"
    )
    question = {"folder": str(tree), "files": files[-voxceleb_scan.CHUNK :]}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    peak_kb = done.stderr.split("VmHWM:")[1].split()[0]
    return int(peak_kb) / 1024


def report_scale(folder, files):
    """Print the table of the whole tree."""
    command = [sys.executable, __file__, "--one", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    print(f"| {len(files)} files | s | files a second |\n| --- | --- | --- |")
    for name, key in (("prepared", "first_s"), ("again", "second_s")):
        print(f"| {name} | {found[key]:.0f} | {len(files) / found[key]:.0f} |")
    each_mb = worker_mb(folder / "tree", files)
    print(
        f"\npeak memory: {found['own_mb']:.0f} MB, and {each_mb:.0f} MB for "
        f"each of {os.cpu_count()} workers",
        flush=True,
    )


def take_turns(ways, n_runs):
    """Median seconds of each way, run in turn."""
    found = {name: [] for name in ways}
    for _ in range(n_runs):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            found[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in found.items()}


def report_turns(title, ways, n_files, n_runs):
    """Print a table of ways, in units of the first."""
    middle = take_turns(ways, n_runs)
    first = next(iter(middle.values()))
    print(f"\n| {title} | files a second | times the first's |")
    print("| --- | --- | --- |")
    for name, seconds in middle.items():
        rate = n_files / seconds
        print(f"| {name} | {rate:.0f} | {first / seconds:.2f} |", flush=True)


def whole_signals(tree, files):
    """Read each file as SpeechBrain's VoxCeleb preparation does."""
    from speechbrain.dataio.dataio import read_audio

    for path, _ in files:
        _ = len(read_audio(str(tree / path))) / 16000


def report_headers(tree, files, n_runs):
    """Headers against whole signals, then how many at a time."""
    for suffix in (".wav", ".flac"):
        some = [file for file in files if file[0].endswith(suffix)][:2000]
        ways = {
            "whole signal": partial(whole_signals, tree, some),
            "header": partial(voxceleb_scan.headers, str(tree), some),
        }
        report_turns(f"2000 {suffix}, one process", ways, len(some), n_runs)
    many = files[:: max(1, len(files) // 100_000)]
    ways = {
        "one process": partial(voxceleb_scan.headers, str(tree), many),
        "8 threads": partial(by_threads, tree, many),
        "a process a core": partial(voxceleb_scan.read_headers, tree, many),
    }
    report_turns(f"headers of {len(many)}", ways, len(many), n_runs)


def by_threads(tree, files):
    """Read headers by threads."""
    chunks = [files[i : i + 256] for i in range(0, len(files), 256)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(voxceleb_scan.headers, str(tree)), chunks))


def report_decoders(folder, n_runs):
    """PyAV against ffmpeg, on one m4a of 8 s, 50 times."""
    path = folder / "sources" / "tone.m4a"
    source = folder / "sources" / "0.wav"
    command = ["ffmpeg", "-v", "error", "-i", str(source), str(path)]
    subprocess.run(command, check=True)
    ways = {
        name: lambda decode=decode: [
            decode(str(path), 16000) for _ in range(50)
        ]
        for name, decode in (
            ("ffmpeg", voxceleb_decode.decode_ffmpeg),
            ("PyAV", voxceleb_decode.decode_av),
        )
    }
    report_turns("50 m4a, one process", ways, 50, n_runs)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="default: a temporary one")
    parser.add_argument("--share", type=float, default=1.0, help="of the files")
    parser.add_argument("--n_runs", type=int, default=5)
    parser.add_argument("--decoders", action="store_true", help="needs ffmpeg")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(prepare_here(given.one)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        folder = Path(folder)
        make_tree(folder, given.share)
        files = voxceleb_scan.list_files(folder / "tree")
        report_scale(folder, files)
        report_headers(folder / "tree", files, given.n_runs)
        if given.decoders:
            report_decoders(folder, given.n_runs)


if __name__ == "__main__":
    main()
