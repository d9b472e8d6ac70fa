import tracemalloc

import numpy as np
import pytest
import soundfile
import torch
from speechbrain.dataio.preprocess import AudioNormalizer

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference import diarization, recordings
from speechbrain_moe.inference.diarization import (
    Segment,
    cut_spans,
    diarize_file,
    tell_segments,
    windows_of,
    write_rttm,
)
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.recognition import MoESpeakerRecognition
from speechbrain_moe.inference.speech_regions import Region

TURNS = "abacbc"
TURN_S = 3.0


@pytest.fixture
def encoder(experiment):
    return MoESpeakerRecognition.from_encoder(load_encoder(experiment))


@pytest.fixture
def talk(voices, tmp_path, monkeypatch):
    """Three voices in turns of 3 s, a second of silence before each."""
    wavs = dict(zip("abc", voices(3, 48000, seed=3).numpy()))
    path = tmp_path / "a talk.wav"
    parts = [np.pad(wavs[name], (16000, 0)) for name in TURNS]
    soundfile.write(path, np.concatenate(parts), 16000, subtype="FLOAT")
    regions = [Region(4.0 * i + 1, 4.0 * i + 4) for i in range(len(TURNS))]
    monkeypatch.setattr(diarization, "find_speech", lambda path: regions)
    return path


def test_each_turn_is_told_with_its_speaker(encoder, talk):
    told = diarize_file(encoder, talk, n_speakers=3)
    names = {"a": "speaker_1", "b": "speaker_2", "c": "speaker_3"}
    assert told == [
        Segment(4.0 * i + 1, 4.0 * i + 4, names[name])
        for i, name in enumerate(TURNS)
    ]


def test_number_of_speakers_is_found(encoder, talk):
    # By how far apart the voices of a model without training are
    wanted = diarize_file(encoder, talk, n_speakers=3)
    assert diarize_file(encoder, talk, max_distance=0.01) == wanted
    told = diarize_file(encoder, talk, max_distance=1.9)
    assert {segment.speaker for segment in told} == {"speaker_1"}


def test_windows_and_batches_change_no_answer(encoder, talk, monkeypatch):
    wanted = diarize_file(encoder, talk, n_speakers=3)
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 1.7)
    monkeypatch.setattr(diarization, "BATCH_SIZE", 3)
    assert diarize_file(encoder, talk, n_speakers=3) == wanted


def test_embeddings_are_those_of_the_cut_files(encoder, talk):
    spans = [Region(1.0, 3.0), Region(2.25, 3.0), Region(9.5, 11.5)]
    found = diarization.embed_spans(encoder, talk, spans)
    wav = torch.from_numpy(soundfile.read(talk, dtype="float32")[0])
    for (start, end), row in zip(spans, found):
        cut = wav[int(16000 * start) : int(16000 * end)]
        wanted = encoder.encode_batch(cut).flatten().numpy()
        assert row @ wanted > 1 - 1e-6


def test_no_more_of_a_file_is_held_than_a_window_and_a_block(talk, monkeypatch):
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.5)
    held = []
    cat = torch.cat

    def recorded(parts):
        held.append(sum(map(len, parts)))
        return cat(parts)

    monkeypatch.setattr(diarization.torch, "cat", recorded)
    regions = [Region(0.1, 3.9), Region(4.0, 4.3), Region(12.3, 24.0)]
    spans = [span for region in regions for span in windows_of(region)]
    wav = soundfile.read(talk, dtype="float32")[0]
    cuts = cut_spans(talk, spans, AudioNormalizer(16000))
    for span, cut in zip(spans, cuts):
        start, end = (round(16000 * second) for second in span)
        assert np.array_equal(cut, wav[start:end])
    assert 0 < max(held) <= 16000 * (diarization.WINDOW_S + 0.5)


@pytest.mark.parametrize("length_s", [0.3, 1.99, 2.0, 2.01, 2.5, 7.3])
def test_windows_cover_a_region_and_have_one_length(length_s):
    spans = windows_of(Region(10.0, 10.0 + length_s))
    starts, ends = np.array(spans).T
    assert starts[0] == 10.0 and ends[-1] == pytest.approx(10.0 + length_s)
    wanted = min(length_s, diarization.WINDOW_S)
    assert np.allclose(ends - starts, wanted)
    steps = np.diff(starts)
    assert (steps <= diarization.HOP_S + 1e-9).all() and (steps > 0).all()


def test_change_of_speaker_lies_where_the_windows_change():
    region = Region(0.0, 8.0)
    spans = windows_of(region)
    middles = np.array(spans).mean(1)
    first = np.clip(4.5 - middles, -1, 1)  # the windows over 4 s are mixed
    told = tell_segments([region], spans, np.stack([first, -first], 1))
    assert [s.speaker for s in told] == ["speaker_1", "speaker_2"]
    assert told[0].end_s == told[1].start_s == pytest.approx(4.5, abs=0.11)
    assert told[0].start_s == 0.0 and told[1].end_s == 8.0


def test_segments_cover_the_regions():
    rng = np.random.default_rng(0)
    regions = [Region(0.2, 0.25), Region(1.0, 9.77), Region(9.8, 12.0)]
    spans = [span for region in regions for span in windows_of(region)]
    told = tell_segments(regions, spans, rng.standard_normal((len(spans), 3)))
    assert len(told) > len(regions)
    joined = [list(told[0][:2])]
    for start, end, _ in told[1:]:
        if start == joined[-1][1]:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    assert [Region(*pair) for pair in joined] == regions


def test_memory_does_not_grow_with_the_square_of_a_region():
    region = Region(0.0, 1200.0)  # twenty minutes without a pause
    spans = windows_of(region)
    turns = np.arange(len(spans)) // 20 % 2
    tracemalloc.start()
    try:
        told = tell_segments([region], spans, np.eye(2)[turns])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(told) == 1 + np.count_nonzero(np.diff(turns))
    assert peak < 20e6


def test_short_regions_are_told_but_make_no_speaker(encoder, talk, monkeypatch):
    regions = [Region(1.0, 4.0), Region(5.0, 5.5), Region(9.0, 12.0)]
    monkeypatch.setattr(diarization, "find_speech", lambda path: regions)
    counts = []
    find = diarization.find_speakers

    def counted(embeddings, *given):
        counts.append(len(embeddings))
        return find(embeddings, *given)

    monkeypatch.setattr(diarization, "find_speakers", counted)
    told = diarize_file(encoder, talk, n_speakers=1)
    assert [segment[:2] for segment in told] == regions
    assert counts == [6]
    regions[:] = [Region(5.0, 5.5)]  # unless there is nothing else
    assert diarize_file(encoder, talk) == [(5.0, 5.5, "speaker_1")]


def test_recording_in_which_nobody_speaks_is_refused(
    encoder, talk, monkeypatch
):
    monkeypatch.setattr(diarization, "find_speech", lambda path: [])
    with pytest.raises(AudioError, match="a talk.wav: nobody speaks"):
        diarize_file(encoder, talk)


@pytest.mark.parametrize("n_speakers", [0, 1000])
def test_impossible_number_of_speakers_is_refused(encoder, talk, n_speakers):
    with pytest.raises(InputError, match=f"n_speakers is {n_speakers}; give"):
        diarize_file(encoder, talk, n_speakers)


@pytest.mark.parametrize(
    "wrong", [{"n_speakers": 0}, {"n_speakers": 2.5}, {"max_distance": 0}]
)
def test_wrong_settings_are_refused_before_the_file_is_read(wrong, monkeypatch):
    monkeypatch.delattr(diarization, "find_speech")
    (name,) = wrong
    with pytest.raises(InputError, match=f"{name} is {wrong[name]}; give"):
        diarize_file(None, "talk.wav", **wrong)


def test_rttm_has_ten_fields_a_line(tmp_path):
    segments = [Segment(0.1, 2.35, "speaker_1"), Segment(3, 4, "speaker_2")]
    path = tmp_path / "new" / "talk.rttm"
    write_rttm(path, segments, "calls/a talk.v2.wav")
    lines = path.read_text().splitlines()
    assert [len(line.split()) for line in lines] == [10, 10]
    assert lines == [
        "SPEAKER a_talk.v2 1 0.100 2.250 <NA> <NA> speaker_1 <NA> <NA>",
        "SPEAKER a_talk.v2 1 3.000 1.000 <NA> <NA> speaker_2 <NA> <NA>",
    ]


def test_segments_that_meet_still_meet_in_rttm(tmp_path):
    edges = [0.1004, 0.2009, 0.3014, 0.4016, 0.7]  # to a millisecond and less
    path = tmp_path / "talk.rttm"
    pairs = zip(edges, edges[1:])
    write_rttm(path, [Segment(*pair, "speaker_1") for pair in pairs], "talk")
    rows = [line.split()[3:5] for line in path.read_text().splitlines()]
    ends = [round(float(start) + float(length), 3) for start, length in rows]
    assert ends[:-1] == [float(start) for start, _ in rows[1:]]


def test_a_name_with_blanks_is_one_field_of_rttm(tmp_path):
    write_rttm(tmp_path / "a.rttm", [Segment(0, 1, "Ann Lee")], "a.wav")
    fields = (tmp_path / "a.rttm").read_text().split()
    assert len(fields) == 10 and fields[7] == "Ann_Lee"
