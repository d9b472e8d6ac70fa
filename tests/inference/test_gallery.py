import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference import gallery as gallery_module
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.gallery_changes import add_recordings
from speechbrain_moe.inference.learnt import Learnt
from speechbrain_moe.inference.recognition import MoESpeakerRecognition
from speechbrain_moe.scoring.calibration import Calibration

LEARNT = Learnt(
    Calibration(("cosine",), (20.0,), -10.0),
    {"eer": {"value": 0.5, "reason": None}},
    "",
)


@pytest.fixture
def encoder(experiment):
    encoder = MoESpeakerRecognition.from_encoder(load_encoder(experiment))
    encoder.learnt = LEARNT
    return encoder


@pytest.fixture
def other(experiment):
    """The same network with other weights."""
    encoder = MoESpeakerRecognition.from_encoder(load_encoder(experiment))
    with torch.no_grad():
        next(encoder.mods.embedding_model.parameters()).add_(1.0)
    return encoder


@pytest.fixture
def files(voices, tmp_path):
    """Five voices, each a second."""
    paths = [tmp_path / f"{i}.wav" for i in range(5)]
    for path, wav in zip(paths, voices(5)):
        soundfile.write(path, wav.numpy(), 16000, subtype="FLOAT")
    return paths


@pytest.fixture
def quiet(tmp_path):
    path = tmp_path / "quiet.wav"
    soundfile.write(path, np.zeros(16000), 16000)
    return path


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "gallery")


@pytest.fixture
def filled(gallery, encoder, files):
    """cid by one recording, ann by two, bob by one."""
    for name, some in ("cid", files[3]), ("ann", files[:2]), ("bob", files[2]):
        gallery.enrol(encoder, name, some, accept=["too_short"])
    return gallery


@pytest.fixture
def in_memory(files):
    return {"ann": files[:2], "bob": files[2], "cid": [files[3]]}


@pytest.mark.parametrize("threshold", ["eer", 0.2, 0.9999, "far1"])
@pytest.mark.parametrize("test", [1, 2, 4])
def test_answer_is_that_of_the_same_voices_in_memory(
    filled, in_memory, encoder, files, threshold, test
):
    given = {"threshold": threshold, "prior": 0.2, "accept": ["too_short"]}
    found = filled.identify(encoder, files[test], **given)
    wanted = encoder.identify(files[test], in_memory, **given)
    for field in ("name", "threshold", "reason", "n_enrolled"):
        assert getattr(found, field) == getattr(wanted, field)
    assert found.scores == pytest.approx(wanted.scores, abs=1e-6)
    assert list(found.scores) == list(wanted.scores)
    assert found.llr == pytest.approx(wanted.llr, abs=1e-4)
    assert found.probability == pytest.approx(wanted.probability, abs=1e-4)


def test_enrolled_are_named_and_kept_for_others(filled, tmp_path):
    assert filled.names() == ["ann", "bob", "cid"]
    other = Gallery(tmp_path / "gallery")
    assert other.names() == ["ann", "bob", "cid"]
    assert other.recordings("ann") == ["0.wav", "1.wav"]


def test_voice_enrolled_or_deleted_elsewhere_is_seen(
    filled, encoder, files, tmp_path
):
    given = {"threshold": 0.99, "accept": ["too_short"]}
    assert filled.identify(encoder, files[4], **given).name == "unknown"
    elsewhere = Gallery(tmp_path / "gallery")
    elsewhere.enrol(encoder, "dan", files[4], accept=["too_short"])
    assert filled.identify(encoder, files[4], **given).name == "dan"
    elsewhere.delete("dan")
    assert filled.identify(encoder, files[4], **given).name == "unknown"


def test_file_is_read_again_only_after_a_change(
    filled, encoder, files, monkeypatch
):
    filled.identify(encoder, files[0], 0.5)
    monkeypatch.setattr(gallery_module, "read_recordings", None)
    filled.identify(encoder, files[1], 0.5)
    filled.delete("ann")
    with pytest.raises(TypeError):
        filled.identify(encoder, files[1], 0.5)


def test_more_recordings_count_besides_or_instead(filled, encoder, files):
    accept = ["too_short"]
    assert filled.enrol(encoder, "bob", files[4], accept=accept) == 2
    assert filled.recordings("bob") == ["2.wav", "4.wav"]
    assert filled.enrol(encoder, "bob", files[2], accept=accept) == 2
    assert filled.enrol(encoder, "bob", files[4], True, accept) == 1
    assert filled.recordings("bob") == ["4.wav"]


def test_faulty_recording_leaves_the_gallery_as_it_was(
    filled, encoder, files, quiet
):
    with pytest.raises(AudioError, match="quiet.wav: silence"):
        filled.enrol(encoder, "bob", [files[4], quiet], True, ["too_short"])
    assert filled.recordings("bob") == ["2.wav"]
    assert filled.identify(encoder, quiet).name is None


def test_another_model_is_refused(filled, other, files):
    with pytest.raises(InputError, match="embeddings of another model"):
        filled.identify(other, files[0])
    with pytest.raises(InputError, match="embeddings of another model"):
        filled.enrol(other, "dan", files[0])


def test_deleted_speaker_is_gone(filled, encoder, files):
    filled.delete("ann")
    found = filled.identify(encoder, files[0], accept=["too_short"])
    assert set(found.scores) == {"bob", "cid"} and found.n_enrolled == 2
    for call in (filled.delete, filled.recordings):
        with pytest.raises(InputError, match="holds nobody called 'ann'"):
            call("ann")


def test_only_the_nearest_are_told(filled, encoder, files):
    found = filled.identify(encoder, files[2], 0.5, n_nearest=1)
    assert list(found.scores) == ["bob"] and found.n_enrolled == 3


def test_speaker_deleted_elsewhere_at_once_was_enrolled(
    gallery, encoder, files, monkeypatch
):
    def add_then_delete(file, *given):
        add_recordings(file, *given)
        Gallery(file.parent).delete("ann")

    monkeypatch.setattr(gallery_module, "add_recordings", add_then_delete)
    assert gallery.enrol(encoder, "ann", files[0], accept=["too_short"]) == 0


def test_nobody_enrolled_is_an_error(gallery, encoder, files, tmp_path):
    with pytest.raises(InputError, match="nobody is enrolled; enrol first"):
        gallery.identify(encoder, files[0])
    with pytest.raises(InputError, match="nobody is enrolled; enrol first"):
        gallery.export(tmp_path / "voices.npz")


def test_export_is_taken_in_as_it_was(filled, encoder, files, tmp_path):
    filled.export(tmp_path / "voices.npz")
    taken = Gallery(tmp_path / "taken")
    taken.take_in(tmp_path / "voices.npz")
    taken.take_in(tmp_path / "voices.npz")  # counts once
    pair = [g.identify(encoder, files[1], "eer") for g in (filled, taken)]
    assert pair[0].scores == pair[1].scores
    assert taken.recordings("ann") == ["0.wav", "1.wav"]


def test_taken_in_replaces_its_names_if_asked(filled, tmp_path):
    filled.export(tmp_path / "voices.npz")
    with np.load(tmp_path / "voices.npz") as arrays:
        arrays = dict(arrays)
    arrays["sha256"] = np.array([s[::-1] for s in arrays["sha256"]])
    np.savez(tmp_path / "other.npz", **arrays)
    filled.take_in(tmp_path / "other.npz")
    assert len(filled.recordings("ann")) == 4
    filled.take_in(tmp_path / "other.npz", replace=True)
    assert len(filled.recordings("ann")) == 2


def test_export_of_another_model_is_refused(filled, tmp_path):
    filled.export(tmp_path / "voices.npz")
    with np.load(tmp_path / "voices.npz") as arrays:
        arrays = dict(arrays) | {"model": np.array("another")}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(InputError, match="embeddings of another model"):
        filled.take_in(tmp_path / "other.npz")


def test_csv_has_a_line_for_each_recording(filled, tmp_path):
    filled.export(tmp_path / "voices.csv")
    filled.export(tmp_path / "voices.npz")
    table = pd.read_csv(tmp_path / "voices.csv")
    assert list(table["name"]) == ["ann", "ann", "bob", "cid"]
    with np.load(tmp_path / "voices.npz") as arrays:
        wanted = arrays["embeddings"]
    found = table.iloc[:, 3:].to_numpy(dtype=np.float32)
    assert np.array_equal(found, wanted)
