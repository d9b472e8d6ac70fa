"""The subcommands enroll, identify and gallery: voices that are known.

 * a gallery is a folder; without --gallery it is ./gallery

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import (
    add_accept,
    add_command,
    add_decision,
    add_model,
    open_model,
)
from speechbrain_moe.errors import InputError

ENROLL = """\
enroll Ann monday.wav tuesday.wav
enroll Ann new/*.wav --replace"""
IDENTIFY = """\
identify call.wav
identify call.wav --gallery team --threshold far1 --json"""
GALLERY = """\
gallery
gallery --delete Ann
gallery --export voices.npz
gallery --take_in voices.npz --gallery team"""
N_SHOWN = 3


def add_people_commands(commands):
    """Declare enroll, identify and gallery.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands, "enroll", enroll, "remember a person's voice", ENROLL
    )
    one.add_argument("name", help="of the person")
    one.add_argument("files", nargs="+", help="files, folders, globs or lists")
    one.add_argument(
        "--replace", action="store_true", help="forget earlier recordings"
    )
    add_gallery(one)
    add_accept(one)
    add_model(one)
    one = add_command(
        commands, "identify", identify, "say whose voice it is", IDENTIFY
    )
    one.add_argument("file", help="a recording")
    add_gallery(one)
    add_decision(one, "probability that it is one of those enrolled")
    add_model(one)
    one = add_command(
        commands, "gallery", gallery, "show who is enrolled", GALLERY
    )
    add_gallery(one)
    change = one.add_mutually_exclusive_group()
    change.add_argument("--delete", metavar="NAME", help="forget a person")
    change.add_argument("--export", metavar="FILE", help=".npz or .csv")
    change.add_argument(
        "--take_in",
        metavar="FILE",
        help="add everybody of an .npz that --export wrote",
    )


def add_gallery(command):
    """Declare where enrolled voices are."""
    command.add_argument(
        "--gallery",
        default="gallery",
        help="folder of enrolled voices (default: gallery, here)",
    )


def enroll(given):
    """Add a person's recordings to a gallery."""
    from speechbrain_moe.inference.file_lists import list_files
    from speechbrain_moe.inference.gallery import Gallery
    from speechbrain_moe.inference.gallery_names import check_name

    paths, name = list_files(given.files), check_name(given.name)
    n_files = Gallery(given.gallery).enrol(
        open_model(given), name, paths, given.replace, given.accept
    )
    said = f"{name} is enrolled by {n_files} recordings"
    if n_files == 1:
        said = f"{name} is enrolled by 1 recording"
    content = {"name": name, "n_recordings": n_files}
    return Answer({**content, "gallery": given.gallery}, said)


def identify(given):
    """Find whose voice a recording is."""
    from speechbrain_moe.inference.gallery import Gallery

    found = Gallery(given.gallery).identify(
        open_model(given),
        given.file,
        given.threshold,
        given.prior,
        given.accept,
    )
    return Answer(found.to_dict(), identification_text(found))


def identification_text(found):
    """Who it is, in words.

    Arguments
    ---------
    found : Identification
        What ``identify`` returned.

    Returns
    -------
    str
        The answer, then the nearest voices.
    """
    if found.name is None:
        return f"No decision: {found.reason}"
    lines = [found.name if found.name != "unknown" else "Unknown voice"]
    if found.probability is not None:
        lines.append(f"  probability {found.probability:7.4f} of the nearest")
    lines.append(
        f"  threshold   {found.threshold:7.4f}  for {found.n_enrolled} enrolled"
    )
    nearest = list(found.scores.items())[:N_SHOWN]
    lines += [f"  score       {score:7.4f}  {name}" for name, score in nearest]
    return "\n".join(lines)


def gallery(given):
    """Show who is enrolled, forget a person, or move all voices."""
    from pathlib import Path

    from speechbrain_moe.inference.gallery import Gallery
    from speechbrain_moe.inference.gallery_names import check_name

    if given.take_in is not None:
        Gallery(given.gallery).take_in(given.take_in)
        return Answer({"taken_in": given.take_in, "gallery": given.gallery})
    if not Path(given.gallery).is_dir():
        raise InputError(
            f"{given.gallery}: no such folder; enroll somebody, or correct "
            "--gallery"
        )
    voices = Gallery(given.gallery)
    if given.delete is not None:
        voices.delete(given.delete)
        return Answer({"deleted": check_name(given.delete)})
    if given.export is not None:
        voices.export(given.export)
        return Answer({"exported": given.export})
    people = {name: voices.recordings(name) for name in voices.names()}
    lines = [f"{name}: {', '.join(files)}" for name, files in people.items()]
    text = "\n".join(lines) or "nobody is enrolled"
    return Answer({"gallery": given.gallery, "people": people}, text)
