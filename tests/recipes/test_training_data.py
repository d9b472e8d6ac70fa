"""What a training hears, and what its teacher is centred by."""

from training_data import find_corpora

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
