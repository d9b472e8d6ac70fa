"""What a training hears, and what its teacher is centred by."""

import pytest
from training_data import find_corpora

from speechbrain_moe.errors import InputError
from speechbrain_moe.training.changed_voices import ChangedVoices


def test_a_corpus_is_centred_by_recordings_and_its_voices_move_along():
    spoken, alone = "pack/dev/ann/s1/1.flac", "pack/more/x.opus"
    rows = [
        {"path": spoken, "spk_id": "ann"},
        {"path": alone, "spk_id": ""},
    ]
    voices = ChangedVoices(1, "heard", "pack/dev", "pack/more")
    assert find_corpora(rows, voices) == [
        ([spoken], [spoken, "heard/dev/v1/ann/s1/1.wav"]),
        ([alone], [alone, "heard/more/v1/x.wav"]),
    ]


def test_a_corpus_that_metadata_names_is_centred_by_itself(tmp_path):
    metadata = tmp_path / "speakers.csv"
    metadata.write_text("spk_id,corpus\nann,one\nbob,two\nbob,one\n")
    rows = [{"path": f"dev/{n}/1.wav", "spk_id": n} for n in ("bob", "ann")]
    rows += [{"path": "more/x.wav", "spk_id": ""}, *rows[:1]]
    voices = ChangedVoices(0, None, "dev", "more")
    found = [part for part, _ in find_corpora(rows, voices, metadata)]
    bob, ann, alone, _ = [row["path"] for row in rows]
    assert found == [[bob, bob], [ann], [alone]]
    metadata.write_text("spk_id,gender\nann,f\n")
    found = [part for part, _ in find_corpora(rows, voices, metadata)]
    assert found == [[bob, ann, bob], [alone]]


def test_metadata_that_cannot_be_read_is_named(tmp_path):
    rows = [{"path": "dev/ann/1.wav", "spk_id": "ann"}]
    voices = ChangedVoices(0, None, "dev", None)
    with pytest.raises(InputError, match="metadata: .*gone.csv"):
        find_corpora(rows, voices, tmp_path / "gone.csv")
