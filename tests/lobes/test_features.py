import pytest
import torch
from speechbrain.lobes.features import Fbank

from speechbrain_moe.lobes.expert_settings import build_expert
from speechbrain_moe.lobes.features import PAST_END_DB, MarkedFbank
from speechbrain_moe.lobes.padding import frame_counts
from speechbrain_moe.training.values import NUMBERS

_, LONGEST_HOP = NUMBERS["hop_length"]  # ms, of a training


@pytest.fixture(scope="module")
def marked_fbank():
    return MarkedFbank(sample_rate=16000, n_mels=80)


@pytest.mark.parametrize("n_samples", [1600, 8000, 8001, 8159, 16000])
def test_kept_frames_are_all_of_speechbrains_to_the_bit(
    marked_fbank, voices, n_samples
):
    wavs = voices(2, n_samples)
    feats, stock = marked_fbank(wavs), Fbank(n_mels=80)(wavs)
    assert stock.shape[1] == 1 + n_samples // 160
    assert torch.equal(feats[:, :-1], stock)


def test_zeros_at_the_end_are_padding_where_speechbrain_counts_them(
    marked_fbank, voices
):
    wav = voices(1, 8000)
    wav[:, -1] = 0
    assert frame_counts(marked_fbank(wav)) == 50
    assert Fbank(n_mels=80)(wav).shape[1] == 51


def test_last_frame_is_past_the_end(marked_fbank, voices):
    feats = marked_fbank(voices(2, 8000))
    assert feats[:, -1].eq(PAST_END_DB).all()


@pytest.mark.parametrize("n_samples", [8000, 8001, 8039, 8080, 8120, 8159])
@pytest.mark.parametrize("n_padding", [0, 1, 79, 160, 161, 4000, 20000])
def test_count_of_frames_does_not_depend_on_the_padding(
    marked_fbank, voices, n_samples, n_padding
):
    wav = voices(1, n_samples)
    alone = frame_counts(marked_fbank(wav), torch.ones(1))
    total = n_samples + n_padding
    batch = torch.randn(2, total)
    batch[:1] = torch.nn.functional.pad(wav, (0, n_padding))
    lengths = torch.tensor([n_samples / total, 1.0])
    counts = frame_counts(marked_fbank(batch), lengths)
    assert counts[0] == alone[0]


def test_padding_is_known_without_lengths(marked_fbank, voices):
    wav = voices(1, 8000)
    padded = torch.nn.functional.pad(wav, (0, 4000))
    counts = [frame_counts(marked_fbank(w)).item() for w in (wav, padded)]
    assert counts[0] == counts[1]


def test_lengths_count_where_the_padding_is_no_silence(marked_fbank, voices):
    counts = frame_counts(
        marked_fbank(voices(2, 16000)), torch.tensor([0.5, 1.0])
    )
    assert abs(counts[0].item() - 50) <= 1 and counts[1] >= 100


@pytest.mark.parametrize("hop_length", [10, 20])
def test_a_tenth_of_a_second_has_its_frames_however_it_is_padded(
    hop_length, voices
):
    compute_features = MarkedFbank(n_mels=80, hop_length=hop_length)
    wav = voices(1, 1600)
    padded = torch.nn.functional.pad(wav, (0, 16000))
    counts = [frame_counts(compute_features(w)).item() for w in (wav, padded)]
    assert counts[0] == counts[1] == 1 + 100 // hop_length


def test_silence_keeps_ten_frames(marked_fbank):
    feats = marked_fbank(torch.zeros(1, 16000))
    assert (feats[0, :, 0] != PAST_END_DB).sum() == 10


@pytest.mark.parametrize("hop_length", [10, 20, LONGEST_HOP])
@pytest.mark.parametrize("n_samples", [1440, 1500, 1599])
def test_shortest_utterances_embed_alike_alone_and_padded_at_every_hop(
    tiny_model, voices, hop_length, n_samples
):
    model = tiny_model(selection="soft")
    compute_features = MarkedFbank(n_mels=80, hop_length=hop_length)
    wav = voices(1, n_samples)
    padded = torch.nn.functional.pad(wav, (0, 16000 - n_samples))
    with torch.no_grad():
        alone, found = (model(compute_features(w)) for w in (wav, padded))
    assert torch.allclose(alone, found, atol=1e-5)


@pytest.mark.parametrize("sample_rate", [4000, 8000, 11025, 22050, 44100])
def test_the_longest_hop_leaves_the_kernels_their_frames_at_every_rate(
    sample_rate,
):
    compute_features = MarkedFbank(
        n_mels=8,
        sample_rate=sample_rate,
        n_fft=2048,
        f_max=sample_rate / 2,
        hop_length=LONGEST_HOP,
    )
    assert frame_counts(compute_features(torch.zeros(1, 1))) > 4


@pytest.mark.parametrize("hop_length", [10, 20])
@pytest.mark.parametrize("n_samples", [1, 320, 800, 1439])
def test_less_than_the_kernels_need_is_padded_up_to_it(
    tiny_expert, hop_length, n_samples
):
    compute_features = MarkedFbank(n_mels=80, hop_length=hop_length)
    wav = torch.randn(1, n_samples)
    feats = compute_features(wav)
    padded = compute_features(torch.nn.functional.pad(wav, (0, 8000)))
    counts = [frame_counts(f).item() for f in (feats, padded)]
    assert counts[0] == counts[1] == 1 + 90 // hop_length
    kept, wanted = feats[0, : counts[0]], padded[0, : counts[0]]
    assert torch.allclose(kept, wanted, atol=1e-3)
    expert = build_expert(80, 16, tiny_expert).eval()
    assert expert(feats[:, : counts[0]]).isfinite().all()
