"""What a network has of its teacher."""

import numpy as np
import pandas as pd
from teacher_gap import N_FILES, People, draw_people, line


def test_speakers_are_drawn_whole_and_the_same_each_time(tmp_path):
    names = np.repeat([f"id{i}" for i in range(9)], N_FILES + 3)
    table = pd.DataFrame({"spk_id": names})
    table["path"] = [f"{name}/{i}.wav" for i, name in enumerate(names)]
    people = draw_people("heard", table, tmp_path, 4)
    assert len({*people.speakers}) == 4
    assert len(people.files) == 4 * N_FILES
    assert people.files == draw_people("heard", table, tmp_path, 4).files


def test_a_line_tells_errors_and_what_lies_between_and_within():
    unit = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0.6, 0.8], [0.8, 0.6]])
    people = People("heard", [], np.repeat(["a", "b", "c"], 2))
    # Pairs by cosine: 1, 1, 0.96 of one speaker; six of 0.8, 0.6 and four of 0
    assert line(people, "x", unit).startswith("| heard | x | 0.00 | ")
    cells = line(people, "x", unit).strip(" |").split(" | ")
    between, within = map(float, cells[3:])
    means = np.array([[1, 0], [0, 1], [0.7, 0.7]])
    wanted = ((means - means.mean(0)) ** 2).sum(1).mean()
    assert abs(between - wanted) < 1e-3
    assert abs(within - 0.02 / 3) < 1e-3
