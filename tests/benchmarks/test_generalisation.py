"""The check of generalisation: how voices, trials and copies are made."""

import generalisation
import generalisation_copies
import generalisation_voices
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from speechbrain_moe.errors import InputError

RATE = generalisation_copies.RATE


@pytest.fixture
def utterances():
    """Ten utterances of six people; one person has two voices."""
    people = "a a b c d e".split()
    table = pd.DataFrame(
        {
            "voice": [f"v{i}" for i in range(6)],
            "person": people,
            "family": ["games"] * 4 + ["tutors"] * 2,
        }
    )
    table = table.loc[table.index.repeat(10)].reset_index(drop=True)
    numbers = table.groupby("voice").cumcount()
    table["path"] = table.voice + "/" + numbers.astype(str) + ".flac"
    return table


def test_the_list_names_each_voice_once_and_a_person_in_one_family():
    voices = pd.read_csv(generalisation_voices.LIST)
    assert voices.voice.is_unique
    assert not voices.isna().any(axis=None)
    assert (voices.groupby("person").family.nunique() == 1).all()


def test_trim_keeps_the_sound_and_cuts_the_silence(voices):
    wav = voices(1, RATE)[0].numpy()
    silence = np.zeros(RATE, dtype=np.float32)
    kept = generalisation_voices.trim(np.concatenate([silence, wav, silence]))
    assert len(wav) <= len(kept) < len(wav) + RATE // 5
    assert len(generalisation_voices.trim(silence)) == 0


def test_words_are_joined_to_three_seconds_and_each_is_used_once():
    words = [np.full(RATE, i + 1, dtype=np.float32) for i in range(8)]
    words[4] = np.repeat(words[4], 9)
    made = list(generalisation_voices.join(words))
    assert [len(wav) / RATE for wav in made] == [3.2, 6.0, 3.2]
    used = [np.unique(wav[wav > 0]).tolist() for wav in made]
    assert used == [[1, 2, 3], [4, 5], [6, 7, 8]]


def test_nontargets_within_families_stay_there_and_others_cross(utterances):
    family = dict(zip(utterances.path, utterances.family))
    person = dict(zip(utterances.path, utterances.person))
    makers = {
        True: generalisation_voices.within_families,
        False: generalisation_voices.across_families,
    }
    for together, make in makers.items():
        trials = make(utterances)
        for label, enrol, test in zip(*trials):
            assert label == (person[enrol] == person[test])
            assert label or (family[enrol] == family[test]) == together


def test_a_copy_follows_from_its_path_whatever_was_made_before(
    voices, tmp_path
):
    source = tmp_path / "source"
    paths = ["a/1.wav", "b/2.wav"]
    for path, wav in zip(paths, voices(2, RATE)):
        (source / path).parent.mkdir(parents=True)
        soundfile.write(source / path, wav.numpy(), RATE)

    def spoil(wav):
        return wav + 0.01 * torch.randn(len(wav))

    made = []
    for order in (paths, paths[1:]):
        target = tmp_path / f"of {len(order)}"
        generalisation_copies.write_copies(source, target, order, spoil, "x")
        made.append(soundfile.read(target / "b/2.flac")[0])
    assert np.array_equal(*made)
    assert not np.array_equal(made[0], soundfile.read(source / "b/2.wav")[0])


@pytest.mark.parametrize("form", ["OPUS_8", "MP3_16"])
def test_codecs_change_the_sound_and_keep_the_voice(voices, form):
    wav = voices(1, 2 * RATE)[0]
    form = getattr(generalisation_copies, form)
    copy = generalisation_copies.through_file(wav, **form)
    spectra = [
        torch.stft(w, 512, window=torch.hann_window(512), return_complex=True)
        .abs()
        .mean(1)
        for w in (wav, copy)
    ]
    assert torch.corrcoef(torch.stack(spectra))[0, 1] > 0.9
    assert not torch.equal(wav, copy[: len(wav)])


def test_embeddings_that_are_kept_are_not_made_again(voices, tmp_path):
    for i, wav in enumerate(voices(2, RATE)):
        soundfile.write(tmp_path / f"{i}.wav", wav.numpy(), RATE)
    calls = []

    def embed(wav):
        calls.append(len(wav))
        return np.array([float(wav[0]), 1.0])

    system = generalisation.System("ours", "key", embed)
    store = tmp_path / "kept.npz"
    given = (system, tmp_path)
    one = generalisation.embed_paths(*given, ["1.wav"], store)
    both = generalisation.embed_paths(*given, ["0.wav", "1.wav"], store)
    assert len(calls) == 2
    assert np.array_equal(both[1], one[0])


def test_a_package_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no-such-package-of-voices"):
        generalisation_voices.unpack("no-such-package-of-voices", tmp_path)
