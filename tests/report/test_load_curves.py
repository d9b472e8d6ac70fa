"""Load by epoch: the log as it was written, one line an expert."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.load_curves import plot_load, read_epochs

LINE = (
    "epoch: {epoch}, margin: 0.00e+00 - train load_0: {a:.2e}, "
    "train load_1: {b:.2e}, train load_entropy: 9.00e-01, "
    "train route_entropy: 4.00e-01 - valid dev_eer: 29.87\n"
)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "train_log.txt"
    loads = [(0.5, 0.5), (0.7, 0.3), (0.9, 0.1)]
    lines = [
        LINE.format(epoch=i + 1, a=a, b=b) for i, (a, b) in enumerate(loads)
    ]
    path.write_text("".join(lines))
    return path


def test_every_number_of_the_log_is_read(log):
    numbers = read_epochs(log)
    assert [*numbers] == [1, 2, 3]
    assert numbers[2]["train load_0"] == 0.7
    assert numbers[2]["valid dev_eer"] == 29.87


def test_an_epoch_that_was_run_again_counts_once(log):
    with open(log, "a") as file:
        file.write(LINE.format(epoch=3, a=0.25, b=0.75))
    assert read_epochs(log)[3]["train load_1"] == 0.75
    assert len(read_epochs(log)) == 3


def test_lines_that_are_no_epochs_are_passed_over(log):
    log.write_text(log.read_text() + "Epoch loaded: 3 - test eer: 7.1\n")
    assert [*read_epochs(log)] == [1, 2, 3]


def test_each_expert_has_its_load_in_percent(drawn, log):
    upper, _ = drawn(plot_load, log).axes
    lines = {line.get_label(): line for line in upper.lines}
    np.testing.assert_allclose(lines["expert 0"].get_ydata(), [50, 70, 90])
    np.testing.assert_allclose(lines["expert 1"].get_ydata(), [50, 30, 10])


def test_the_levels_are_even_and_dead(drawn, log):
    upper, _ = drawn(plot_load, log).axes
    levels = [line.get_ydata()[0] for line in upper.lines[2:]]
    assert levels == [50, 1]
    assert [t.get_text().strip() for t in upper.texts] == [
        "even",
        "below: dead",
    ]


def test_both_entropies_are_drawn_apart_without_colour(drawn, log):
    _, lower = drawn(plot_load, log).axes
    assert [line.get_ydata()[0] for line in lower.lines] == [0.9, 0.4]
    looks = {(x.get_linestyle(), x.get_marker()) for x in lower.lines}
    assert len(looks) == 2


def test_a_number_that_an_epoch_lacks_leaves_a_gap(drawn, log):
    with open(log, "a") as file:
        file.write("epoch: 4 - train load_0: 1.0\n")
    upper, lower = drawn(plot_load, log).axes
    assert np.isnan(upper.lines[1].get_ydata()[3])
    assert np.isnan(lower.lines[0].get_ydata()[3])


def test_logs_that_say_nothing_of_experts_are_refused(tmp_path):
    log, picture = tmp_path / "train_log.txt", tmp_path / "x.png"
    with pytest.raises(InputError, match="no such file"):
        plot_load(log, picture)
    log.write_text("")
    with pytest.raises(InputError, match="no line with an epoch"):
        plot_load(log, picture)
    log.write_text("epoch: 1 - train loss: 2.0\n")
    with pytest.raises(InputError, match="no load of experts"):
        plot_load(log, picture)
