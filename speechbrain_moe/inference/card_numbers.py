"""The numbers of a model card, as text.

 * every table is made of metrics.json, calibration.json or subgroups.md
 * intervals stand behind the numbers, 95 %, over speakers
 * what is missing is said in a sentence

Authors
 * The speechbrain_moe developers 2026
"""

COLUMNS = {
    "eer": "EER %",
    "min_dcf_0.01": "minDCF(0.01)",
    "min_dcf_0.05": "minDCF(0.05)",
    "act_dcf_0.05": "actDCF(0.05)",
    "cllr": "Cllr, bits",
}
STEPS = {
    "cosine": "cosine",
    "as_norm": "AS-norm",
    "llr_cosine": "LLR of the cosine",
    "llr": "LLR of AS-norm",
    "llr_quality": "LLR, quality-aware",
    "llr_fused": "LLR, fused",
}
AIMS = {
    "eer": "as many misses as false alarms",
    "far1": "1 % false alarms",
    "far0.1": "0.1 % false alarms",
}
UNMEASURED = (
    "No error rates were measured for these weights: nothing is known of how "
    "often they are wrong."
)


def results_text(metrics):
    """Error rates of every step with their intervals.

    Arguments
    ---------
    metrics : dict or None
        What metrics.json holds.

    Returns
    -------
    str
        A sentence and a table, or a sentence that there are none.

    Example
    -------
    >>> results_text(None).split(":")[0]
    'No error rates were measured for these weights'
    """
    if not metrics:
        return UNMEASURED
    steps = metrics.get("steps") or {"cosine": metrics}
    used = [key for key in COLUMNS if any(key in m for m in steps.values())]
    rows = [["step", *(COLUMNS[key] for key in used)]]
    for step, numbers in steps.items():
        cells = [with_interval(numbers, key) for key in used]
        rows.append([STEPS.get(step, step), *cells])
    text = (
        f"On `{metrics['list']}`: {metrics['n_trials']} trials, "
        f"{metrics['n_target']} of them of one speaker, between "
        f"{metrics['n_speakers']} speakers. In brackets 95 % intervals over "
        f"speakers.\n\n{as_table(rows)}"
    )
    if metrics["list"] == "dev_trials.txt":
        text += (
            "\n\nThe checkpoint was chosen by these speakers: expect more "
            "mistakes on others."
        )
    return text


def with_interval(numbers, key):
    """A number with its interval, such as "6.03 [4.10, 8.20]"; "" if none."""
    if key not in numbers:
        return ""
    digits = 2 if key == "eer" else 3
    said = f"{numbers[key]:.{digits}f}"
    if f"{key}_interval" not in numbers:
        return said
    low, high = (f"{n:.{digits}f}" for n in numbers[f"{key}_interval"])
    return f"{said} [{low}, {high}]"


def thresholds_text(measured):
    """Where to say yes, as learnt from speakers kept out of training.

    Arguments
    ---------
    measured : Measured
        What verification wrote.

    Returns
    -------
    str
        A sentence and a table, or a sentence that there is none.
    """
    if not measured.calibration:
        return (
            "There is no calibration in this package: where to put the "
            "threshold is yours to find out. SpeechBrain's default of 0.25 "
            "is the same for every model, and not of this one."
        )
    learnt = measured.calibration["thresholds"].get("cosine", {})
    steps = (measured.metrics or {}).get("steps", {})
    met = steps.get("cosine", {}).get("thresholds", {})
    note = " Misses and false alarms are those on the list below."
    rows = [["threshold", "aim", "cosine", "misses %", "false alarms %"]]
    for name, threshold in learnt.items():
        rates = [met.get(name, {}).get(key) for key in ("miss", "false_alarm")]
        value = threshold["value"]
        rows.append(
            [
                f"`{name}`",
                AIMS.get(name, ""),
                "not known" if value is None else f"{value:.4f}",
                *("" if rate is None else f"{rate:.2f}" for rate in rates),
            ]
        )
    n_speakers = measured.calibration.get("n_speakers")
    origin = f"{n_speakers} speakers kept out of training"
    if n_speakers is None:  # as speechbrain-moe calibrate learns
        origin = "{n_trials} trials of the list `{list}`".format(
            **measured.calibration
        )
    return (
        "`calibration.json` turns scores into log-likelihood ratios and holds "
        f"thresholds, learnt from {origin}; a threshold with too few mistakes "
        f"behind it is not known.{note if met else ''}\n\n{as_table(rows)}"
    )


def groups_text(subgroups):
    """Error rates by group.

    Arguments
    ---------
    subgroups : str
        What subgroups.md holds, or nothing.

    Returns
    -------
    str
        Its tables, or a sentence that there are none.

    Example
    -------
    >>> print(groups_text("By group.\\n\\n## gender\\n"))
    By group.
    <BLANKLINE>
    ### gender
    """
    if not subgroups:
        return (
            "No error rates by group (gender, age, language, duration) were "
            "measured: whom this model serves worse is not known."
        )
    return subgroups.strip().replace("\n## ", "\n### ")


def as_table(rows):
    """Rows of cells as a table in Markdown, the first one its head.

    Arguments
    ---------
    rows : list of list of str
        Cells.

    Returns
    -------
    str
        The table, without a last line end.

    Example
    -------
    >>> print(as_table([["a"], ["1"]]))
    | a |
    | --- |
    | 1 |
    """
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)
