#!/usr/bin/env python3
"""docs/experiment.md from the stored results of the experiment.

    python benchmarks/claim_report.py [--readme]

 * rewrites what stands between the marks of a generated block; the prose
   around it stays as it is
 * reads benchmarks/results/claim.jsonl and the scores that it names, trains
   and scores nothing
 * writes docs/figures/claim_*.png, and with --readme the block of README.md

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import re
import sys
from pathlib import Path

from claim_figures import plot_eers, plot_endpoint_det, plot_folds
from claim_results import Results, label_of
from claim_row_tables import attempts_table, routing_tables
from claim_statistics import (
    LISTS,
    N_RESAMPLES,
    compare,
    compare_all,
    detectable,
    summarise_all,
)
from claim_tables import (
    claim_table,
    detectable_table,
    final_table,
    main_table,
    paired_table,
)

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole

ROOT = Path(__file__).parents[1]
RESULTS = Path("benchmarks", "results", "claim.jsonl")
PAGE = Path("docs", "experiment.md")
README = Path("README.md")


def report(root=ROOT, readme=False, n_resamples=N_RESAMPLES):
    """Rewrite the page, its figures and, if asked, the README's block.

    Arguments
    ---------
    root : str or Path
        Folder of the repository.
    readme : bool
        Whether to rewrite the README's block too.
    n_resamples : int
        Draws of speakers behind each interval.

    Raises
    ------
    InputError
        If results are missing or broken, or a file lacks a block's marks.
    """
    root = Path(root)
    results = Results(root / RESULTS)
    summaries = summarise_all(results, "main", LISTS, n_resamples)
    comparisons = compare_all(results, n_resamples)
    endpoint = results.endpoint()
    labels = {row["system"]: label_of(row) for row in results.rows("main")}
    spreads = [detectable(results, name, n_resamples) for name in LISTS]
    blocks = {
        "main": main_table(summaries, n_resamples),
        "paired": paired_table(comparisons, labels, endpoint),
        "detectable": detectable_table([s for s in spreads if s]),
        **row_blocks(results),
        "final": final_block(results, n_resamples),
    }
    write_blocks(root / PAGE, blocks)
    write_figures(results, summaries, root / PAGE.parent / "figures")
    if readme:
        claim = claim_table(summaries, comparisons, endpoint)
        write_blocks(root / README, {"claim": claim})


def row_blocks(results):
    """The blocks that need no scores, and so no time."""
    return {
        "attempts": attempts_table(results),
        "routing": routing_tables(results),
    }


def final_block(results, n_resamples):
    """The systems scored once on the test list, against their controls."""
    lists = sorted({row["list"] for row in results.rows("final")})
    summaries = summarise_all(results, "final", lists, n_resamples)
    comparisons = {}
    for system, of_lists in summaries.items():
        control = results.rows("final", system)[0].get("control")
        for name in of_lists:
            if name in summaries.get(control, {}):
                comparisons[system, name] = compare(
                    results, "final", (system, control), name, n_resamples
                )
    return final_table(summaries, comparisons)


def write_figures(results, summaries, folder):
    """The figures whose systems have run."""
    if summaries:
        plot_eers(summaries, results.endpoint(), folder / "claim_eer.png")
    if results.endpoint():
        plot_endpoint_det(results, folder / "claim_det.png")
        plot_folds(results, folder / "claim_folds.png")


def write_blocks(path, blocks):
    """Put each block between its marks.

    Arguments
    ---------
    path : Path
        A Markdown file.
    blocks : dict
        {name: text}, each text with its line ends.

    Raises
    ------
    InputError
        If the file is missing or has not exactly one place for a block.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; restore it from the commits")
    text = path.read_bytes().decode("utf-8")  # line ends as they are
    for name, block in blocks.items():
        start, end = block_span(path, text, name)
        text = text[:start] + block + text[end:]
    write_whole(path, text)


def block_span(path, text, name):
    """Where the block's text begins and ends."""
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
    marked = f"^{re.escape(begin)}(.*?)^{re.escape(end.rstrip())}$"
    found = list(re.finditer(marked, text, re.DOTALL | re.MULTILINE))
    if len(found) != 1:
        raise InputError(
            f"{path} has {len(found)} blocks {name}; wanted one line "
            f"{begin.rstrip()} and below it one line {end.rstrip()}"
        )
    return found[0].span(1)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="README.md too")
    given = parser.parse_args()
    try:
        report(readme=given.readme)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
