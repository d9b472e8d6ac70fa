import pytest
import torch
from speechbrain.dataio.dataio import length_to_mask
from speechbrain.lobes.features import Fbank

from speechbrain_moe.errors import InputError
from speechbrain_moe.lobes.padding import (
    frame_counts,
    frame_mask,
    relative_lengths,
    remove_level,
    remove_mean,
)


@pytest.fixture
def padded(utterances):
    """Features of which the second utterance ends after 60 frames."""
    return utterances(2), frame_mask(torch.tensor([100, 60]), 100)


@pytest.mark.parametrize("T", [1, 2, 7, 99, 100, 101, 301, 1001])
def test_share_n_of_t_frames_counts_n_frames(T):
    counts = torch.arange(1, T + 1)
    found = frame_counts(torch.zeros(T, T, 1), counts / T)
    assert found.tolist() == counts.tolist()


@pytest.mark.parametrize("n_hops", [1, 3, 50, 100, 301])
def test_share_of_samples_counts_the_frames_of_the_short_waveform(n_hops):
    short = torch.arange(1, n_hops + 1)
    found = frame_counts(torch.zeros(n_hops, n_hops + 1, 1), short / n_hops)
    assert found.tolist() == (short + 1).tolist()


def test_share_of_samples_counts_the_frames_that_fbank_gives(voices):
    compute_features, wav = Fbank(n_mels=80), voices(1, 160 * 80)
    alone = compute_features(wav[:, : 160 * 53]).shape[1]
    feats = compute_features(wav)
    assert frame_counts(feats, torch.tensor([53 / 80])).tolist() == [alone]


def test_any_two_lengths_count_to_within_one_frame():
    n_samples = torch.arange(1600, 16077)
    feats = torch.zeros(len(n_samples), 1 + 16077 // 160, 1)
    found = frame_counts(feats, n_samples / 16077)
    assert (found - (1 + n_samples // 160)).abs().max() <= 1


@pytest.mark.parametrize("T", [1, 2, 7, 100, 301, 1001])
def test_speechbrain_masks_the_same_frames(T):
    counts = torch.arange(1, T + 1)
    lengths = relative_lengths(counts, T)
    stock = length_to_mask(lengths * T, max_len=T).bool()
    assert torch.equal(stock, frame_mask(counts, T).squeeze(2))


def test_counts_survive_their_own_relative_lengths():
    counts = torch.arange(1, 302)
    lengths = relative_lengths(counts, 301)
    found = frame_counts(torch.zeros(301, 301, 1), lengths)
    assert found.tolist() == counts.tolist()


def test_without_lengths_nothing_is_padding():
    counts = frame_counts(torch.zeros(3, 7, 80))
    assert counts.tolist() == [7, 7, 7] and counts.dtype == torch.int64


def test_rounding_above_one_counts_all_frames():
    lengths = torch.tensor([1.0 + 1e-6, 1e-9])
    assert frame_counts(torch.zeros(2, 7, 80), lengths).tolist() == [7, 1]


@pytest.mark.parametrize(
    "length", [0.0, -0.5, 1.5, 16000.0, float("nan"), float("inf")]
)
def test_length_outside_zero_to_one_is_refused(length):
    with pytest.raises(InputError, match=r"must lie in \(0, 1\], as a share"):
        frame_counts(torch.zeros(2, 7, 80), torch.tensor([1.0, length]))


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), ()])
def test_wrong_number_of_lengths_is_refused(shape):
    with pytest.raises(InputError, match="2 utterances.*one relative length"):
        frame_counts(torch.zeros(2, 7, 80), torch.ones(shape))


def test_mean_over_time_is_removed_from_each_mel(padded):
    normalised = remove_mean(*padded)
    sums = normalised.sum(1)
    assert torch.allclose(sums, torch.zeros_like(sums), atol=2e-3)


def test_mean_over_time_and_mels_is_removed_as_one_scalar(padded):
    feats, mask = padded
    levelled = remove_level(feats, mask)
    shift = (feats - levelled)[0]
    assert torch.allclose(shift, shift[0, 0].expand_as(shift), atol=1e-4)
    assert levelled[1].sum().abs() < 1e-1 and levelled[0].sum().abs() < 1e-1


@pytest.mark.parametrize("remove", [remove_mean, remove_level])
def test_padding_is_zero_and_has_no_effect_whatever_it_held(padded, remove):
    feats, mask = padded
    clean = remove(feats, mask)
    dirty = remove(feats.masked_fill(~mask, float("nan")), mask)
    assert torch.equal(clean, dirty)
    assert clean[1, 60:].eq(0).all() and clean[1, :60].ne(0).any()


def test_channel_stays_in_without_level_and_goes_with_the_mean(padded):
    feats, mask = padded
    channel = torch.linspace(-9, 9, 80)
    kept = remove_level(feats + channel, mask) - remove_level(feats, mask)
    gone = remove_mean(feats + channel, mask) - remove_mean(feats, mask)
    assert torch.allclose(kept[0, 0], channel, atol=1e-3)
    assert gone.abs().max() < 1e-3
