"""Who spoke when, by name where the voice is known.

 * ``python meeting.py <meeting.wav> <gallery> [<model>]``: the gallery is the
   folder that ``speechbrain-moe enroll`` or gallery.py keeps voices in
 * needs ``pip install "speechbrain-moe[diarize]"``

Authors
 * The speechbrain_moe developers 2026
"""

# %% Stretches of speech, each with a speaker that has a number only.
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from speechbrain_moe.inference.diarization import diarize_file, write_rttm
from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.shipped import open_recognition

meeting, gallery, *model = sys.argv[1:]
recognition, gallery = open_recognition(*model), Gallery(gallery)
segments = diarize_file(recognition, meeting)

# %% All that a speaker said is one recording, which the gallery may know.
wav, rate = soundfile.read(meeting, always_2d=True)
names = {}
with tempfile.TemporaryDirectory() as folder:
    for speaker in sorted({segment.speaker for segment in segments}):
        said = [
            wav[round(start * rate) : round(end * rate)]
            for start, end, who in segments
            if who == speaker
        ]
        path = Path(folder) / f"{speaker}.wav"
        soundfile.write(path, np.concatenate(said), rate)
        found = gallery.identify(recognition, path)
        known = found.name not in (None, "unknown")
        names[speaker] = found.name if known else speaker

# %% The answer, and a file that tools for diarization read.
told = [
    segment._replace(speaker=names[segment.speaker]) for segment in segments
]
for start, end, name in told:
    print(f"{start:8.2f} - {end:8.2f} s  {name}")
write_rttm(Path(meeting).with_suffix(".named.rttm"), told, meeting)
