import json

import numpy as np
import pytest
import soundfile
import torch
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.errors import AudioError, InputError, PackageError
from speechbrain_moe.inference import recordings
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.manifest import sign_package
from speechbrain_moe.inference.recognition import MoESpeakerRecognition


@pytest.fixture
def encoder(experiment):
    return MoESpeakerRecognition.from_encoder(load_encoder(experiment))


@pytest.fixture
def files(voices, tmp_path):
    """Six voices, each two seconds."""
    paths = [tmp_path / f"{i}.wav" for i in range(6)]
    for path, wav in zip(paths, voices(6, 32000)):
        soundfile.write(path, wav.numpy(), 16000, subtype="FLOAT")
    return paths


@pytest.fixture
def quiet(tmp_path):
    path = tmp_path / "quiet.wav"
    soundfile.write(path, np.zeros(16000), 16000)
    return path


def cosine(encoder, enrol, test):
    wavs = [soundfile.read(p, dtype="float32")[0] for p in (enrol, test)]
    one, other = (
        encoder.encode_batch(torch.from_numpy(wav)).flatten() for wav in wavs
    )
    return (one @ other).item()


def test_a_file_is_of_the_same_speaker_as_itself(encoder, files):
    found = encoder.verify(files[0], str(files[0]), threshold=0.9)
    assert found.same_speaker is True
    assert found.score == pytest.approx(1, abs=1e-5)


def test_score_is_the_stock_cosine(encoder, files):
    found = encoder.verify(files[0], files[1], threshold=0.5)
    assert found.score == pytest.approx(cosine(encoder, *files[:2]), abs=1e-5)


def test_without_a_calibration_the_default_gives_no_decision(encoder, files):
    found = encoder.verify(files[0], files[1])
    assert found.same_speaker is found.llr is found.threshold is None
    assert found.reason.startswith("no threshold eer: no calibration was read")


def test_decision_tells_quality_and_experts_of_both_sides(encoder, files):
    found = encoder.verify(files[:2], files[2], threshold=0.5)
    assert [voice.path for voice in found.enrol] == [str(f) for f in files[:2]]
    for voice in (*found.enrol, found.test):
        assert voice.quality.duration_s == 2.0 and voice.faults == {}
        assert np.array_equal(voice.experts, encoder.route(voice.path))
    json.dumps(found.to_dict())


def test_silence_is_nobody(encoder, files, quiet):
    found = encoder.verify(quiet, quiet, threshold=0.5)
    assert found.same_speaker is None and found.score is None
    assert "quiet.wav: silence" in found.reason
    found = encoder.identify(quiet, {"ann": files[0]}, threshold=0.5)
    assert found.name is None and "quiet.wav: silence" in found.reason


@pytest.fixture
def clipped(files):
    wav, rate = soundfile.read(files[0])
    edge = np.quantile(np.abs(wav), 0.9)
    path = files[0].with_name("clipped.wav")
    soundfile.write(path, np.clip(wav, -edge, edge), rate)
    return path


def test_fault_is_named_and_can_be_accepted(encoder, files, clipped):
    found = encoder.verify(files[0], clipped, threshold=0.5)
    assert found.same_speaker is None and found.score > 0.5
    assert "clipped.wav: " in found.reason and "are clipped" in found.reason
    found = encoder.verify(files[0], clipped, 0.5, accept=["clipped"])
    assert found.same_speaker is True


def test_enrolment_is_the_mean_of_the_files(encoder, files):
    one, other = (encoder.enrol(file) for file in files[:2])
    both = encoder.enrol(files[:2])
    assert both.dtype == np.float32
    assert one @ one == pytest.approx(1, abs=1e-5)
    assert np.abs(both - (one + other) / 2).max() < 1e-6


def test_score_of_several_enrolments_is_the_mean_of_their_scores(
    encoder, files
):
    alone = [encoder.verify(file, files[2], 0.5).score for file in files[:2]]
    both = encoder.verify(files[:2], files[2], 0.5).score
    assert both == pytest.approx(np.mean(alone), abs=1e-6)
    assert encoder.enrol(files[:2]) @ encoder.enrol(files[2]) == pytest.approx(
        both, abs=1e-6
    )


def test_faulty_recording_is_not_enrolled(encoder, quiet, clipped):
    with pytest.raises(AudioError, match="quiet.wav: silence.*another"):
        encoder.enrol(quiet)
    with pytest.raises(AudioError, match="clipped.wav"):
        encoder.identify(clipped, {"ann": clipped}, 0.5)
    encoder.enrol(clipped, accept=["clipped"])


def test_speaker_is_identified_from_files_or_embeddings(encoder, files):
    gallery = {
        "ann": files[0],
        "bob": [files[1], files[2]],
        "cid": encoder.enrol(files[3]),
    }
    found = encoder.identify(files[3], gallery, threshold=0.5)
    assert found.name == "cid" and list(found.scores)[0] == "cid"
    assert found.scores["cid"] == pytest.approx(1, abs=1e-5)
    wanted = encoder.verify(gallery["bob"], files[3], 0.5).score
    assert found.scores["bob"] == pytest.approx(wanted, abs=1e-5)


def test_voice_that_nobody_enrolled_is_unknown(encoder, files):
    found = encoder.identify(files[0], {"bob": files[1]}, threshold=1.0)
    assert found.name == "unknown"


@pytest.mark.parametrize(
    "gallery, why",
    [
        ({}, "one or more speakers"),
        (["a.wav"], "one or more speakers"),
        ({"unknown": "a.wav"}, "gallery: name 'unknown'"),
        ({"Unknown": "a.wav"}, "gallery: name 'Unknown'"),
        ({None: "a.wav"}, "gallery: name is None"),
        ({"ann": np.ones(31)}, r"gallery\['ann'\].*give \[32\]"),
        ({"ann": np.full(32, np.nan)}, r"gallery\['ann'\].*length nan"),
        ({"ann": np.full(32, 0.5)}, r"gallery\['ann'\].*length 2.83"),
        ({"ann": np.zeros(32)}, r"gallery\['ann'\].*length 0"),
        ({"ann": np.array(["a.wav"])}, r"gallery\['ann'\].*give \[32\]"),
        ({"ann": []}, "list of one or more paths"),
    ],
)
def test_gallery_of_a_wrong_kind_is_refused(encoder, files, gallery, why):
    with pytest.raises(InputError, match=why):
        encoder.identify(files[0], gallery, threshold=0.5)


def test_encoded_files_are_the_stock_embeddings_in_order(encoder, files):
    order = [files[2], files[0], files[2], files[1]]
    found = encoder.encode_files(order, batch_size=3)
    assert found.shape == (4, 32) and found.dtype == np.float32
    for row, path in zip(found, order):
        wav, _ = soundfile.read(path, dtype="float32")
        wanted = encoder.encode_batch(wav).flatten().numpy()
        assert np.abs(row - wanted).max() < 1e-5


def test_silent_file_has_neither_embedding_nor_route(encoder, files, quiet):
    with pytest.raises(AudioError, match="quiet.wav: silence.*leave it out"):
        encoder.encode_files([files[0], quiet])
    with pytest.raises(AudioError, match="quiet.wav: silence"):
        encoder.route(quiet)
    assert encoder.describe(quiet).embedding is None


@pytest.mark.parametrize("given", [[], None, 3])
def test_no_files_are_refused(encoder, given):
    with pytest.raises(InputError, match="give a path, or a list"):
        encoder.encode_files(given)


def test_long_file_is_compared_by_its_windows(encoder, files, monkeypatch):
    whole = encoder.verify(files[0], files[0], 0.5).score
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.7)
    found = encoder.describe(files[0])
    other = encoder.encode_files([files[0]], batch_size=2)[0]
    assert np.abs(found.embedding - other).max() < 1e-5
    assert whole == pytest.approx(1, abs=1e-5)
    assert found.quality.duration_s == 2.0


def test_it_is_a_stock_class_in_evaluation_mode(encoder):
    assert isinstance(encoder, SpeakerRecognition)
    assert not encoder.mods.training


@pytest.fixture
def package(experiment, tmp_path):
    """A package with thresholds at 0.5 and llr = 8 cosine - 4."""
    package = export_package(experiment, tmp_path / "package")
    row = {"value": 0.5, "n_errors": 40, "reason": None}
    step = {"names": ["cosine"], "weights": [8.0], "offset": -4.0}
    content = {
        "model": encoder_key(load_encoder(experiment)),
        "calibrations": {"llr_cosine": step},
        "thresholds": {"cosine": dict.fromkeys(("eer", "far1", "far0.1"), row)},
    }
    (package / "calibration.json").write_text(json.dumps(content))
    sign_package(package)
    return package


def test_a_calibration_changed_by_hand_is_refused(package):
    path = package / "calibration.json"
    path.write_text(path.read_text().replace("0.5", "0.1"))
    with pytest.raises(PackageError, match="is not the calibration.json that"):
        MoESpeakerRecognition.from_hparams(package)


def test_a_calibration_that_is_gone_is_missed(package):
    (package / "calibration.json").unlink()
    with pytest.raises(PackageError, match="calibration.json is gone"):
        MoESpeakerRecognition.from_hparams(package)


@pytest.mark.parametrize("savedir", [None, "saved"])
def test_calibrated_package_decides_by_name(package, files, savedir):
    saved = savedir and str(package.with_name(savedir))
    encoder = MoESpeakerRecognition.from_hparams(package, savedir=saved)
    found = encoder.verify(files[0], files[0], "far1", prior=0.1)
    assert found.threshold == 0.5 and found.same_speaker is True
    assert found.llr == pytest.approx(4.0, abs=1e-4)
    odds = np.exp(found.llr) / 9
    assert found.probability == pytest.approx(odds / (1 + odds))
    assert encoder.verify_files(files[0], files[0], "eer")[1].item() is True


def test_calibration_of_other_settings_is_not_used(package, files):
    encoder = MoESpeakerRecognition.from_hparams(
        str(package), overrides={"embedding_model": {"top_k": 1}}
    )
    found = encoder.verify(files[0], files[0])
    assert found.same_speaker is found.llr is None
    assert "is of another model or other settings" in found.reason
