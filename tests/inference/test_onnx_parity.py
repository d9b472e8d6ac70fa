import pytest
import torch

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference import onnx_parity
from speechbrain_moe.inference.onnx_parity import (
    check_parity,
    sounds_to_check,
)


def test_sounds_are_short_and_long_faint_and_clipped_and_padded():
    *alone, padded = sounds_to_check(16000)
    lengths = [wavs.shape[1] for wavs in alone]
    peaks = [wavs.abs().max().item() for wavs in alone]
    assert min(lengths) == 4800 and max(lengths) == 480000
    assert min(peaks) < 1e-3 and max(peaks) == 1.0
    for wav, row in zip(alone, padded):
        assert torch.equal(row[: wav.shape[1]], wav[0])
        assert not row[wav.shape[1] :].any()


@pytest.mark.parametrize("distance", [1e-5, float("nan")])
def test_a_file_that_differs_or_gives_nan_is_refused(monkeypatch, distance):
    monkeypatch.setattr(
        onnx_parity, "largest_distance", lambda *given: distance
    )
    with pytest.raises(PackageError, match="a.onnx: .*nothing was written"):
        check_parity(b"", encoder=None, name="a.onnx")
