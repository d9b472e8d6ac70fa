"""A process that writes to a gallery, for others to meet or to kill.

``gallery_writer.py <file> <name> <first> <n_changes> <rows> <pause>``
adds rows in each change, saying ``begun`` and ``done``; with a pause it
stops for good in the midst of the first change.
"""

import sys
import time

import numpy as np

from speechbrain_moe.inference.gallery_changes import add_recordings

EMB_DIM = 192


def rows_of(name, change, n_rows, pause):
    for i in range(n_rows):
        key = f"{change}-{i}"
        embedding = np.full(EMB_DIM, change, dtype=np.float32)
        yield name or f"voice {change}", f"{key}.wav", key, embedding
    if pause:
        print("midst", flush=True)
        time.sleep(600)


def main(file, name, first, n_changes, n_rows, pause):
    first = int(first)
    print("begun", flush=True)
    for change in range(first, first + int(n_changes)):
        rows = rows_of(name, change, int(n_rows), pause == "pause")
        add_recordings(file, "key", rows)
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
