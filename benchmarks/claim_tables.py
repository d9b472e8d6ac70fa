"""Tables of what the scores say: all systems, pairs, test list, verdict.

 * each function returns a generated block of docs/experiment.md or of the
   README; a block says so when its runs are still missing
 * the endpoint's pair is in bold, and the verdict is on it alone
 * no number is typed: whether the goal is reached is computed

Authors
 * The speechbrain_moe developers 2026
"""

from claim_cells import (
    NO_VALUE,
    NOTHING,
    cost_cells,
    dcf_cell,
    eer_cell,
    first_row,
    fold_names,
    folds_cell,
    labels_of,
    paired_cells,
    relative_text,
    scaled,
    table_or_nothing,
    text_of,
)
from claim_results import label_of
from claim_statistics import LISTS, POWER_FACTOR

GOAL = -0.10  # relative difference of EERs
MACS_TOLERANCE = 0.02
N_FOLDS = 4


def main_table(summaries, resamples):
    """Each system with its cost, EER and minDCF.

    Arguments
    ---------
    summaries : dict
        {system: {list: Summary}}.
    resamples : int
        Draws behind the intervals.

    Returns
    -------
    str
        Block "main".
    """
    header = [
        *("system", "params, M", "active params, M", "active MMACs, 3 s"),
        *("training TFLOPs", "tuning tries", "folds"),
        *(f"EER %, {name}" for name in LISTS),
        *(f"minDCF(0.01), {name}" for name in LISTS),
    ]
    rows = [
        [
            *cost_cells(first_row(of_lists)),
            scaled(first_row(of_lists), "train_flops", 1e12, 1),
            text_of(first_row(of_lists).get("tries")),
            folds_cell(of_lists),
            *(eer_cell(of_lists.get(name)) for name in LISTS),
            *(dcf_cell(of_lists.get(name)) for name in LISTS),
        ]
        for of_lists in summaries.values()
    ]
    if not rows:
        return NOTHING
    return table_or_nothing(header, rows) + (
        "\nTrials of the folds that a system ran are pooled at one threshold. "
        f"Intervals: 95 %, {resamples} draws of speakers; they do not cover "
        "another seed of training. Systems that ran on other folds compare "
        "in the table of pairs only.\n" + provenance(summaries)
    )


def provenance(summaries):
    """Seeds, devices and commits behind the table, in a sentence."""
    rows = [
        row
        for of_lists in summaries.values()
        for summary in of_lists.values()
        for row in summary.rows
    ]
    said = []
    for key in ("seed", "device", "commit"):
        values = {str(row[key]) for row in rows if row.get(key) is not None}
        if values:
            said.append(f"{key} {', '.join(sorted(values))}")
    return f"All rows: {'; '.join(said)}.\n" if said else ""


def paired_table(comparisons, labels, endpoint):
    """Each planned pair on its common folds.

    Arguments
    ---------
    comparisons : list of Comparison
        What claim_statistics.compare_all found.
    labels : dict
        {system: label}.
    endpoint : tuple of str or None
        The pair in bold.

    Returns
    -------
    str
        Block "paired".
    """
    header = ["system", "against", "list", "folds", "EER %", "its EER %"]
    header += ["difference, points", "relative, %", "p"]
    rows, seen = [], set()
    for c in comparisons:
        cells = [labels[c.system], labels[c.against], c.trial_list]
        cells += [fold_names(c.folds), f"{c.eer:.2f}", f"{c.against_eer:.2f}"]
        cells += paired_cells(c.paired)
        # the endpoint's second line, on one fold, is no endpoint
        first = (c.system, c.against, c.trial_list) not in seen
        seen.add((c.system, c.against, c.trial_list))
        bold = (c.system, c.against) == endpoint and first
        rows.append([f"**{cell}**" if bold else cell for cell in cells])
    if not rows:
        return NOTHING
    return table_or_nothing(header, rows) + (
        "\nOnly the pair in bold, the endpoint, is confirmatory; every other "
        "line describes, with intervals and p-values that are not corrected "
        "for their number. Below 0 the first system errs less.\n"
    )


def detectable_table(spreads):
    """What the endpoint's pair could show.

    Arguments
    ---------
    spreads : list of Detectable
        One a list.

    Returns
    -------
    str
        Block "detectable".
    """
    header = ["list", "folds", "speakers", "target / nontarget trials"]
    header += ["standard error, relative %", "half width of 95 %, relative %"]
    header += ["detectable with 80 % power, relative %"]
    rows = [
        [
            d.trial_list,
            fold_names(d.folds),
            str(d.n_speakers),
            f"{d.n_targets} / {d.n_nontargets}",
            f"{100 * d.standard_error:.1f}",
            f"{100 * d.half_width:.1f}",
            f"{100 * POWER_FACTOR * d.standard_error:.1f}",
        ]
        for d in spreads
    ]
    return table_or_nothing(header, rows)


def final_table(summaries, comparisons):
    """The systems scored once on the test list.

    Arguments
    ---------
    summaries : dict
        {system: {list: Summary}} of the group "final".
    comparisons : dict
        {(system, list): Comparison} of those that have a control.

    Returns
    -------
    str
        Block "final".
    """
    header = ["system", "params, M", "active params, M", "active MMACs, 3 s"]
    header += ["list", "EER %", "minDCF(0.01)", "against"]
    header += ["difference, points", "relative, %", "p"]
    labels = labels_of(summaries)
    rows = []
    for system, of_lists in summaries.items():
        for name, summary in of_lists.items():
            found = comparisons.get((system, name))
            cells = [NO_VALUE] * 4
            if found:
                cells = [labels[found.against], *paired_cells(found.paired)]
            rows.append(
                [
                    *cost_cells(summary.rows[0]),
                    *(name, eer_cell(summary), dcf_cell(summary), *cells),
                ]
            )
    return table_or_nothing(header, rows)


def claim_table(summaries, comparisons, endpoint):
    """What the README says of the claim.

    Arguments
    ---------
    summaries, comparisons
        As in main_table and paired_table.
    endpoint : tuple of str or None
        The pair that the verdict is on.

    Returns
    -------
    str
        Block "claim": a line a system, and the verdict.
    """
    header = ["system", "params, M", "active params, M", "active MMACs, 3 s"]
    header += ["folds", *(f"EER %, {name}" for name in LISTS)]
    rows = []
    for system, of_lists in summaries.items():
        cells = [*cost_cells(first_row(of_lists)), folds_cell(of_lists)]
        cells += [eer_cell(of_lists.get(name)) for name in LISTS]
        bold = bool(endpoint) and system in endpoint
        rows.append([f"**{cell}**" if bold else cell for cell in cells])
    table = table_or_nothing(header, rows)
    return table + "\n" + verdict(summaries, comparisons, endpoint)


def verdict(summaries, comparisons, endpoint):
    """Whether the endpoint's goal is reached, and by which numbers."""
    found = [c for c in comparisons if (c.system, c.against) == endpoint]
    found = found[: len(LISTS)]  # what follows them is on one fold
    if len(found) < len(LISTS):
        return "The endpoint's pair has not run yet.\n"
    moe, dense = (first_row(summaries[system]) for system in endpoint)
    ratio = moe["active_macs"] / dense["active_macs"]
    reached = abs(ratio - 1) <= MACS_TOLERANCE and all(
        c.paired.relative <= GOAL and c.paired.relative_high < 0 for c in found
    )
    so_far = "" if all(len(c.folds) == N_FOLDS for c in found) else " so far"
    said = ", ".join(
        f"{relative_text(c.paired)} % on {c.trial_list} "
        f"(p = {c.paired.p_value:.3f}, folds {fold_names(c.folds)})"
        for c in found
    )
    return (
        f"Endpoint, relative EER of {label_of(moe)} against {label_of(dense)} "
        f"at {ratio:.3f} times its active MACs: {said}. The goal, at least "
        "10 % lower on both with intervals below zero and MACs equal within "
        f"2 %, is {'reached' if reached else 'not reached'}{so_far}.\n"
    )
