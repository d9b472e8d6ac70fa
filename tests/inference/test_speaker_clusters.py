import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference import speaker_clusters
from speechbrain_moe.inference.speaker_clusters import find_speakers


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def people():
    """Embeddings [N, 192] of speakers, mixed, and their centres [K, 32]."""

    def make(sizes, spread=0.033):
        rng = np.random.default_rng(0)
        centres = unit(rng.standard_normal((len(sizes), 192)))
        rows = np.repeat(centres, sizes, axis=0)
        rows = unit(rows + spread * rng.standard_normal(rows.shape))
        return rng.permutation(rows), centres

    return make


def matches(found, centres):
    """Whether each centre was found once, in this order."""
    return found.shape == centres.shape and np.all(
        (found * centres).sum(1) > 0.95
    )


@pytest.mark.parametrize("sizes", [[9], [20, 12], [30, 20, 16, 12, 8]])
def test_speakers_are_found_the_one_who_speaks_most_first(people, sizes):
    embeddings, centres = people(sizes)
    found = find_speakers(embeddings)
    assert matches(found, centres)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_order_of_the_embeddings_does_not_matter(people):
    embeddings, _ = people([20, 12, 7])
    turned = find_speakers(embeddings[::-1])
    assert np.allclose(find_speakers(embeddings), turned)


def test_a_few_odd_windows_are_nobody(people):
    embeddings, centres = people([20, 12, 1, 1, 2])
    assert matches(find_speakers(embeddings), centres[:2])
    assert matches(find_speakers(embeddings, n_speakers=2), centres[:2])


def test_speaker_has_a_share_of_a_long_recording(people):
    embeddings, centres = people([300, 200, 8])
    assert matches(find_speakers(embeddings), centres[:2])
    embeddings, centres = people([60, 40, 8])
    assert matches(find_speakers(embeddings), centres)


def test_as_many_speakers_as_wanted(people):
    embeddings, centres = people([20, 12, 8])
    assert matches(find_speakers(embeddings, n_speakers=3), centres)
    for n_speakers in (1, 2, 4, 40):
        assert len(find_speakers(embeddings, n_speakers)) == n_speakers


def test_shorter_distance_finds_more_speakers(people):
    embeddings, _ = people([40], spread=0.12)
    assert len(find_speakers(embeddings, max_distance=1.5)) == 1
    assert len(find_speakers(embeddings, max_distance=0.72)) > 1


def test_speakers_of_a_long_recording_are_those_of_a_short_one(
    people, monkeypatch
):
    embeddings, centres = people([90, 60, 40])
    together = find_speakers(embeddings)
    monkeypatch.setattr(speaker_clusters, "BLOCK", 50)
    by_blocks = find_speakers(embeddings)
    assert matches(by_blocks, centres)
    assert np.allclose(by_blocks, together, atol=0.02)
    assert matches(find_speakers(embeddings, 3), centres)


@pytest.mark.parametrize("n_windows", [100, 220, 900])
def test_voices_that_are_alike_are_told_apart_in_long_recordings(
    monkeypatch, n_windows
):
    """Cosine of their centres 0.6; they take turns of 20 windows."""
    monkeypatch.setattr(speaker_clusters, "BLOCK", 100)
    rng = np.random.default_rng(0)
    other = np.r_[0.6, 0.8, np.zeros(190)]
    centres = np.stack([np.eye(192)[0], other])
    who = np.arange(n_windows) // 20 % 2
    noise = 0.06 * rng.standard_normal((n_windows, 192))
    embeddings = unit(centres[who] + noise)
    found = find_speakers(embeddings, n_speakers=2)
    nearest = (embeddings @ found.T).argmax(1)
    assert max(np.mean(nearest == who), np.mean(nearest != who)) > 0.98
    assert len(find_speakers(embeddings, n_speakers=3)) == 3


def test_one_embedding_is_one_speaker():
    assert find_speakers(np.eye(3)[:1]).tolist() == [[1.0, 0.0, 0.0]]
    assert len(find_speakers(np.eye(3)[:1], n_speakers=1)) == 1


def test_equal_embeddings_can_be_told_apart_if_asked_to():
    # Rounding makes their cosines 1 and a little more
    embeddings = unit(np.random.default_rng(0).standard_normal((1, 32)))
    embeddings = embeddings.repeat(5, axis=0) * (1 + 1e-7)
    assert len(find_speakers(embeddings, n_speakers=2)) == 2


@pytest.mark.parametrize("n_speakers", [0, -1, 4, 1.5])
def test_impossible_number_of_speakers_is_refused(n_speakers):
    wanted = "1 to 3" if n_speakers == 4 else "a whole number from 1 on"
    with pytest.raises(InputError, match=f"is {n_speakers}; give {wanted}"):
        find_speakers(np.eye(3), n_speakers)


@pytest.mark.parametrize("max_distance", [0.0, -1.0, float("nan")])
def test_impossible_distance_is_refused(max_distance):
    with pytest.raises(InputError, match="max_distance is"):
        find_speakers(np.eye(3), max_distance=max_distance)
