"""The subcommands that make and check packages."""

from speechbrain_moe.cli import main


def test_export_writes_a_package(experiment, tmp_path, capsys):
    package = tmp_path / "package"
    assert main(["export", str(experiment), str(package)]) == 0
    assert (package / "hyperparams.yaml").is_file()
    assert str(package) in capsys.readouterr().out


def test_a_package_is_checked_and_a_changed_one_is_refused(
    experiment, tmp_path, said, refused
):
    package = tmp_path / "package"
    about = tmp_path / "about.yaml"
    about.write_text("title: Four voices\n")
    said("export", experiment, package, "--about", about)
    assert "# Four voices" in (package / "README.md").read_text()
    assert said("card", package)["card"].endswith("training data.")
    assert "README.md" in said("verify-package", package)["files"]
    (package / "README.md").write_text("changed")
    assert "README.md" in refused("verify-package", package)


def test_an_edited_package_is_whole_once_it_is_signed(
    experiment, tmp_path, said, refused
):
    package = tmp_path / "package"
    said("export", experiment, package)
    (package / "README.md").write_text("of my own")
    refused("verify-package", package)
    said("sign", package)
    assert "README.md" in said("verify-package", package)["files"]


def test_a_revision_is_for_hub_ids_alone(experiment, trial_list, refused):
    lists = ("--trials", trial_list / "trials.txt", "--audio")
    lists += (trial_list / "audio", "--out", trial_list / "report")
    for given in (
        ("card", experiment),
        ("onnx", experiment, trial_list / "a.onnx"),
        ("report", experiment, *lists),
    ):
        said = refused(*given, "--revision", "v1")
        assert "is a folder here, and revision is for Hub ids" in said


def test_onnx_refuses_a_name_before_it_looks_for_the_model(refused):
    said = refused("onnx", "no/model", "encoder.pt")
    assert "encoder.pt: give a file that ends in .onnx" in said
