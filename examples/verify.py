"""Compare two recordings, and read what the answer rests on.

 * ``python verify.py <a.wav> <b.wav> [<model>]``
 * the model is the weights that ship, unless another is given
 * "no decision" is an answer too, and comes with its reason

Authors
 * The speechbrain_moe developers 2026
"""

# %% A model: a package's folder, a training's, or a Hub id.
import sys

import numpy as np

from speechbrain_moe.inference.shipped import open_recognition

first, second, *model = sys.argv[1:]
recognition = open_recognition(*model)

# %% The answer, if before hearing them one speaker is as likely as two.
decision = recognition.verify(first, second, threshold="eer", prior=0.5)
answers = {True: "same speaker", False: "different speakers", None: "none"}
print(f"decision: {answers[decision.same_speaker]}")
if decision.reason is not None:
    print(f"  {decision.reason}")

# %% The numbers. A package without a calibration has the cosine alone.
for name in ("score", "threshold", "llr", "probability"):
    value = getattr(decision, name)
    print(f"  {name}: {'-' if value is None else f'{value:.3f}'}")

# %% What was heard of each, and what speaks against deciding by it.
voices = [*decision.enrol, decision.test]
for voice in voices:
    quality, faults = voice.quality, "; ".join(voice.faults.values())
    seconds = f"{quality.voiced_s:.1f} of {quality.duration_s:.1f} s voiced"
    print(f"{voice.path}: {seconds}; {faults or 'nothing against it'}")

# %% The route: the weight of each expert in each embedding. It tells what the
# gate took a recording for, not whether the voices are one.
routes = {v.path: v.experts for v in voices if v.experts is not None}
for path, route in routes.items():
    print(f"{path}: experts {', '.join(f'{share:.0%}' for share in route)}")
if len(routes) == 2:
    shared = np.minimum(*routes.values()).sum()
    print(f"the routes have {shared:.0%} in common")
