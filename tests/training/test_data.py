import numpy as np
import pytest
import soundfile
import torch
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.errors import AudioError, HyperparameterError
from speechbrain_moe.training.data import (
    change_speed,
    check_speeds,
    fill,
    random_crop,
    read_table,
    train_dataset,
    training_rows,
    utterance_dataset,
)
from speechbrain_moe.training.teacher import Teacher

SPEEDS = [1.0, 0.9, 1.1]
N_SAMPLES = {"long": 40000, "short": 5000, "exact": 16000}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, n_samples in N_SAMPLES.items():
        noise = rng.normal(0, 0.1, n_samples)
        soundfile.write(tmp_path / f"{name}.wav", noise, 16000)
    rows = [
        f"{name},{name}.wav,{spk},{n / 16000}"
        for (name, n), spk in zip(N_SAMPLES.items(), ("007", "bob", "NA"))
    ]
    header = "ID,path,spk_id,duration_s"
    (tmp_path / "train.csv").write_text("\n".join([header, *rows]) + "\n")
    return tmp_path


@pytest.fixture
def labels():
    encoder = CategoricalEncoder()
    encoder.update_from_iterable(["007", "NA", "bob"], sequence_input=False)
    encoder.expect_len(3)
    return encoder


@pytest.fixture
def crops(folder, labels):
    def make(speeds, crop_s=1.0, teacher=None, more=None):
        rows = training_rows(folder / "train.csv", folder) | (more or {})
        return train_dataset(rows, labels, crop_s, speeds, 16000, teacher)

    return make


def test_table_keeps_text_as_text(folder):
    table = read_table(folder / "train.csv")
    assert list(table.spk_id) == ["007", "bob", "NA"]
    assert table.duration_s.tolist() == [2.5, 0.3125, 1.0]


@pytest.mark.parametrize("crop_s", [0.5, 1.0, 1.2345])
@pytest.mark.parametrize("speeds", [[1.0], SPEEDS, [1.0, 0.5, 2.0]])
def test_crops_have_exactly_the_length_asked_for(crops, speeds, crop_s):
    dataset = crops(speeds, crop_s)
    for _ in range(4):
        for item in dataset:
            assert item["sig"].shape == (round(crop_s * 16000),)
            assert item["sig"].dtype == torch.float32


def test_labels_count_each_speed_as_another_speaker(crops):
    """Label = speaker + speed_index * n_speakers."""
    dataset, found = crops(SPEEDS), {"long": set(), "short": set()}
    for _ in range(40):
        for i, name in ((0, "long"), (1, "short")):
            found[name].add(dataset[i]["spk_label"])
    assert found == {"long": {0, 3, 6}, "short": {2, 5, 8}}


def test_label_tells_the_speed_of_the_waveform(folder, crops):
    """A tone of 1 kHz sounds at speed x 1 kHz."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(40000) / 16000)
    soundfile.write(folder / "long.wav", tone, 16000)
    dataset, found = crops(SPEEDS), {}
    for _ in range(20):
        item = dataset[0]
        found[item["spk_label"]] = item["sig"].numpy()
    for label, speed in ((0, 1.0), (3, 0.9), (6, 1.1)):
        peak = np.abs(np.fft.rfft(found[label])).argmax()  # 1 Hz a bin
        assert peak == pytest.approx(1000 * speed, abs=2)


def test_speeds_are_drawn_equally_often(crops):
    dataset = crops(SPEEDS, crop_s=0.1)
    drawn = [dataset[0]["spk_label"] // 3 for _ in range(300)]
    shares = np.bincount(drawn, minlength=3) / 300
    assert np.allclose(shares, 1 / 3, atol=0.09)


def test_crop_is_a_stretch_of_the_file_from_any_start(folder):
    ramp = torch.arange(40000) / 40000
    soundfile.write(folder / "r.wav", ramp.numpy(), 16000, subtype="FLOAT")
    starts = set()
    for _ in range(20):
        crop = random_crop(folder / "r.wav", 40000, 100, 16000)
        start = round(40000 * crop[0].item())
        assert torch.equal(crop, ramp[start : start + 100])
        starts.add(start)
    assert len(starts) > 15 and max(starts) > 20000 > 10000 > min(starts)


def test_crop_reaches_the_first_and_the_last_sample(folder):
    whole = torch.arange(5) / 10
    soundfile.write(folder / "s.wav", whole.numpy(), 16000, subtype="FLOAT")
    crops = [random_crop(folder / "s.wav", 5, 3, 16000) for _ in range(60)]
    assert {round(10 * crop[0].item()) for crop in crops} == {0, 1, 2}


def test_short_file_is_repeated(folder):
    whole, _ = soundfile.read(folder / "short.wav", dtype="float32")
    crop = random_crop(folder / "short.wav", 5000, 12000, 16000).numpy()
    assert np.array_equal(crop, np.tile(whole, 3)[:12000])


def test_file_shorter_than_its_list_says_is_refused_by_name(folder):
    torch.manual_seed(2)
    with pytest.raises(AudioError, match="short.wav: "):
        for _ in range(20):
            random_crop(folder / "short.wav", 900000, 100, 16000)


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


def test_dev_utterances_are_whole_and_keep_their_path(folder):
    dataset = utterance_dataset(folder / "train.csv", folder, 16000)
    found = [(i["id"], i["path"], len(i["sig"])) for i in dataset]
    assert found == [(k, f"{k}.wav", n) for k, n in N_SAMPLES.items()]


def break_file(path, fault):
    noise = np.full(40000, 0.1)
    if fault == "missing":
        path.unlink()
    elif fault == "broken":
        path.write_bytes(b"RIFF and no more")
    elif fault == "wrong rate":
        soundfile.write(path, noise, 8000)
    elif fault == "NaN":
        soundfile.write(path, noise * np.nan, 16000, subtype="FLOAT")
    elif fault == "empty":
        soundfile.write(path, noise[:0], 16000)


@pytest.mark.parametrize(
    "fault", ["missing", "broken", "wrong rate", "NaN", "empty"]
)
def test_unusable_file_is_an_error_that_names_it(folder, crops, fault):
    break_file(folder / "long.wav", fault)
    whole = utterance_dataset(folder / "train.csv", folder, 16000)
    for dataset in (whole, crops([1.0])):
        with pytest.raises(AudioError, match="long.wav: "):
            dataset[0]


@pytest.mark.parametrize(
    "speeds", [[], [0.9, 1.0], [1.0, 0.0], [1.0, -1.1], [1.0, 0.9, 0.9]]
)
def test_unusable_speeds_are_refused(crops, speeds):
    with pytest.raises(HyperparameterError, match="speeds is .*start with 1.0"):
        crops(speeds)


def test_usable_speeds_pass():
    assert check_speeds([1.0]) is None and check_speeds(SPEEDS) is None


@pytest.fixture
def teacher():
    """Knows "long" and "short", not "exact"."""
    rows = {("long.wav",): 0, ("short.wav",): 1}
    return Teacher(rows, np.array([[1, 0], [0, 1]], np.float32))


def test_items_carry_what_the_teacher_says_of_unchanged_voices(crops, teacher):
    dataset = crops([1.0], teacher=teacher)
    found = [(i["teacher"].tolist(), i["has_teacher"]) for i in dataset]
    assert found == [([1, 0], True), ([0, 1], True), ([0, 0], False)]


def test_a_changed_voice_has_no_teacher(crops, teacher):
    dataset, seen = crops(SPEEDS, teacher=teacher), set()
    for _ in range(20):
        item = dataset[0]
        assert item["has_teacher"] == (item["spk_label"] == 0)
        assert item["teacher"].any() == item["has_teacher"]
        seen.add(item["spk_label"])
    assert seen == {0, 3, 6}


def test_items_without_a_teacher_are_as_they_were(crops):
    assert set(crops([1.0])[0]) == {"id", "sig", "spk_label"}


def test_unlabelled_speech_keeps_its_speed_and_has_label_minus_one(
    folder, crops, teacher
):
    row = {"path": str(folder / "long.wav"), "duration_s": 2.5, "spk_id": ""}
    (folder / "train.csv").write_text("ID,path,spk_id,duration_s\n")
    dataset = crops(SPEEDS, teacher=teacher, more={"u": row})
    for _ in range(10):
        item = dataset[0]
        assert (item["spk_label"], item["has_teacher"]) == (-1, True)


def test_whole_paths_stay_as_they_are(folder):
    rows = training_rows(folder / "train.csv", "/elsewhere")
    assert rows["long"]["path"] == "/elsewhere/long.wav"
