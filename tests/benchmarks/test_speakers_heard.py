"""Who is heard in a cell, and what its table says."""

import numpy as np
import pandas as pd
import pytest
from speakers_heard import (
    differences,
    draw,
    keep_rows,
    link_all,
    read_cell,
    table_of,
)

NAMES = [f"id{speaker}" for speaker in range(8)]
TABLE = pd.DataFrame(
    [(name, f"{name}/s01/{k}.wav") for name in NAMES for k in range(6)],
    columns=["spk_id", "path"],
)


def spk_ids(paths):
    return [path.split("/")[0] for path in paths]


def test_a_cell_has_its_speakers_two_to_hold_out_and_as_many_of_each():
    paths = draw(TABLE, 3, 4, seed=1)
    names = spk_ids(paths)
    assert len({*names}) == 5
    assert [names.count(name) for name in {*names}] == [4] * 5
    assert len({*paths}) == 20


@pytest.mark.parametrize("larger", [(6, 2), (3, 5), (6, 6)])
def test_a_larger_cell_of_the_seed_holds_the_smaller(larger):
    assert {*draw(TABLE, 3, 2, seed=1)} < {*draw(TABLE, *larger, seed=1)}


def test_another_seed_hears_others():
    assert draw(TABLE, 3, 2, seed=1) != draw(TABLE, 3, 2, seed=2)


def test_more_speakers_than_there_are_end_the_run():
    with pytest.raises(SystemExit, match="9 speakers wanted, 8 are there"):
        draw(TABLE, 7, 2, seed=1)


def test_links_lead_to_the_files_and_are_made_once(tmp_path):
    (tmp_path / "from" / "id0").mkdir(parents=True)
    (tmp_path / "from" / "id0" / "1.wav").write_text("sound")
    for _ in range(2):
        link_all(["id0/1.wav"], tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / "id0" / "1.wav").read_text() == "sound"


def test_each_cell_is_compared_with_those_before_it_seed_by_seed():
    found = {(2, 4): [9.0, 10.0], (8, 1): [7.0, 9.0], (8, 4): [5.0, 6.0]}
    assert table_of(found, [1, 2]).splitlines()[3] == (
        "| 8 | 1 | 7.00 | 9.00 | 8.00 |"
    )
    said = differences(found).splitlines()
    assert len(said) == 3
    # One degree of freedom: t = 12.706, standard error 0.5
    assert said[0].endswith("2 x 4: -1.50 % of dev EER [-7.85, +4.85], 2 seeds")


def test_a_cell_reads_as_it_is_written():
    assert read_cell("128x5") == (128, 5)


def test_the_teacher_keeps_what_it_says_of_the_recordings_alone(tmp_path):
    paths = [f"dev/{path}" for path in TABLE.path] + ["unlabelled/a/1.wav"]
    numbers = np.arange(len(paths), dtype=np.float16)[:, None]
    np.savez(tmp_path / "all.npz", paths=paths, embeddings=numbers)
    keep_rows(tmp_path / "all.npz", TABLE[3:5], tmp_path / "some.npz")
    with np.load(tmp_path / "some.npz") as kept:
        assert [*kept["paths"]] == paths[3:5]
        assert kept["embeddings"].flatten().tolist() == [3.0, 4.0]
