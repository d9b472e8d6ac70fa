"""The subcommand report: what goes to which expert, as a page.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import (
    add_allow_code,
    add_command,
    add_revision,
    model_folder,
)
from speechbrain_moe.cli.outputs import check_out
from speechbrain_moe.errors import InputError

REPORT = """\
report --trials veri_test.txt --audio wav --out routing
report package --trials veri_test.txt --audio wav --out routing \\
      --metadata meta.csv --columns gender accent --max_files 500"""


def add_report_command(commands):
    """Declare the subcommand report.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands, "report", report, "show what goes to which expert", REPORT
    )
    add = one.add_argument
    add(
        "model",
        nargs="?",
        help="package or training folder, or Hub id (default: the shipped "
        "weights)",
    )
    add("--trials", required=True, help="list with lines: label enrol test")
    add("--audio", required=True, help="folder the list's paths start from")
    add("--out", required=True, help="folder to write")
    add("--metadata", help="CSV with path or spk_id; gender and age are shown")
    add("--columns", nargs="+", default=(), help="more columns to show")
    add("--max_files", type=int, help="files at most, drawn by the seed")
    add("--seed", type=int, default=0, help="of resamples and permutations")
    add("--device", default="cpu", help="such as cpu or cuda:0")
    add_revision(one)
    add_allow_code(one)


def report(given):
    """Write the routing report and tell its files.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        Files and the equal error rate.
    """
    from speechbrain_moe.inference.export import load_encoder
    from speechbrain_moe.inference.routing import (
        collect_routing,
        write_routing,
    )
    from speechbrain_moe.report.routing_facts import (
        check_plots,
        read_routing,
        routing_facts,
    )
    from speechbrain_moe.report.routing_page import write_report

    check_plots()
    trials, paths, table = checked_list(given)
    model = model_folder(given)
    encoder = load_encoder(model, given.device, allow_code=given.allow_code)
    arrays = Path(given.out) / "routing.npz"
    write_routing(arrays, collect_routing(encoder, paths, given.audio))
    facts = routing_facts(
        read_routing(arrays), trials, table, given.columns, given.seed
    )
    name = given.model or model.name
    if given.revision:
        name = f"{name} at {given.revision}"
    facts["about"].update(model=name, trials=given.trials)
    written = write_report(facts, given.out)
    eer = facts["errors"]["whole"]["estimate"]
    return Answer({**written, "arrays": str(arrays), "eer": eer})


def checked_list(given):
    """Trials, their files and the table, checked before anything runs.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand report.

    Returns
    -------
    trials : Trials
        Those between at most max_files files.
    paths : list of str
        Distinct files of the trials.
    table : pandas.DataFrame or None
        The metadata.

    Raises
    ------
    InputError
        If a file is missing, the list and the table do not fit each other,
        a column is asked for that is not there or cannot be shown, or seed
        or out cannot be used.
    """
    from speechbrain_moe.report.routing_attributes import (
        join_metadata,
        read_metadata,
        table_attributes,
    )
    from speechbrain_moe.report.routing_facts import trials_within
    from speechbrain_moe.scoring.speakers import check_labels
    from speechbrain_moe.scoring.trials import check_trial_files, read_trials

    if given.seed < 0:
        raise InputError(f"--seed is {given.seed}; give 0 or more")
    for ending in ("npz", "html", "json"):
        check_out(Path(given.out) / f"routing.{ending}")
    if given.columns and not given.metadata:
        raise InputError("--columns are those of a table; give --metadata too")
    trials = read_trials(given.trials)
    if given.max_files is not None:
        trials = trials_within(trials, given.max_files, given.seed)
    check_labels(trials)
    check_trial_files(trials, given.audio, "--audio")
    paths = list(dict.fromkeys([*trials.enrol, *trials.test]))
    table = None
    if given.metadata:
        table = read_metadata(given.metadata, given.columns)
        table_attributes(join_metadata(paths, table), given.columns)
    return trials, paths, table
