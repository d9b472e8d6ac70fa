"""The model card: README.md of a package, from its own numbers.

 * error rates, intervals, thresholds and groups are those of metrics.json,
   calibration.json and subgroups.md; nothing is typed by hand
 * what was not measured or not said is named as such, in the same place
 * the snippet runs as it stands, offline, in the package's folder

Authors
 * The speechbrain_moe developers 2026
"""

import re

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from speechbrain_moe.inference.card_numbers import (
    groups_text,
    results_text,
    thresholds_text,
)

TASK = {
    "task_type": "speaker-verification",
    "task_name": "Speaker verification",
}
METRICS = {"eer": "EER %", "min_dcf_0.01": "minDCF(0.01)"}
METRICS = {**METRICS, "min_dcf_0.05": "minDCF(0.05)"}
TAGS = ("speaker-verification", "speaker-recognition", "speaker-embeddings")
TAGS = (*TAGS, "mixture-of-experts", "ECAPA-TDNN", "speechbrain")
INTENDED_USE = (
    "To compare recordings by speaker, to group them by speaker, or to look "
    "for a speaker in them, where a mistake costs little or a person "
    "decides. Not as the only proof of who somebody is."
)
LIMITS = (
    "Short, noisy, reverberant or telephone speech, and languages, ages and "
    "microphones that the training lacked, make more mistakes than the "
    "figures above. Replayed, converted and synthetic voices are not "
    "recognised as such."
)
CONSENT = (
    "A voice identifies a person, and the law of many countries protects "
    "such data. Enrol only people who agreed to it, for the purpose they "
    "agreed to, and delete embeddings with the recordings."
)
CARD = """\
# {title}

{summary}

## Use

With `speechbrain-moe` installed, which brings SpeechBrain:

```python
{snippet}```

{source_note}

{thresholds}

## Error rates

{results}

## Training data

{training_data}

## Intended use

{intended_use}

## Limits

{limits}

## Consent and bias

{consent}

{groups}

## Files

`manifest.json` holds the hash of every file;
`speechbrain_moe.inference.manifest.verify_package(folder)` checks a folder.
`hyperparams.yaml` is the network's graph and can hold code, which stock
SpeechBrain runs; `speechbrain_moe.inference.loading.open_package` refuses it.
`label_encoder.txt` has the speakers trained on, named as in the training data.
"""


def write_card(path, config, about, measured, examples=()):
    """Write the model card of a package.

    Arguments
    ---------
    path : str or Path
        README.md to write.
    config : dict
        What config.json holds.
    about : About
        What the maker says.
    measured : Measured
        What verification wrote.
    examples : sequence of str
        Names of example recordings in the package.
    """
    title = about.title or default_title(config)
    text = CARD.format(
        title=title,
        summary=summary(config),
        snippet=snippet(about.repo_id, examples),
        source_note=source_note(about.repo_id, examples),
        thresholds=thresholds_text(measured),
        results=results_text(measured.metrics),
        training_data=training_text(config, about),
        intended_use=about.intended_use or INTENDED_USE,
        limits=about.limits or LIMITS,
        consent=about.consent or CONSENT,
        groups=groups_text(measured.subgroups),
    )
    header = card_data(title, about, measured.metrics).to_yaml()
    ModelCard(f"---\n{header}\n---\n\n{text}").save(path)


def card_data(title, about, metrics):
    """What the Hub reads of a card.

    Arguments
    ---------
    title : str
        Name of the model.
    about : About
        What the maker says.
    metrics : dict or None
        What metrics.json holds.

    Returns
    -------
    ModelCardData
        With results where something was measured.
    """
    return ModelCardData(
        model_name=title,
        library_name="speechbrain",
        license=about.license,
        language=[*about.languages] or None,
        datasets=[*about.datasets] or None,
        tags=[*TAGS],
        metrics=["eer", "min_dcf"] if metrics else None,
        eval_results=eval_results(metrics) if metrics else None,
    )


def eval_results(metrics):
    """Error rates of the raw cosine, as the Hub keeps them.

    Arguments
    ---------
    metrics : dict
        What metrics.json holds.

    Returns
    -------
    list of EvalResult
        One a figure.
    """
    stem = metrics["list"].rsplit(".", 1)[0]
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return [
        EvalResult(
            **TASK,
            dataset_type=slug,
            dataset_name=metrics["list"],
            metric_type=key,
            metric_name=f"{name}, cosine",
            metric_value=metrics[key],
        )
        for key, name in METRICS.items()
        if key in metrics
    ]


def default_title(config):
    """Name of a model whose maker gave none."""
    n_experts = config["n_experts"]
    if n_experts == 1:
        return "Speaker encoder, ECAPA-TDNN"
    return f"Speaker encoder, {n_experts} ECAPA-TDNN experts"


def summary(config):
    """First sentences of the card.

    Arguments
    ---------
    config : dict
        What config.json holds.

    Returns
    -------
    str
        What it makes, of what, at what size.
    """
    choice = {
        "soft": "which a gate weights",
        "top_k": f"of which a gate takes the best {config['top_k']}",
        "uniform": "all weighted alike, without a gate",
    }[config["selection"]]
    network = "one ECAPA-TDNN"
    if config["n_experts"] > 1:
        network = f"{config['n_experts']} ECAPA-TDNN experts, {choice}"
    return (
        f"Speaker embeddings of length {config['emb_dim']} from speech at "
        f"{config['sample_rate']} Hz, for SpeechBrain: {network}. "
        f"{config['params']:,} parameters in total, "
        f"{config['active_params']:,} active for one utterance. Made with "
        f"speechbrain-moe {config['package_version']}; version "
        f"{config['version']} of the weights."
    )


def snippet(repo_id="", examples=()):
    """Python that compares two recordings.

    Arguments
    ---------
    repo_id : str
        On the Hub, or nothing for the folder.
    examples : sequence of str
        Names of recordings in the package.

    Returns
    -------
    str
        The lines, each ended.

    Example
    -------
    >>> print(snippet("user/model").splitlines()[2])
    encoder = SpeakerRecognition.from_hparams(source="user/model")
    """
    enrol, test = [*examples, "enrol.wav", "test.wav"][:2]
    if len(examples) == 1:
        test = enrol
    if repo_id and examples:  # SpeechBrain fetches them, too
        enrol, test = f"{repo_id}/{enrol}", f"{repo_id}/{test}"
    return (
        "from speechbrain.inference.speaker import SpeakerRecognition\n\n"
        "encoder = SpeakerRecognition.from_hparams("
        f'source="{repo_id or "."}")\n'
        f'score, _ = encoder.verify_files("{enrol}", "{test}")\n'
        "print(score.item())  # a cosine, in [-1, 1]\n"
    )


def source_note(repo_id, examples):
    """Where the snippet's names come from."""
    files = (
        "The recordings are in the package"
        if examples
        else "The recordings are yours"
    )
    if repo_id:
        return f"{files}. A folder's path in place of the id works offline."
    return (
        f"{files}. Run it in this folder, offline, or put its path, or its "
        'id on the Hub, in place of ".".'
    )


def training_text(config, about):
    """What the model was trained on, as far as it is known.

    Arguments
    ---------
    config : dict
        What config.json holds.
    about : About
        What the maker says.

    Returns
    -------
    str
        A paragraph or more.
    """
    counted = f"The classifier knows {config['n_speakers']} speakers."
    said = about.training_data or "Nothing more was said of the data."
    licence = f"Licence of the weights: {about.license}."
    if about.license == "unknown":
        licence = "No licence was named for the weights: ask their maker."
    return (
        f"{said}\n\n{counted}\n\n{licence}"
        if about.training_data
        else (f"{counted} {said}\n\n{licence}")
    )
