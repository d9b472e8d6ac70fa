"""Cells of the experiment's tables.

 * EERs in percent with two digits, costs in the unit of the header
 * a dash stands for what a row does not have

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np
from claim_results import label_of

from speechbrain_moe.inference.card_numbers import as_table

NOTHING = "Not run yet.\n"
NO_VALUE = "–"


def table_or_nothing(header, rows):
    """A table in Markdown, or a line that there is none yet."""
    return f"{as_table([header, *rows])}\n" if rows else NOTHING


def paired_cells(paired):
    """Difference in points, relative difference in %, and p."""
    return [
        f"{paired.difference:+.2f} [{paired.low:+.2f}, {paired.high:+.2f}]",
        relative_text(paired),
        f"{paired.p_value:.3f}",
    ]


def relative_text(paired):
    """The relative difference with its interval, in percent."""
    numbers = (paired.relative, paired.relative_low, paired.relative_high)
    value, low, high = (f"{100 * number:+.1f}" for number in numbers)
    return f"{value} [{low}, {high}]"


def labels_of(summaries):
    """{system: label}."""
    return {s: label_of(first_row(found)) for s, found in summaries.items()}


def first_row(of_lists):
    """Any row of a system: what is asked of it is the same in all."""
    return next(iter(of_lists.values())).rows[0]


def cost_cells(row):
    """Label, parameters in M and MACs in M."""
    return [
        label_of(row),
        scaled(row, "params", 1e6, 2),
        scaled(row, "active_params", 1e6, 2),
        scaled(row, "active_macs", 1e6, 1),
    ]


def scaled(row, key, unit, digits):
    """A number of the row in this unit."""
    value = row.get(key)
    return NO_VALUE if value is None else f"{value / unit:.{digits}f}"


def text_of(value):
    """A value that may be missing."""
    return NO_VALUE if value is None else str(value)


def eer_cell(summary):
    """EER with its interval."""
    if summary is None:
        return NO_VALUE
    found = summary.eer
    return f"{found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"


def dcf_cell(summary):
    """MinDCF."""
    return NO_VALUE if summary is None else f"{summary.min_dcf:.3f}"


def fold_names(folds):
    """Folds in one cell."""
    return ", ".join(map(str, folds))


def folds_cell(of_lists):
    """Folds that a system ran; both lists' if they differ."""
    said = [
        fold_names([row["fold"] for row in summary.rows])
        for summary in of_lists.values()
    ]
    return " / ".join(dict.fromkeys(said))


def mean(values):
    """Mean of the values that are there, or None."""
    values = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.mean(values)) if values else None
