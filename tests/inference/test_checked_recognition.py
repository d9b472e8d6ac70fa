"""Stock behaviour kept, and every wrong kind of input refused."""

import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference.checked_recognition import CheckedRecognition
from speechbrain_moe.inference.export import load_encoder


@pytest.fixture
def stock(experiment):
    return load_encoder(experiment)


@pytest.fixture
def encoder(stock):
    return CheckedRecognition.from_encoder(stock)


@pytest.fixture
def wavs(voices):
    return voices(3, 16000)


@pytest.fixture
def write(tmp_path, wavs):
    """Write a file of some kind; a voice unless told otherwise."""

    def run(name, wav=None, rate=16000, **kwargs):
        wav = wavs[0] if wav is None else wav
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.asarray(wav), rate, **kwargs)
        return path

    return run


def test_embeddings_and_classes_are_those_of_stock(encoder, stock, wavs):
    lens = torch.tensor([1.0, 0.5, 0.8])
    for given in ((wavs,), (wavs, lens), (wavs[0],), (wavs, lens, True)):
        found = encoder.encode_batch(*given)
        assert torch.equal(found, stock.encode_batch(*given))
    found, wanted = encoder.classify_batch(wavs), stock.classify_batch(wavs)
    assert torch.equal(found[0], wanted[0]) and found[3] == wanted[3]


def test_scores_of_batches_are_those_of_stock(encoder, stock, wavs):
    found = encoder.verify_batch(wavs, wavs.flip(0), threshold=0.9)
    wanted = stock.verify_batch(wavs, wavs.flip(0), threshold=0.9)
    assert all(map(torch.equal, found, wanted))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 48000])
def test_scores_of_files_are_those_of_stock(encoder, stock, write, wavs, rate):
    paths = [
        write(f"{i}.wav", np.stack([wavs[i], wavs[i] / 2], axis=1), rate)
        for i in range(2)
    ]
    found = encoder.verify_files(*paths)
    wanted = stock.verify_files(*map(str, paths))
    assert found[0].shape == wanted[0].shape == (1,)
    assert torch.allclose(found[0], wanted[0], atol=1e-5)
    assert found[1].dtype == torch.bool and torch.equal(found[1], wanted[1])


def test_file_is_classified_as_stock_does(encoder, stock, write):
    path = str(write("a.wav"))
    found, wanted = encoder.classify_file(path), stock.classify_file(path)
    assert torch.allclose(found[0], wanted[0], atol=1e-5)
    assert found[3] == wanted[3]


def test_threshold_of_files_can_be_given(encoder, write, wavs):
    paths = [write(f"{i}.wav", wavs[i]) for i in range(2)]
    score, _ = encoder.verify_files(*paths)
    for shift, same in ((-0.01, True), (0.01, False)):
        value = min(1.0, score.item() + shift)
        _, found = encoder.verify_files(*paths, threshold=value)
        assert found.item() is (same and score.item() > value)
    with pytest.raises(InputError, match="no threshold eer"):
        encoder.verify_files(*paths, threshold="eer")


def test_savedir_does_not_take_one_file_for_another(
    encoder, write, wavs, tmp_path
):
    one = write("a/x.wav", wavs[0])
    other = write("b/x.wav", wavs[1])
    plain, _ = encoder.verify_files(one, other)
    saved, _ = encoder.verify_files(one, other, savedir=str(tmp_path / "s"))
    assert torch.equal(plain, saved) and plain.item() < 0.99999


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("a.flac", {}),
        ("a.wav", {"subtype": "PCM_U8"}),
        ("a.wav", {"rate": 8000}),
        ("a.wav", {"rate": 11025}),
        ("a.wav", {"rate": 48000}),
    ],
)
def test_other_formats_and_rates_are_read(encoder, write, name, kwargs):
    score, _ = encoder.verify_files(write(name, **kwargs), write("b.wav"))
    assert torch.isfinite(score).all()


def test_six_channels_are_read_as_their_mean(encoder, write, wavs):
    path = write("a.wav", np.tile(wavs[:1].T, 6))
    score, same = encoder.verify_files(path, write("b.wav"))
    assert score.item() > 0.999 and same.item()


def test_antiphase_file_is_named(encoder, write, wavs):
    path = write("a.wav", torch.stack([wavs[0], -wavs[0]], 1))
    with pytest.raises(AudioError, match="a.wav: its 2 channels cancel"):
        encoder.verify_files(path, write("b.wav"))


def test_silent_file_is_named(encoder, write):
    path = write("a.wav", np.zeros(16000))
    with pytest.raises(AudioError, match="a.wav: is digital silence"):
        encoder.verify_files(write("b.wav"), path)


def test_file_too_quiet_to_be_heard_is_named(encoder, write, wavs):
    path = write("quiet.wav", wavs[0] * 1e-4, subtype="FLOAT")
    with pytest.raises(AudioError, match="quiet.wav: is below -80 dB"):
        encoder.verify_files(path, path)


def test_too_short_file_is_refused(encoder, write, wavs):
    with pytest.raises(AudioError, match="a.wav: lasts 0.050 s"):
        encoder.verify_files(write("a.wav", wavs[0, :800]), write("b.wav"))


@pytest.mark.parametrize(
    "damage, why",
    [
        (lambda path: path.write_bytes(b""), "cannot be decoded"),
        (lambda path: path.write_bytes(b"no sound"), "cannot be decoded"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "truncated"),
        (lambda path: path.unlink(), "no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
    ],
    ids=["empty", "corrupt", "truncated", "missing", "folder"],
)
def test_broken_file_is_refused_by_name(encoder, write, damage, why):
    path = write("a.wav")
    damage(path)
    for call in (encoder.verify_files, lambda a, b: encoder.classify_file(b)):
        with pytest.raises(AudioError, match=f"a.wav: .*{why}"):
            call(write("b.wav"), path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda wavs: wavs * 0,
        lambda wavs: wavs / 0,
        lambda wavs: wavs[:, :800],
        lambda wavs: wavs.unsqueeze(1),
        lambda wavs: torch.stack([wavs, wavs], 2),
        lambda wavs: torch.stack([wavs[0], -wavs[0]]),
    ],
    ids=["silent", "nan", "short", "B1T", "BT2", "stereo"],
)
def test_bad_waveforms_are_refused_wherever_given(encoder, wavs, damage):
    bad = damage(wavs)
    for call in (
        encoder.encode_batch,
        encoder.classify_batch,
        lambda bad: encoder.verify_batch(wavs, bad),
    ):
        with pytest.raises(InputError):
            call(bad)


@pytest.mark.parametrize(
    "lens",
    [[1.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0, float("nan"), 1.0], [2.0] * 3]
    + [[1.0] * 2, [16000.0] * 3],
    ids=["zero", "negative", "nan", "above 1", "too few", "samples"],
)
def test_bad_lengths_are_refused_wherever_given(encoder, wavs, lens):
    lens = torch.tensor(lens)
    for call in (
        lambda: encoder.encode_batch(wavs, lens),
        lambda: encoder.classify_batch(wavs, lens),
        lambda: encoder.verify_batch(wavs, wavs, None, lens),
    ):
        with pytest.raises(InputError, match="wav_lens"):
            call()


def test_arrays_are_taken_as_tensors(encoder, wavs):
    found = encoder.encode_batch(wavs.numpy())
    assert torch.equal(found, encoder.encode_batch(wavs))


def test_nothing_is_learnt_without_a_calibration(encoder):
    assert encoder.learnt.calibration is None
    assert "from_hparams" in encoder.learnt.missing
