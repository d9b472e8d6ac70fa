"""What a package says of itself: config, error rates, card, manifest.

 * error rates and calibration are those of the training's own folder, and
   only if they are of the checkpoint that was exported
 * config.json is small, for tools that look at nothing else
 * the manifest comes last, since it holds the hash of all others

Authors
 * The speechbrain_moe developers 2026
"""

import json
import re
from pathlib import Path

from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe import __version__
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.about import About
from speechbrain_moe.inference.card import write_card
from speechbrain_moe.inference.cost import count_cost
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.golden import GOLDEN_FILE, write_golden
from speechbrain_moe.inference.manifest import (
    CARD_FILE,
    MANIFEST_FILE,
    write_manifest,
)
from speechbrain_moe.inference.measured import (
    CALIBRATION_FILE,
    METRICS_FILE,
    find_measured,
)

CONFIG_FILE = "config.json"
FACT_FILES = (CARD_FILE, CONFIG_FILE, METRICS_FILE, CALIBRATION_FILE)
FACT_FILES = (*FACT_FILES, GOLDEN_FILE, MANIFEST_FILE)


def write_facts(experiment, experiment_folder, package, about, examples):
    """Write config, error rates, golden scores, card and manifest.

    Arguments
    ---------
    experiment : Experiment
        What was written.
    experiment_folder : str or Path
        Where its training and verification wrote.
    package : Path
        A folder with all of its other files.
    about : About or None
        What the maker says.
    examples : list of str
        Names of the example recordings.
    """
    hparams, about = experiment.hparams, about or About()
    # Settings in the form that verification hashes
    encoder = SpeakerRecognition(modules=hparams["modules"], hparams=hparams)
    measured = find_measured(experiment_folder, encoder_key(encoder))
    if measured.metrics:
        write_json(package / METRICS_FILE, measured.metrics)
    if measured.calibration:
        write_json(package / CALIBRATION_FILE, measured.calibration)
    config = small_config(hparams, about)
    write_json(package / CONFIG_FILE, config)
    write_card(package / CARD_FILE, config, about, measured, examples)
    write_golden(encoder, package, examples)
    training = {
        "commit": training_commit(experiment_folder),
        "checkpoint": experiment.checkpoint,
        **{key: experiment.meta.get(key) for key in ("epoch", "dev_eer")},
    }
    write_manifest(package, about.version, plain_values(hparams), training)


def write_json(path, content):
    """Write an object as readable JSON."""
    write_whole(path, json.dumps(content, indent=2) + "\n")


def plain_values(hparams):
    """Settings of a graph that are numbers, texts, or lists of them.

    Arguments
    ---------
    hparams : dict
        The graph built.

    Returns
    -------
    dict
        Those without objects.

    Example
    -------
    >>> plain_values({"n_experts": 2, "gate": object()})
    {'n_experts': 2}
    """
    plain = (int, float, str, bool, list, type(None))
    return {k: v for k, v in hparams.items() if isinstance(v, plain)}


def small_config(hparams, about):
    """What config.json holds.

    Arguments
    ---------
    hparams : dict
        The graph built and filled.
    about : About
        Says the version.

    Returns
    -------
    dict
        Type, versions, settings that matter to users, and parameters.
    """
    names = ("sample_rate", "emb_dim", "n_experts", "selection", "top_k")
    cost = count_cost(hparams["embedding_model"], n_mels=hparams["n_mels"])
    return {
        "model_type": "moe_ecapa",
        "version": about.version,
        "package_version": __version__,
        **{name: hparams[name] for name in names},
        "n_speakers": len(hparams["label_encoder"]),
        "params": cost.params,
        "active_params": cost.active_params,
    }


def training_commit(experiment_folder):
    """Commit of the checkout that a training ran in.

    Arguments
    ---------
    experiment_folder : str or Path
        The ``output_folder``; SpeechBrain's env.log there says it.

    Returns
    -------
    str or None
        None where it is not known.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "env.log").write_text("Git revision:\\n0123abc\\n==")
    >>> training_commit(folder)
    '0123abc'
    """
    path = Path(experiment_folder) / "env.log"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(r"Git revision:\s*([0-9a-f]{7,40})\b", text)
    return found[1] if found else None
