"""Subgroup bars: lengths, intervals, and groups too small to say."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.subgroup_bars import plot_subgroups

HEADER = "column,group,n_speakers,eer,eer_low,eer_high,"
HEADER += "p_miss,p_miss_low,p_miss_high,note\n"
ROWS = (
    "gender,f,15,6,2,11,0.07,0.03,0.10,\n"
    "gender,m,15,8,4,12,0.06,0.03,0.10,\n"
    'age,6 to 9,3,7,,,0.10,,,"3 speakers; wanted 10"\n'
    "age,mixed,18,,,,,,,no target trials\n"
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "subgroups.csv"
    path.write_text(HEADER + ROWS)
    return path


def bars(figure):
    return figure.axes[0].patches


def test_a_bar_is_as_long_as_the_rate(drawn, table):
    widths = [bar.get_width() for bar in bars(drawn(plot_subgroups, table))]
    assert widths == [6, 8, 7]
    misses = bars(drawn(plot_subgroups, table, rate="p_miss"))
    np.testing.assert_allclose([b.get_width() for b in misses], [7, 6, 10])


def test_the_interval_is_drawn_from_low_to_high(drawn, table):
    figure = drawn(plot_subgroups, table)
    spans = [
        collection.get_segments()[0][:, 0]
        for collection in figure.axes[0].collections
    ]
    np.testing.assert_allclose(spans, [[2, 11], [4, 12]])


def test_an_interval_beside_its_value_is_drawn_all_the_same(drawn, table):
    # percentiles of resamples may lie on one side of what was measured
    table.write_text(HEADER + "gender,f,15,6,7,11,0.07,0.03,0.10,\n")
    (interval,) = drawn(plot_subgroups, table).axes[0].collections
    np.testing.assert_allclose(interval.get_segments()[0][:, 0], [7, 11])


def test_groups_too_small_to_say_are_hollow_and_named(drawn, table):
    figure = drawn(plot_subgroups, table)
    hollow = [bar.get_facecolor()[3] == 0 for bar in bars(figure)]
    assert hollow == [False, False, True]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[2] == "  7.0  (too few to say)"


def test_groups_without_the_rate_are_left_out(drawn, table):
    ticks = drawn(plot_subgroups, table).axes[0].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [
        "gender: f\n15 speakers",
        "gender: m\n15 speakers",
        "age: 6 to 9\n3 speakers",
    ]


def test_columns_differ_without_colour(drawn, table):
    text = table.read_text().replace('"3 speakers; wanted 10"', "")
    table.write_text(text)
    hatches = [bar.get_hatch() for bar in bars(drawn(plot_subgroups, table))]
    assert hatches[0] == hatches[1] != hatches[2]


def test_numbers_stay_inside_the_axes(drawn, table):
    axes = drawn(plot_subgroups, table).axes[0]
    edge = axes.get_window_extent().x1
    assert all(text.get_window_extent().x1 <= edge for text in axes.texts)


def test_the_rate_of_the_whole_list_is_a_line(drawn, table):
    axes = drawn(plot_subgroups, table, overall=7.2).axes[0]
    assert axes.lines[-1].get_xdata() == [7.2, 7.2]


def test_tables_that_will_not_do_are_refused(tmp_path, table):
    picture = tmp_path / "x.png"
    with pytest.raises(InputError, match="run verify.py"):
        plot_subgroups(tmp_path / "none.csv", picture)
    with pytest.raises(InputError, match="eer, p_miss, p_fa"):
        plot_subgroups(table, picture, rate="accuracy")
    with pytest.raises(InputError, match="lacks the columns p_fa,"):
        plot_subgroups(table, picture, rate="p_fa")
    table.write_text(HEADER + ROWS.splitlines()[-1])
    with pytest.raises(InputError, match="no group in it has a eer"):
        plot_subgroups(table, picture)


def test_groups_called_none_and_01_keep_their_names(drawn, table):
    rows = "noise,None,15,6,2,11,0.07,0.03,0.10,\nroom,01,15,8,4,12,,,,\n"
    table.write_text(HEADER + rows)
    figure = drawn(plot_subgroups, table)
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["noise: None\n15 speakers", "room: 01\n15 speakers"]
