import pytest
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.building import build_encoder
from speechbrain_moe.inference.export import export_package


@pytest.fixture
def changed(experiment, tmp_path):
    """A package without a manifest, one part of its yaml another."""

    def make(old, new):
        package = export_package(experiment, tmp_path / "package")
        (package / "manifest.json").unlink()
        path = package / "hyperparams.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return package

    return make


@pytest.mark.parametrize("name", ["compute_features", "mean_var_norm"])
def test_module_that_is_missed_at_first_use_is_named(changed, name):
    package = changed(f"  {name}: *{name}\n", "")
    SpeakerRecognition.from_hparams(source=str(package))  # stock goes on
    with pytest.raises(PackageError, match=f"lack {name}, which SpeechBrain"):
        build_encoder(package)


def test_class_that_is_not_there_is_one_error_with_both_versions(changed):
    package = changed("PassThrough", "NoSuchClass")
    with pytest.raises(PackageError, match="cannot be built by .*NoSuchClass"):
        build_encoder(package)


def test_graph_that_asks_for_too_much_memory_is_one_error(changed):
    package = changed("out_neurons: 3", "out_neurons: 1000000000000")
    with pytest.raises(PackageError, match="cannot be built by .*memory"):
        build_encoder(package)
