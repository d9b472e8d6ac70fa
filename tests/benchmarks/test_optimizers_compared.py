"""Tables of two optimizers side by side."""

from optimizers import difference, table

LRS, SEEDS = [0.001, 0.002], [1, 2]
FOUND = {
    ("adamw", 0.001): [8.0, 9.0],
    ("adamw", 0.002): [7.0, 8.5],
    ("muon", 0.001): [6.0, 8.0],
    ("muon", 0.002): [9.0, 9.0],
}


def test_rows_hold_each_seed_and_their_mean():
    rows = table(FOUND, LRS, SEEDS).splitlines()
    assert rows[0] == "| optimizer | lr | seed 1 | seed 2 | mean |"
    assert rows[2] == "| adamw | 0.001 | 8.00 | 9.00 | 8.50 |"
    assert len(rows) == 6


def test_each_is_taken_at_its_best_rate_and_compared_seed_by_seed():
    said = difference(FOUND, LRS)
    assert said.startswith("muon (0.001) less adamw (0.002): -0.75 %")
    # One degree of freedom: t = 12.706, standard error 0.25
    assert "[-3.93, +2.43], 2 seeds" in said


def test_one_seed_has_no_interval():
    found = {key: eers[:1] for key, eers in FOUND.items()}
    assert difference(found, LRS).endswith("-1.00 % of dev EER")
