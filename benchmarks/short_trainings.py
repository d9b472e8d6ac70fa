"""Trainings of the recipe in processes of their own, and what they differ by.

Authors
 * The speechbrain_moe developers 2026
"""

import os
import subprocess
import sys
from pathlib import Path

from scipy import stats

RECIPE = Path(__file__).parents[1] / "recipes" / "VoxCeleb" / "moe_ecapa"


def train(hparams_file, folder, **keys):
    """Train on one thread, or go on; what it says is added to said.txt.

    Arguments
    ---------
    hparams_file : str
        Name of a yaml file of the recipe.
    folder : Path
        Its output_folder.
    **keys
        Overrides.

    Raises
    ------
    subprocess.CalledProcessError
        If it ends with an error.
    """
    command = [sys.executable, "train.py", f"hparams/{hparams_file}"]
    for key, value in {**keys, "output_folder": folder}.items():
        command += [f"--{key}", str(value)]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "said.txt", "a", encoding="utf-8") as said:
        subprocess.run(
            command,
            cwd=RECIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=said,
            stderr=said,
            check=True,
        )


def with_interval(less):
    """Mean of differences, one a seed, with its 95 % interval of Student's t.

    Example
    -------
    >>> import numpy as np
    >>> with_interval(np.array([-2.0, -1.0]))
    '-1.50 % of dev EER [-7.85, +4.85], 2 seeds'
    """
    text = f"{less.mean():+.2f} % of dev EER"
    if len(less) > 1:
        half = stats.t.ppf(0.975, len(less) - 1) * stats.sem(less)
        low, high = less.mean() - half, less.mean() + half
        text += f" [{low:+.2f}, {high:+.2f}], {len(less)} seeds"
    return text
