"""The table of bad input: no case ends in anything but a clear answer."""

import re

import bad_input
import pytest
import soundfile

from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.recognition import MoESpeakerRecognition

KINDS = r"(AudioError|InputError|no decision): |-?[01]\.\d{3},? (True|False)"
GOOD = {"six channels", "11025 Hz", "48000 Hz", "u8", "flac", "numpy array"}


@pytest.fixture
def encoder(experiment):
    return MoESpeakerRecognition.from_encoder(load_encoder(experiment))


def test_every_bad_file_is_named_or_gets_no_decision(encoder, tmp_path):
    enrol = tmp_path / "voice.wav"
    soundfile.write(enrol, bad_input.make_voice(), 16000)
    call = bad_input.our_files(encoder, enrol)
    for case, path in bad_input.file_cases(tmp_path):
        found = bad_input.outcome(call, path)
        assert re.match(KINDS, found), (case, found)
        assert found.endswith(("True", "False")) == (case in GOOD), case


def test_every_bad_batch_is_a_typed_error(encoder):
    call = bad_input.on_batch(encoder)
    for case, wavs, lens in bad_input.batch_cases():
        found = bad_input.outcome(call, wavs, lens)
        assert re.match(KINDS, found), (case, found)
        assert found.startswith("InputError") == (case not in GOOD), case


def test_stock_network_takes_lengths_that_cannot_be():
    call = bad_input.on_batch(bad_input.own_network())
    cases = {case: given for case, *given in bad_input.batch_cases()}
    for case in ("wav_lens > 1", "wav_lens in samples"):
        assert re.match(r"1.000 True, ", bad_input.outcome(call, *cases[case]))


def test_tables_have_a_row_for_each_case(encoder, monkeypatch):
    monkeypatch.setattr(bad_input, "own_network", lambda: encoder)
    files = list(bad_input.file_table(encoder, encoder))
    batches = list(bad_input.batch_table(encoder, encoder))
    assert len(batches) == 2 + len(list(bad_input.batch_cases()))
    assert {line.count(" | ") for line in files[2:]} == {2}
    assert {line.count(" | ") for line in batches[2:]} == {3}
