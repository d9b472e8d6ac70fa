import numpy as np
import pytest
import soundfile

from speechbrain_moe.errors import AudioError
from speechbrain_moe.training.data import (
    read_table,
    training_rows,
    utterance_dataset,
)


def test_table_keeps_text_as_text(speech):
    table = read_table(speech / "train.csv")
    assert list(table.spk_id) == ["007", "bob", "NA"]
    assert table.duration_s.tolist() == [2.5, 0.3125, 1.0]


def test_dev_utterances_are_whole_and_keep_their_path(speech):
    dataset = utterance_dataset(speech / "train.csv", speech, 16000)
    found = [(i["id"], i["path"], len(i["sig"])) for i in dataset]
    assert found == [
        ("long", "long.wav", 40000),
        ("short", "short.wav", 5000),
        ("exact", "exact.wav", 16000),
    ]


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
def test_unusable_file_is_an_error_that_names_it(speech, crops, fault):
    break_file(speech / "long.wav", fault)
    whole = utterance_dataset(speech / "train.csv", speech, 16000)
    for dataset in (whole, crops()):
        with pytest.raises(AudioError, match="long.wav: "):
            dataset[0]


def test_whole_paths_stay_as_they_are(speech):
    rows = training_rows(speech / "train.csv", "/elsewhere")
    assert rows["long"]["path"] == "/elsewhere/long.wav"
