import math

import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError, HyperparameterError
from speechbrain_moe.training.crops import (
    change_speed,
    check_speeds,
    fill,
    random_crop,
)
from speechbrain_moe.training.teacher import Teacher

SPEEDS = [1.0, 0.9, 1.1]


@pytest.mark.parametrize("crop_s", [0.5, 1.0, 1.2345])
@pytest.mark.parametrize("speeds", [[1.0], SPEEDS, [1.0, 0.5, 2.0]])
def test_crops_have_exactly_the_length_asked_for(crops, draws, speeds, crop_s):
    dataset = crops(speeds, crop_s)
    for draws.epoch in range(1, 5):
        for item in dataset:
            assert item["sig"].shape == (round(crop_s * 16000),)
            assert item["sig"].dtype == torch.float32


def test_labels_count_each_speed_as_another_speaker(crops, draws):
    """Label = speaker + speed_index * n_speakers."""
    dataset, found = crops(SPEEDS), {"long": set(), "short": set()}
    for draws.epoch in range(1, 41):
        for i, name in ((0, "long"), (1, "short")):
            found[name].add(dataset[i]["spk_label"])
    assert found == {"long": {0, 3, 6}, "short": {2, 5, 8}}


def test_label_tells_the_speed_of_the_waveform(speech, crops, draws):
    """A tone of 1 kHz sounds at speed x 1 kHz."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(40000) / 16000)
    soundfile.write(speech / "long.wav", tone, 16000)
    dataset, found = crops(SPEEDS), {}
    for draws.epoch in range(1, 21):
        item = dataset[0]
        found[item["spk_label"]] = item["sig"].numpy()
    for label, speed in ((0, 1.0), (3, 0.9), (6, 1.1)):
        peak = np.abs(np.fft.rfft(found[label])).argmax()  # 1 Hz a bin
        assert peak == pytest.approx(1000 * speed, abs=2)


def test_speeds_are_drawn_equally_often(crops, draws):
    dataset, drawn = crops(SPEEDS, crop_s=0.1), []
    for draws.epoch in range(1, 301):
        drawn.append(dataset[0]["spk_label"] // 3)
    shares = np.bincount(drawn, minlength=3) / 300
    assert np.allclose(shares, 1 / 3, atol=0.09)


def test_crop_is_a_stretch_of_the_file_from_any_start(speech):
    ramp = torch.arange(40000) / 40000
    soundfile.write(speech / "r.wav", ramp.numpy(), 16000, subtype="FLOAT")
    starts = set()
    for _ in range(20):
        crop = random_crop(speech / "r.wav", 40000, 100, 16000)
        start = round(40000 * crop[0].item())
        assert torch.equal(crop, ramp[start : start + 100])
        starts.add(start)
    assert len(starts) > 15 and max(starts) > 20000 > 10000 > min(starts)


def test_crop_reaches_the_first_and_the_last_sample(speech):
    whole = torch.arange(5) / 10
    soundfile.write(speech / "s.wav", whole.numpy(), 16000, subtype="FLOAT")
    crops = [random_crop(speech / "s.wav", 5, 3, 16000) for _ in range(60)]
    assert {round(10 * crop[0].item()) for crop in crops} == {0, 1, 2}


def test_short_file_is_repeated(speech):
    whole, _ = soundfile.read(speech / "short.wav", dtype="float32")
    crop = random_crop(speech / "short.wav", 5000, 12000, 16000).numpy()
    assert np.array_equal(crop, np.tile(whole, 3)[:12000])


def test_file_shorter_than_its_list_says_is_refused_by_name(speech):
    torch.manual_seed(2)
    with pytest.raises(AudioError, match="short.wav: "):
        for _ in range(20):
            random_crop(speech / "short.wav", 900000, 100, 16000)


@pytest.mark.parametrize("n_samples", [1, 3, 4, 11])
def test_fill_repeats_or_cuts(n_samples):
    wav = torch.tensor([1.0, 2.0, 3.0])
    wanted = [1.0 + i % 3 for i in range(n_samples)]
    assert fill(wav, n_samples).tolist() == wanted


@pytest.mark.parametrize("speed", [0.5, 0.9, 0.95, 1.0, 1.05, 1.1, 2.0])
@pytest.mark.parametrize("n_samples", [1, 999, 16000])
def test_changed_speed_changes_the_length(speed, n_samples):
    found = change_speed(torch.randn(n_samples), speed)
    assert found.shape == (-(-n_samples * 100 // round(100 * speed)),)


def test_speed_one_is_bit_for_bit_the_waveform():
    wav = torch.randn(999)
    assert torch.equal(change_speed(wav, 1.0), wav)


@pytest.mark.parametrize(
    "speeds", [[], [0.9, 1.0], [1.0, 0.0], [1.0, -1.1], [1.0, 0.9, 0.9]]
)
def test_unusable_speeds_are_refused(crops, speeds):
    with pytest.raises(HyperparameterError, match="speeds is .*start with 1.0"):
        crops(speeds)


def test_usable_speeds_pass():
    assert check_speeds([1.0]) is None and check_speeds(SPEEDS) is None


def test_items_carry_what_the_teacher_says_of_unchanged_voices(crops, teacher):
    dataset = crops([1.0], teacher=teacher)
    found = [(i["teacher"].tolist(), i["has_teacher"]) for i in dataset]
    assert found == [([1, 0], True), ([0, 1], True), ([0, 0], False)]


def test_a_changed_voice_has_no_teacher(crops, draws, teacher):
    dataset, seen = crops(SPEEDS, teacher=teacher), set()
    for draws.epoch in range(1, 21):
        item = dataset[0]
        assert item["has_teacher"] == (item["spk_label"] == 0)
        assert item["teacher"].any() == item["has_teacher"]
        seen.add(item["spk_label"])
    assert seen == {0, 3, 6}


def test_items_without_a_teacher_are_as_they_were(crops):
    assert set(crops()[0]) == {"id", "sig", "spk_label"}


def test_unlabelled_speech_keeps_its_speed_and_has_label_minus_one(
    speech, crops, draws, teacher
):
    row = {"path": str(speech / "long.wav"), "duration_s": 2.5, "spk_id": ""}
    (speech / "train.csv").write_text("ID,path,spk_id,duration_s\n")
    dataset = crops(SPEEDS, teacher=teacher, more={"u": row})
    for draws.epoch in range(1, 11):
        item = dataset[0]
        assert (item["spk_label"], item["has_teacher"]) == (-1, True)


def test_an_open_file_gives_the_crop_of_its_path(speech, make_crop):
    path = str(speech / "long.wav")
    make = make_crop(SPEEDS)
    with open(path, "rb") as file:
        opened = make("long", path, 2.5, "007", file)
    wanted = make("long", path, 2.5, "007")
    assert torch.equal(opened[0], wanted[0]) and opened[1] == wanted[1]


def heard_hz(item):
    """The strongest frequency of an item of 1 s."""
    return int(np.abs(np.fft.rfft(item["sig"].numpy())).argmax())


def test_each_speed_of_each_voice_is_a_speaker_with_a_sound_of_its_own(
    speech, crops, draws, voices
):
    """Label = speaker + (voice * n_speeds + speed) * n_speakers."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(40000) / 16000)
    soundfile.write(speech / "long.wav", tone, 16000)
    dataset, found = crops([1.0, 1.1], voices=voices), {}
    for draws.epoch in range(1, 61):
        item = dataset[0]
        found[item["spk_label"]] = heard_hz(item)
    wanted = {0: 1000, 3: 1100, 6: 2000, 9: 2200, 12: 3000, 15: 3300}
    assert found == {k: pytest.approx(hz, abs=2) for k, hz in wanted.items()}


@pytest.mark.parametrize("prob", [0.0, 0.5, 1.0])
def test_voices_share_what_the_recording_leaves_them(
    crops, draws, voices, prob
):
    voices = voices._replace(prob=prob)
    dataset, drawn = crops(crop_s=0.1, voices=voices), []
    for draws.epoch in range(1, 301):
        drawn.append(dataset[0]["spk_label"] // 3)
    shares = np.bincount(drawn, minlength=3) / 300
    assert np.allclose(shares, [1 - prob, prob / 2, prob / 2], atol=0.09)
    assert (shares[0] == 0) == (prob == 1)


def test_a_drawn_voice_comes_again_in_the_same_epoch(crops, draws, voices):
    first, second = (crops(SPEEDS, voices=voices) for _ in range(2))
    for draws.epoch in range(1, 11):
        for one, other in zip(first, second):
            assert one["spk_label"] == other["spk_label"]
            assert torch.equal(one["sig"], other["sig"])


def test_without_voices_speed_and_start_are_all_that_is_drawn(crops, draws):
    item = crops(SPEEDS, crop_s=0.1)[0]
    generator = draws.of("long")
    speed = SPEEDS[int(torch.randint(3, (1,), generator=generator))]
    n_read = math.ceil(1600 * speed)
    path = crops().data["long"]["path"]
    wav = random_crop(path, 40000, n_read, 16000, generator)
    assert item["spk_label"] == 3 * SPEEDS.index(speed)
    assert torch.equal(item["sig"], change_speed(wav, speed)[:1600])


def test_a_voice_is_read_as_far_as_its_own_file_goes(
    speech, crops, draws, voices
):
    """The recording has 5 000 samples, the voice 40 000."""
    ramp = np.arange(40000) / 40000
    for k in (1, 2):
        path = speech / f"heard/{speech.name}/v{k}/short.wav"
        soundfile.write(path, ramp, 16000)
    dataset, starts = crops(crop_s=0.1, voices=voices), []
    for draws.epoch in range(1, 41):
        item = dataset[1]
        if item["spk_label"] > 2:
            starts.append(item["sig"][0].item())
    assert max(starts) > 0.6


def test_a_voice_has_the_teachers_row_of_its_own_file(
    speech, crops, draws, voices
):
    ends = [("v1", "long.wav"), ("v2", "long.wav"), (speech.name, "long.wav")]
    rows = {end: i for i, end in enumerate(ends)}
    teacher = Teacher(rows, np.eye(3, dtype=np.float32))
    dataset, found = crops(teacher=teacher, voices=voices), {}
    for draws.epoch in range(1, 31):
        item = dataset[0]
        assert item["has_teacher"]
        found[item["spk_label"]] = int(item["teacher"].argmax())
    assert found == {0: 2, 3: 0, 6: 1}


def test_a_voice_at_another_speed_has_no_teacher(speech, crops, draws, voices):
    teacher = Teacher({("v1", "long.wav"): 0}, np.ones((1, 1), np.float32))
    dataset, seen = crops([1.0, 1.1], teacher=teacher, voices=voices), set()
    for draws.epoch in range(1, 61):
        item = dataset[0]
        assert item["has_teacher"] == (item["spk_label"] == 6)
        seen.add(item["spk_label"])
    assert seen == {0, 3, 6, 9, 12, 15}


def test_unlabelled_speech_is_heard_in_its_voices_without_a_label(
    speech, crops, draws, voices
):
    row = {"path": str(speech / "long.wav"), "duration_s": 2.5, "spk_id": ""}
    (speech / "train.csv").write_text("ID,path,spk_id,duration_s\n")
    dataset, found = crops(SPEEDS, more={"u": row}, voices=voices), set()
    for draws.epoch in range(1, 31):
        item = dataset[0]
        assert item["spk_label"] == -1
        found.add(heard_hz(item))
    assert {2000, 3000} < found


def test_a_voice_that_cannot_be_read_is_refused_by_name(
    speech, crops, draws, voices
):
    for k in (1, 2):
        (speech / f"heard/{speech.name}/v{k}/long.wav").write_text("no audio")
    dataset = crops(voices=voices)
    with pytest.raises(AudioError, match="v[12]/long.wav cannot be read"):
        for draws.epoch in range(1, 21):
            dataset[0]
