"""Tables that need the rows alone: every attempt, and what the gates do.

 * an attempt is a row of the inner split; failures stand among the others
 * routing is described by means over folds: experts are numbered anew in
   each fold, so experts are put in order before they are averaged
 * no interval here, and so no scores are read

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np
from claim_cells import NO_VALUE, NOTHING, mean, table_or_nothing
from claim_results import label_of
from claim_statistics import LISTS

ATTEMPTS = ("tuning", "idea")


def attempts_table(results):
    """A line for each attempt on the inner split.

    Arguments
    ---------
    results : claim_results.Results
        Rows of the groups "tuning" and "idea"; "control" names the attempt
        that a row is set against.

    Returns
    -------
    str
        Block "attempts".
    """
    header = ["kind", "attempt", "active MMACs, 3 s"]
    for name in LISTS:
        header += [f"EER %, {name}", f"difference, {name}"]
    found = [row for group in ATTEMPTS for row in results.rows(group)]
    eers = {(row["system"], row["list"]): row["eer"] for row in found}
    rows = [
        attempt_cells(row, eers) for row in found if row["list"] == LISTS[0]
    ]
    return table_or_nothing(header, rows)


def attempt_cells(row, eers):
    """The line of one attempt, from its row and the EERs of all."""
    macs = row["active_macs"] / 1e6
    cells = [row["group"], label_of(row), f"{macs:.1f}"]
    for name in LISTS:
        own = eers.get((row["system"], name))
        other = eers.get((row.get("control"), name))
        cells.append(NO_VALUE if own is None else f"{own:.2f}")
        known = own is not None and other is not None
        cells.append(f"{own - other:+.2f}" if known else NO_VALUE)
    return cells


def routing_tables(results):
    """What the gates of the main systems do, and what routes depend on.

    Arguments
    ---------
    results : claim_results.Results
        Rows of the group "main"; those without a load have no gate.

    Returns
    -------
    str
        Block "routing".
    """
    routed = {}
    for system in results.systems("main"):
        for name in LISTS:
            rows = results.rows("main", system, name)
            rows = [row for row in rows if row.get("load")]
            if rows:
                routed[system, name] = rows
    if not routed:
        return NOTHING
    return (
        behaviour_table(routed)
        + "\nMeans over folds. Loads are in order of size in each fold; both "
        "entropies are shares of log E. Misses and false alarms of trials "
        "whose two sides took different (cross) or the same route are at the "
        "one threshold where all trials have their EER.\n\n"
        + dependence_table(routed)
        + "\nMutual information of route and attribute in nats, mean over "
        "folds, and the permutation p-values of the folds, smallest to "
        "largest. Each speaker was recorded once, so a gate that knows the "
        "recording knows the speaker.\n"
    )


def behaviour_table(routed):
    """Loads, entropies, cross-route errors and single experts."""
    header = ["system", "list", "load, largest first", "load entropy"]
    header += ["entropy of an utterance", "target trials split, %"]
    header += ["misses %, cross / same", "false alarms %, cross / same"]
    header += ["EER %", "EER % of one expert alone"]
    header += ["EER % without one expert", "cosine of experts"]
    rows = []
    for (_, name), found in routed.items():
        cross = [row.get("cross_route") or {} for row in found]
        split = mean([c.get("n_target_split_share") for c in cross])
        rows.append(
            [
                *(
                    label_of(found[0]),
                    name,
                    " ".join(ordered(found, "load", 2)),
                ),
                digits(mean([row.get("load_entropy") for row in found]), 2),
                digits(mean([row.get("route_entropy") for row in found]), 2),
                percent(split),
                cross_same(cross, "miss"),
                cross_same(cross, "fa"),
                digits(mean([row.get("eer") for row in found]), 2),
                span(found, "single_expert_eer"),
                span(found, "leave_one_out_eer"),
                digits(mean([off_diagonal(row) for row in found]), 2),
            ]
        )
    return table_or_nothing(header, rows)


def dependence_table(routed):
    """Mutual information of the route with each attribute."""
    known = {
        attribute: None
        for found in routed.values()
        for row in found
        for attribute in row.get("mutual_information") or {}
    }
    rows = [
        [label_of(found[0]), name, *(dependence(found, a) for a in known)]
        for (_, name), found in routed.items()
    ]
    return table_or_nothing(["system", "list", *known], rows if known else [])


def dependence(rows, attribute):
    """Mean mutual information, and the range of its p-values."""
    tables = [row.get("mutual_information") or {} for row in rows]
    found = [table[attribute] for table in tables if table.get(attribute)]
    if not found:
        return NO_VALUE
    information, p_values = zip(*found)
    low, high = (f"{p:.3f}" for p in (min(p_values), max(p_values)))
    spread = low if low == high else f"{low} to {high}"
    return f"{digits(mean(information), 3)} (p {spread})"


def ordered(rows, key, n_digits):
    """Means over folds of the largest, the second largest and so on."""
    found = np.array([sorted(row[key], reverse=True) for row in rows])
    return [f"{value:.{n_digits}f}" for value in found.mean(axis=0)]


def span(rows, key):
    """Lowest and highest EER of a list with one an expert."""
    found = [row for row in rows if row.get(key)]
    if not found:
        return NO_VALUE
    values = ordered(found, key, 2)
    return f"{values[-1]} to {values[0]}"


def cross_same(cross_routes, kind):
    """An error rate of cross-route and of same-route trials."""
    means = [
        mean([(c.get(route) or {}).get(kind) for c in cross_routes])
        for route in ("cross", "same")
    ]
    return " / ".join(map(percent, means))


def off_diagonal(row):
    """Mean cosine between different experts, or None."""
    cosine = row.get("expert_cosine")
    if not cosine or len(cosine) < 2:
        return None
    cosine = np.array(cosine)
    return float(cosine[~np.eye(len(cosine), dtype=bool)].mean())


def digits(value, n_digits):
    """A number that may be missing."""
    return NO_VALUE if value is None else f"{value:.{n_digits}f}"


def percent(share):
    """A share that may be missing, in percent."""
    return NO_VALUE if share is None else f"{100 * share:.1f}"
