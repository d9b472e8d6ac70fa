"""Map of embeddings: groups apart, named, and the same each time."""

from itertools import combinations

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.speaker_map import plot_embeddings

pytest.importorskip("sklearn")


@pytest.fixture
def voices():
    """Twelve files of each of three speakers."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(["ann", "bob", "cid"], 12)
    centres = np.repeat(4 * rng.normal(size=(3, 16)), 12, axis=0)
    return centres + rng.normal(size=(36, 16)), speakers


def offsets(figure):
    return [c.get_offsets().data for c in figure.axes[0].collections]


def test_files_of_a_group_lie_nearer_than_those_of_others(drawn, voices):
    groups = offsets(drawn(plot_embeddings, *voices))
    assert [len(points) for points in groups] == [12, 12, 12]
    centres = np.array([points.mean(0) for points in groups])
    for i, points in enumerate(groups):
        distances = np.linalg.norm(points[:, None] - centres, axis=2)
        assert (distances.argmin(1) == i).all()


def test_the_same_seed_gives_the_same_map(drawn, voices):
    first, second = (offsets(drawn(plot_embeddings, *voices)) for _ in "ab")
    np.testing.assert_array_equal(first, second)


def test_each_group_carries_its_name(drawn, voices):
    texts = drawn(plot_embeddings, *voices).axes[0].texts
    assert [text.get_text() for text in texts] == ["ann", "bob", "cid"]


def test_no_name_lies_on_another_or_beside_the_picture(drawn):
    rng = np.random.default_rng(0)
    groups = [f"a rather long name {i:02}" for i in range(42)]
    figure = drawn(plot_embeddings, rng.normal(size=(42, 8)), groups)
    figure.draw_without_rendering()
    boxes = [
        text.get_bbox_patch().get_window_extent()
        for text in figure.axes[0].texts
    ]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert all(0 <= box.x0 and box.x1 <= figure.bbox.width for box in boxes)


def test_as_many_groups_as_are_let_in_look_different(drawn):
    rng = np.random.default_rng(0)
    groups = [f"{i:02}" for i in range(42)]
    figure = drawn(plot_embeddings, rng.normal(size=(42, 8)), groups)
    looks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes())
        for c in figure.axes[0].collections
    }
    assert len(looks) == 42


@pytest.mark.parametrize(
    ("shape", "groups", "words"),
    [
        ((7, 4), ["a"] * 7, "takes 8 or more"),
        ((9, 4), ["a"] * 8, "one group per row"),
        ((9,), ["a"] * 9, "one group per row"),
        ((43, 4), [str(i) for i in range(43)], "tells 42 apart"),
    ],
)
def test_what_has_no_map_is_refused(tmp_path, shape, groups, words):
    with pytest.raises(InputError, match=words):
        plot_embeddings(np.ones(shape), groups, tmp_path / "x.png")


def test_embeddings_that_are_no_numbers_are_refused(tmp_path):
    embeddings = np.ones((9, 4))
    embeddings[3, 2] = np.nan
    with pytest.raises(InputError, match="NaN"):
        plot_embeddings(embeddings, ["a"] * 9, tmp_path / "x.png")
