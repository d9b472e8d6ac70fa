"""The page of the experiment holds what the stored scores say."""

import re

import claim_report
import numpy as np
import pytest
from claim_report import PAGE, RESULTS, ROOT, block_span, report, row_blocks
from claim_results import Results
from made_up_claim import BLOCKS, ROUTING, Repository, marks

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.metrics import equal_error_rate

FEW = 50
MOE = {"endpoint": True, "endpoint_role": "moe", "control": "b_equal_macs"}
DENSE = {"endpoint": True, "endpoint_role": "dense"}


@pytest.fixture
def claim(tmp_path):
    return Repository(tmp_path)


@pytest.fixture
def full_claim(claim):
    """The endpoint's pair on four folds, and a control on two."""
    claim.add("f_soft", 3.0, range(4), **MOE, **ROUTING)
    claim.add("b_equal_macs", 2.0, range(4), **DENSE)
    claim.add("c_equal_params", 2.5)
    claim.add("a_one_expert", 1.5, (0,))
    return claim


def cells(table, *first):
    """The cells of the one line that begins with these."""
    lines = [
        [cell.strip("* ") for cell in line.strip("|\n").split(" | ")]
        for line in table.splitlines()
    ]
    found = [line for line in lines if line[: len(first)] == list(first)]
    assert len(found) == 1, (first, table)
    return found[0]


def test_prose_around_the_blocks_stays_byte_for_byte(full_claim):
    before = full_claim.page.read_bytes().decode()
    report(full_claim.root, n_resamples=FEW)
    after = full_claim.page.read_bytes().decode()
    for name in BLOCKS:
        begin, end = marks(name)
        block = full_claim.block(name)
        assert block != "old\n"
        after = after.replace(begin + block + end, begin + "old\n" + end)
    assert after == before


def test_second_run_changes_nothing(full_claim):
    report(full_claim.root, n_resamples=FEW)
    first = full_claim.page.read_bytes()
    report(full_claim.root, n_resamples=FEW)
    assert full_claim.page.read_bytes() == first


def test_readme_is_left_alone_unless_asked_for(full_claim):
    report(full_claim.root, n_resamples=FEW)
    assert "old\n" in full_claim.readme.read_text()
    report(full_claim.root, readme=True, n_resamples=FEW)
    assert "old\n" not in full_claim.readme.read_text()


def test_eer_is_that_of_the_pooled_trials(full_claim):
    report(full_claim.root, n_resamples=FEW)
    scores = full_claim.results / "scores"
    parts = [np.load(scores / f"main-f_soft-{i}-clean.npz") for i in range(4)]
    labels, values = (
        np.concatenate([p[key] for p in parts]) for key in ("labels", "scores")
    )
    expected = f"{equal_error_rate(labels, values).eer:.2f} ["
    row = cells(full_claim.block("main"), "label of f_soft")
    assert row[:7] == [
        *("label of f_soft", "0.75", "0.60", "121.4", "2.5", "3"),
        "0, 1, 2, 3",
    ]
    assert row[7].startswith(expected)


def test_pair_is_compared_on_its_common_folds_alone(full_claim):
    report(full_claim.root, n_resamples=FEW)
    table = full_claim.block("paired")
    names = ("label of f_soft", "label of c_equal_params", "clean")
    row = cells(table, *names)
    assert row[3] == "0, 1"
    results = Results(full_claim.jsonl)
    two = results.pooled("main", "f_soft", "clean", [0, 1])
    assert row[4] == f"{equal_error_rate(*two[:2]).eer:.2f}"


def test_only_the_endpoint_is_in_bold_and_it_comes_first(full_claim):
    report(full_claim.root, n_resamples=FEW)
    lines = full_claim.block("paired").splitlines()[2:]
    assert lines[0].startswith("| **label of f_soft** | **label of b_equal")
    bold = [line for line in lines if line.startswith("| **")]
    assert len(bold) == 2 and bold == lines[:2]


def test_better_system_has_a_negative_difference(full_claim):
    report(full_claim.root, n_resamples=FEW)
    table = full_claim.block("paired")
    names = ("label of f_soft", "label of b_equal_macs", "noisy")
    row = cells(table, *names, "0, 1, 2, 3")
    numbers = [float(n) for n in re.findall(r"[-+][\d.]+", row[7])]
    assert all(n < 0 for n in numbers) and len(numbers) == 3


def test_systems_that_scored_other_trials_are_refused(full_claim):
    path = full_claim.results / "scores" / "main-b_equal_macs-1-clean.npz"
    with np.load(path) as found:
        turned = {name: values[::-1] for name, values in found.items()}
    np.savez(path, **turned)
    with pytest.raises(InputError, match="scored other trials"):
        report(full_claim.root, n_resamples=FEW)


@pytest.mark.parametrize(
    ("gap", "macs", "word"),
    [(3.0, 1.0, "reached."), (2.0, 1.0, "not reached."), (3.0, 1.1, "not r")],
)
def test_verdict_needs_the_gain_and_equal_macs(claim, gap, macs, word):
    macs = round(121_400_000 * macs)
    claim.add("f_soft", gap, range(4), **MOE, active_macs=macs)
    claim.add("b_equal_macs", 2.0, range(4), **DENSE)
    report(claim.root, readme=True, n_resamples=FEW)
    assert f"within 2 %, is {word}" in claim.block("claim", claim.readme)


def test_verdict_on_fewer_folds_says_so(claim):
    claim.add("f_soft", 3.0, **MOE)
    claim.add("b_equal_macs", 2.0, **DENSE)
    report(claim.root, readme=True, n_resamples=FEW)
    assert "is reached so far." in claim.block("claim", claim.readme)


def test_identical_systems_leave_nothing_to_detect(claim):
    claim.add("f_soft", 2.0, **MOE)
    claim.add("b_equal_macs", 2.0, **DENSE)
    report(claim.root, n_resamples=FEW)
    row = cells(claim.block("detectable"), "clean")
    assert row[1:4] == ["0, 1", "20", "400 / 400"]
    assert row[4:] == ["0.0", "0.0", "0.0"]


def test_detectable_difference_is_2_8_standard_errors(full_claim):
    report(full_claim.root, n_resamples=FEW)
    row = cells(full_claim.block("detectable"), "clean")
    error, half_width, found = map(float, row[4:])
    assert found == pytest.approx(2.8 * error, abs=0.2)
    assert half_width == pytest.approx(1.96 * error, rel=0.3)


def test_attempt_stands_beside_its_control(claim):
    idea = {"group": "idea", "fold": "inner", "active_macs": 71_200_000}
    claim.add_row(system="base", list="clean", eer=9.0, **idea)
    idea["control"] = "base"
    claim.add_row(system="x", list="clean", eer=8.5, **idea)
    claim.add_row(system="x", list="noisy", eer=20.0, **idea)
    report(claim.root, n_resamples=FEW)
    assert cells(claim.block("attempts"), "idea", "x") == [
        *("idea", "x", "71.2", "8.50", "-0.50", "20.00", "–"),
    ]


def test_routing_is_the_mean_over_folds_of_ordered_experts(claim):
    claim.add("f_soft", folds=(0,), lists=("clean",), **ROUTING)
    other = {**ROUTING, "load": [0.6, 0.0, 0.2, 0.2]}
    claim.add("f_soft", folds=(1,), lists=("clean",), **other)
    report(claim.root, n_resamples=FEW)
    table = claim.block("routing").split("\n\n")[0]
    assert cells(table, "label of f_soft", "clean")[2:] == [
        *("0.50 0.25 0.20 0.05", "0.92", "0.50", "25.0", "20.0 / 5.0"),
        *("3.0 / 8.0", "10.00", "–", "7.50 to 11.00", "0.40"),
    ]


def test_dependence_names_each_attribute(claim):
    claim.add("f_soft", **ROUTING)
    report(claim.root, n_resamples=FEW)
    table = claim.block("routing").split("\n\n")[2]
    assert cells(table, "system")[2] == "gender"
    assert cells(table, "label of f_soft", "noisy")[2] == "0.200 (p 0.001)"


def test_one_expert_has_no_routing(claim):
    claim.add("b_equal_macs", load=None)
    report(claim.root, n_resamples=FEW)
    assert claim.block("routing") == "Not run yet.\n"


def test_final_system_is_compared_with_its_control(claim):
    where = {"group": "final", "folds": ("test",), "lists": ("veri_test",)}
    claim.add("f_soft", 3.0, control="b_equal_macs", **where)
    claim.add("b_equal_macs", 2.0, **where)
    report(claim.root, n_resamples=FEW)
    row = cells(claim.block("final"), "label of f_soft")
    assert row[7] == "label of b_equal_macs" and row[9].startswith("-")
    assert cells(claim.block("final"), "label of b_equal_macs")[7] == "–"


def test_figures_are_written(full_claim):
    pytest.importorskip("matplotlib")
    report(full_claim.root, n_resamples=FEW)
    names = ["claim_det.png", "claim_eer.png", "claim_folds.png"]
    folder = full_claim.root / "docs" / "figures"
    assert sorted(p.name for p in folder.iterdir()) == names


def test_broken_line_is_named(full_claim):
    with full_claim.jsonl.open("a") as file:
        file.write('{"system": "g_to')
    n_lines = len(full_claim.jsonl.read_text().splitlines())
    with pytest.raises(InputError, match=f"jsonl:{n_lines}: not JSON"):
        report(full_claim.root)


def test_row_stored_twice_is_refused(full_claim):
    full_claim.add("c_equal_params", 2.4, (0,))
    with pytest.raises(InputError, match="twice"):
        report(full_claim.root)


def test_missing_scores_are_named(full_claim):
    (full_claim.results / "scores" / "main-f_soft-2-noisy.npz").unlink()
    with pytest.raises(InputError, match="f_soft-2-noisy.npz: no such file"):
        report(full_claim.root, n_resamples=FEW)


def test_page_without_a_block_is_left_alone(full_claim):
    text = full_claim.page.read_text().replace("end of final", "end")
    full_claim.page.write_text(text)
    with pytest.raises(InputError, match="0 blocks final"):
        report(full_claim.root, n_resamples=FEW)
    assert full_claim.page.read_text() == text


def test_committed_page_is_what_the_rows_say():
    """Of the blocks that take no resampling; the others take minutes."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    for name, block in row_blocks(Results(ROOT / RESULTS)).items():
        start, end = block_span(ROOT / PAGE, text, name)
        assert text[start:end] == block, f"run {claim_report.__file__}"
