"""Choose a threshold by trials of your own and by what errors cost you.

 * ``python threshold.py <trials.txt> <audio> <scores.png> [<model>]``: lines
   ``label enrol test`` with 1 for one speaker, and the folder of the files
 * speakers count, not files: take many, with the microphones you will meet
 * the rates printed flatter: measure on other speakers what you chose here

Authors
 * The speechbrain_moe developers 2026
"""

# %% Where they are, and a model: the weights that ship, or another.
import sys
from pathlib import Path

import numpy as np

from speechbrain_moe.inference.shipped import open_recognition
from speechbrain_moe.report.score_histogram import plot_scores
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.thresholds import decision_thresholds
from speechbrain_moe.scoring.trials import read_trials, trial_scores

trial_list, audio, picture, *model = sys.argv[1:]
recognition = open_recognition(*model)

# %% A cosine for each trial; each file is embedded once.
trials = read_trials(trial_list)
files = sorted({*trials.enrol, *trials.test})
embeddings = recognition.encode_files([Path(audio) / file for file in files])
labels, scores = trials.labels, trial_scores(embeddings, files, trials)
print(f"EER: {equal_error_rate(labels, scores).eer:.2f} %")

# %% By name, as a package carries them; None where errors are too few.
for name, found in decision_thresholds(labels, scores).items():
    print(f"{name}: {found.value}  {found.reason or ''}")

# %% By cost: half of those who ask are who they say, and to let a stranger in
# costs ten times what turning somebody away does.
chosen = min_dcf(labels, scores, p_target=0.5, c_miss=1, c_fa=10).threshold
misses = np.mean(scores[labels == 1] < chosen)
false_alarms = np.mean(scores[labels == 0] >= chosen)
print(f"chosen: {chosen:.3f}, {misses:.1%} misses, {false_alarms:.1%} let in")
plot_scores(labels, scores, picture, threshold=chosen, title=trial_list)

# %% A number stands wherever the name of a threshold does.
print(f"speechbrain-moe verify a.wav b.wav --threshold {chosen:.3f}")
