"""Enrol two people in a folder, and ask whose voice a recording is.

 * ``python gallery.py <gallery> <ann.wav> <bob.wav> <test.wav> [<model>]``:
   the folder to keep voices in, a recording of each, the one to identify
 * the model is the weights that ship, unless another is given
 * the folder stays: the command line and the page can use it too

Authors
 * The speechbrain_moe developers 2026
"""

# %% A model, and a folder of voices that it makes or finds.
import sys

from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.shipped import open_recognition

folder, ann, bob, test, *model = sys.argv[1:]
recognition = open_recognition(*model)
gallery = Gallery(folder)

# %% Several recordings make a better voice: give a list, or enrol again.
gallery.enrol(recognition, "Ann", [ann])
gallery.enrol(recognition, "Bob", [bob])
print("enrolled:", ", ".join(gallery.names()))

# %% A name, "unknown", or None with the reason.
found = gallery.identify(recognition, test, threshold="eer", prior=0.5)
print(f"{test}: {found.name or 'no decision, ' + found.reason}")
for name, score in found.scores.items():
    print(f"  {name}: cosine {score:.3f}, wanted {found.threshold}")
if found.probability is not None:
    print(f"  the nearest is the speaker at {100 * found.probability:.1f} %")

# %% Embeddings for other programs; then the gallery forgets Bob, who is still
# in the file of before.
gallery.export(f"{folder}/voices.csv")
gallery.delete("Bob")
