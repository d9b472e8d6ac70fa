import numpy as np
import pytest
import torch

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.inputs import checked_wavs


@pytest.fixture
def wavs(voices):
    return voices(3, 16000)


def test_what_is_right_goes_through_as_it_came(wavs):
    lens = torch.tensor([1.0, 0.5, 0.1])
    found, found_lens = checked_wavs(wavs, lens)
    assert found is wavs and torch.equal(found_lens, lens)
    assert checked_wavs(wavs)[1] is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", "g"])
def test_arrays_are_taken_as_tensors(wavs, dtype):
    found, lens = checked_wavs(wavs.numpy().astype(dtype), np.ones(3))
    assert torch.equal(found, wavs) and lens.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32])
def test_integers_are_scaled(wavs, dtype):
    scale = torch.iinfo(dtype).max + 1
    found, _ = checked_wavs((wavs * scale).to(dtype))
    assert torch.allclose(found, wavs, atol=1e-4)


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda wavs: (wavs * 32767).to(torch.int32), "give int16"),
        (lambda wavs: wavs * 1e-4, r"wavs\[0\] is too quiet"),
        (lambda wavs: 0.5 + wavs * 1e-4, r"wavs\[0\] is too quiet"),
    ],
    ids=["16 bits in 32", "quiet", "quiet beside zero"],
)
def test_sound_that_features_would_lose_is_refused(wavs, change, why):
    with pytest.raises(InputError, match=why):
        checked_wavs(change(wavs))


def test_arrays_that_may_not_be_written_are_taken(wavs):
    whole = (wavs.numpy() * 32767).astype("<i2")
    locked = np.frombuffer(whole.tobytes(), "<i2").reshape(whole.shape)
    assert torch.allclose(checked_wavs(locked)[0], wavs, atol=1e-4)


def test_single_waveform_becomes_a_batch(wavs):
    assert torch.equal(checked_wavs(wavs[0])[0], wavs[:1])


@pytest.mark.parametrize(
    "given",
    [
        "a.wav",
        [0.1] * 16000,
        None,
        torch.zeros(1, 16000, dtype=torch.bool),
        torch.zeros(1, 16000, dtype=torch.complex64),
        np.array(["a"]),
    ],
    ids=["path", "list", "None", "bool", "complex", "text"],
)
def test_other_types_are_refused(given):
    with pytest.raises(InputError, match="wavs"):
        checked_wavs(given)


@pytest.mark.parametrize(
    "shape, why",
    [
        ((2, 1, 16000), "drop their axis"),
        ((2, 16000, 2), "drop their axis"),
        ((16000, 2), "looks like"),
        ((0, 16000), "no samples"),
        ((1, 0), "no samples"),
        ((0,), "no samples"),
        ((), "drop their axis"),
    ],
)
def test_other_shapes_are_refused(shape, why):
    with pytest.raises(InputError, match=why):
        checked_wavs(torch.randn(shape))


@pytest.mark.parametrize("other", [-1.0, 0.4])
def test_stereo_in_the_place_of_a_batch_is_refused(wavs, other):
    channel = other * wavs[0] + 0.01 * wavs[1]
    pair = torch.stack([wavs[0], channel])
    with pytest.raises(InputError, match="channels of one recording"):
        checked_wavs(pair)
    assert torch.equal(checked_wavs(pair, torch.ones(2))[0], pair)


def test_two_utterances_and_a_repeated_one_are_no_stereo(wavs):
    checked_wavs(wavs[:2])
    checked_wavs(wavs[:1].repeat(2, 1))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_samples_that_are_not_finite_are_refused(wavs, bad):
    wavs[1, 5] = bad
    with pytest.raises(InputError, match="NaN or Inf"):
        checked_wavs(wavs)


def test_samples_too_large_to_be_sound_are_refused(wavs):
    with pytest.raises(InputError, match="samples of .*, wanted -1 to 1"):
        checked_wavs(wavs * 1e19)


@pytest.mark.parametrize("bad", [0.0, -0.5, float("nan"), 1.01, 16000])
def test_lengths_out_of_range_are_refused_by_row(wavs, bad):
    with pytest.raises(InputError, match=r"wav_lens\[1\] is"):
        checked_wavs(wavs, torch.tensor([1.0, bad, 1.0]))


@pytest.mark.parametrize("lens", [[1.0], [1.0] * 4, [[1.0] * 3]])
def test_lengths_of_another_batch_are_refused(wavs, lens):
    with pytest.raises(InputError, match="for 3 utterances"):
        checked_wavs(wavs, torch.tensor(lens))


def test_lengths_in_samples_are_refused(wavs):
    with pytest.raises(InputError, match=r"wav_lens\[0\] is 16000.*not samp"):
        checked_wavs(wavs, torch.tensor([16000, 8000, 16000]))
    assert checked_wavs(wavs, torch.tensor([1, 1, 1]))[1].tolist() == [1] * 3


def test_utterance_that_is_too_short_is_refused_by_row(wavs):
    with pytest.raises(InputError, match=r"wavs\[0\] lasts 0.099 s"):
        checked_wavs(wavs[:, :1590])
    with pytest.raises(InputError, match=r"wavs\[2\] lasts 0.080 s"):
        checked_wavs(wavs, torch.tensor([1.0, 1.0, 0.08]))


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_digital_silence_is_refused_by_row(wavs, level):
    wavs[1, :8000] = level
    with pytest.raises(InputError, match=r"wavs\[1\] is digital silence"):
        checked_wavs(wavs, torch.tensor([1.0, 0.5, 1.0]))
