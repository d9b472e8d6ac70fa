"""The subcommands that make, check and move packages.

 * export, card, verify-package, sign, push, pull, onnx
 * a model's yaml runs code only where that is allowed

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import (
    add_allow_code,
    add_command,
    add_revision,
    model_folder,
    package_folder,
)
from speechbrain_moe.errors import PackageError


def add_package_commands(commands):
    """Declare what makes, checks and moves packages.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    add_making(commands)
    add_moving(commands)


def add_making(commands):
    """Declare export, card, verify-package, sign and onnx."""
    one = add_command(
        commands,
        "export",
        export,
        "make a package of a training",
        "export results/moe_ecapa/1234 package --about about.yaml\n"
        "export results/moe_ecapa/1234 package --examples a.wav b.wav",
    )
    one.add_argument("training", help="output_folder of a training")
    one.add_argument("package", help="folder to write")
    one.add_argument("--about", help="yaml with title, license .. for the card")
    add_allow_code(one)
    one.add_argument(
        "--examples", nargs="+", default=(), help="recordings to take along"
    )
    one = add_command(
        commands,
        "card",
        card,
        "show a model card: what it was trained on and how well it does",
        "card\ncard user/name --revision v1",
    )
    one.add_argument(
        "model", nargs="?", help="package (default: the shipped weights)"
    )
    add_revision(one)
    one = add_command(
        commands,
        "verify-package",
        verify_package,
        "check a package's files",
        "verify-package package",
    )
    one.add_argument("package", help="folder of a package")
    add_allow_code(one)
    one = add_command(
        commands,
        "sign",
        sign,
        "enter a package's files, as they are now, into its manifest",
        "sign package   # after editing its card, or adding an ONNX file",
    )
    one.add_argument("package", help="folder of a package of your own")
    one = add_command(
        commands,
        "onnx",
        onnx,
        "make one file that runs without torch",
        "onnx package encoder.onnx\nonnx user/name encoder.onnx --revision v1",
    )
    one.add_argument(
        "model", help="package or training, name of shipped weights, or Hub id"
    )
    one.add_argument("file", help="file to write, ending in .onnx")
    add_revision(one)
    add_allow_code(one)


def add_moving(commands):
    """Declare push and pull."""
    one = add_command(
        commands,
        "push",
        push,
        "upload a package to the Hub",
        "push package user/name --tag v1 --private",
    )
    one.add_argument("package", help="folder of a package")
    one.add_argument("repo_id", help="such as user/name")
    one.add_argument("--private", action="store_true", help="if it is made")
    one.add_argument("--message", default="Upload speaker encoder")
    one.add_argument("--tag", help="name for this revision")
    one = add_command(
        commands,
        "pull",
        pull,
        "download a package from the Hub",
        "pull user/name package --revision v1",
    )
    one.add_argument("repo_id", help="such as user/name")
    one.add_argument("package", help="folder to write")
    one.add_argument("--revision", help="commit, tag or branch")
    add_allow_code(one)


def export(given):
    """Write the best checkpoint of a training as a package."""
    from speechbrain_moe.inference.about import read_about
    from speechbrain_moe.inference.export import export_package

    about = read_about(given.about) if given.about else None
    package = export_package(
        given.training,
        given.package,
        about,
        given.examples,
        given.allow_code,
    )
    return Answer({"package": str(package)})


def card(given):
    """Show the model card of a package."""
    package = package_folder(given)
    path = package / "README.md"
    if not path.is_file():
        raise PackageError(f"{package} has no README.md; export it again")
    text = path.read_text(encoding="utf-8", errors="replace").rstrip()
    return Answer({"package": str(package), "card": text}, text)


def verify_package(given):
    """Check a package file by file."""
    from speechbrain_moe.inference import manifest

    found = manifest.verify_package(given.package, given.allow_code)
    return Answer(found._asdict())


def sign(given):
    """Enter a package's files into its manifest."""
    from speechbrain_moe.inference import manifest

    manifest.sign_package(given.package)
    return Answer({"package": given.package})


def push(given):
    """Upload a package, and tell where it stands now."""
    from speechbrain_moe.inference import hub

    pushed = hub.push(
        given.package, given.repo_id, given.private, given.message, given.tag
    )
    return Answer(pushed._asdict())


def pull(given):
    """Download a package to a folder."""
    from speechbrain_moe.inference import hub

    package = hub.pull(
        given.repo_id,
        given.package,
        given.revision,
        allow_code=given.allow_code,
    )
    return Answer({"package": str(package)})


def onnx(given):
    """Write a model as one ONNX file."""
    from speechbrain_moe.inference.onnx_export import (
        check_installed,
        check_path,
        export_onnx,
    )

    check_path(Path(given.file))  # before anything is downloaded
    check_installed()
    written = export_onnx(
        model_folder(given), given.file, allow_code=given.allow_code
    )
    return Answer({**written._asdict(), "path": str(written.path)})
