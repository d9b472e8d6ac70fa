import conversations
import numpy as np
import pytest
import soundfile


@pytest.fixture
def files(voices, tmp_path):
    """Two utterances of three speakers, half a second of silence around."""
    found = {}
    for speaker, wav in zip("abc", voices(3, 24000).numpy()):
        found[speaker] = [str(tmp_path / f"{speaker}{i}.wav") for i in "12"]
        for path in found[speaker]:
            soundfile.write(path, np.pad(wav, 8000), 16000)
    return found


@pytest.mark.parametrize("n_speakers", [1, 3])
def test_turns_are_where_the_sound_is(files, n_speakers):
    rng = np.random.default_rng(0)
    wav, turns = conversations.make_conversation(
        files, rng, n_speakers, duration_s=30, snr_db=60
    )
    assert {who for *_, who in turns} <= set("abc")
    assert len({who for *_, who in turns}) == n_speakers
    speaks = np.zeros(len(wav), dtype=bool)
    for start, end, _ in turns:
        speaks[round(start * 16000) : round(end * 16000)] = True
    assert 0.5 < speaks.mean() < 1
    assert np.std(wav[speaks]) > 100 * np.std(wav[~speaks])


def test_a_seed_gives_one_conversation(files):
    one, same, other = (
        conversations.make_conversation(
            files, np.random.default_rng(seed), 2, 10, 40
        )
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one.wav, same.wav) and one.turns == same.turns
    assert one.turns != other.turns


def test_short_pauses_within_a_turn_are_speech():
    loud = np.repeat([True, False, True, False, True], [10, 10, 5, 20, 5])
    found = conversations.speech_of(loud)
    assert np.allclose(found, [[0.0, 0.5], [0.9, 1.0]])
