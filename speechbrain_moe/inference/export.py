"""From a training folder to a package that stock SpeechBrain loads.

 * stock SpeechBrain's interface around either, by one function; a package is
   checked first, as strangers' are
 * a package appears whole or not at all: it is built aside and renamed
 * error rates and calibration are taken along if they are of the checkpoint
   that is exported; the card says what is missing
 * the same training gives the same bytes: no time, no path

Authors
 * The speechbrain_moe developers 2026
"""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import PackageError
from speechbrain_moe.files import replace_folder
from speechbrain_moe.inference.building import (
    build_encoder,
    check_device,
    is_package,
)
from speechbrain_moe.inference.experiment import (
    WEIGHTS,
    read_experiment,
)
from speechbrain_moe.inference.half_weights import smallest
from speechbrain_moe.inference.loading import check_package
from speechbrain_moe.inference.package import (
    HPARAMS_FILE,
    LABELS_FILE,
    weights_file,
)
from speechbrain_moe.inference.package_facts import FACT_FILES, write_facts
from speechbrain_moe.inference.training_graph import to_text

EXAMPLE = r"example_\d+\.\w+"  # recordings that a package brings along
BANNER = """\
Inference graph of a speaker encoder, written by speechbrain_moe.
With it installed, stock SpeechBrain loads this folder:
SpeakerRecognition.from_hparams(source=<this folder>)
"""


def load_encoder(folder, device="cpu", checkpoint=None, allow_code=False):
    """A stock SpeakerRecognition from a training folder or a package.

    Arguments
    ---------
    folder : str or Path
        A training's ``output_folder`` (its best checkpoint is taken), or an
        exported package.
    device : str or torch.device
        Where to put it.
    checkpoint : str, optional
        Of a training, the name of another checkpoint.
    allow_code : bool
        Whether the graph may name classes and functions of any kind, which
        then run with your rights.

    Returns
    -------
    SpeakerRecognition
        In evaluation mode.

    Raises
    ------
    PackageError
        If the folder is neither, or not whole, or its graph would run code.
    """
    device = check_device(device)
    if is_package(folder):
        check_package(folder, allow_code)
        return build_encoder(folder, device=device)
    run_opts = {"device": device}
    hparams = read_experiment(folder, checkpoint, allow_code).hparams
    return SpeakerRecognition(
        modules=hparams["modules"], hparams=hparams, run_opts=run_opts
    )


def export_package(
    experiment_folder, package_folder, about=None, examples=(), allow_code=False
):
    """Write the best checkpoint of a training as a package.

    Arguments
    ---------
    experiment_folder : str or Path
        The ``output_folder`` of a training.
    package_folder : str or Path
        Folder to write; an older package there is replaced.
    about : About, optional
        What the maker says, for the card.
    examples : sequence of str or Path
        Recordings to take along, as example_1.wav and so on.
    allow_code : bool
        Whether the training's graph may name classes of any kind.

    Returns
    -------
    Path
        The package folder.

    Raises
    ------
    PackageError
        If there is nothing whole to export, or the target is a folder that
        holds something else.
    AudioError
        If an example cannot be used.
    """
    check_free(Path(package_folder))
    experiment = read_experiment(experiment_folder, allow_code=allow_code)
    sample_rate = experiment.hparams["sample_rate"]
    with written_aside(package_folder) as aside:
        names = copy_examples(examples, aside, sample_rate)
        write_files(experiment, aside)
        write_facts(experiment, experiment_folder, aside, about, names)
    return Path(package_folder)


@contextmanager
def written_aside(folder):
    """A new folder, put in the place of another once it is written.

    Arguments
    ---------
    folder : str or Path
        The place; of a link, the folder that it leads to.

    Yields
    ------
    Path
        An empty folder, hidden beside it; it is removed if an error ends
        the writing.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "mine"
    >>> with written_aside(folder) as aside:
    ...     aside.name
    '.mine.new'
    >>> folder.is_dir()
    True
    """
    folder = Path(folder)
    if folder.is_symlink():
        folder = folder.resolve()
    aside, old = (
        folder.with_name(f".{folder.name}.{what}") for what in ("new", "old")
    )
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        replace_folder(aside, folder, old)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_free(folder):
    """Refuse a place where a package would wipe out something else.

    Arguments
    ---------
    folder : Path
        Where a package is to be written.

    Raises
    ------
    PackageError
        If it is a file, or a folder with files that is no package or has
        files that no package has.
    """
    own = {HPARAMS_FILE, LABELS_FILE, *map(weights_file, WEIGHTS)}
    own.update(FACT_FILES)
    if folder.is_file():
        raise PackageError(f"{folder} is a file: export to a new folder")
    if folder.name in ("", ".."):
        raise PackageError(f"{folder} has no name: export to a new folder")
    others = {
        file.name
        for file in folder.glob("*")
        if file.name not in own and not re.fullmatch(EXAMPLE, file.name)
    }
    if not others and not is_package(folder):
        others = {file.name for file in folder.glob("*")}
    if others:
        raise PackageError(
            f"{folder} holds {sorted(others)[0]}, maybe more, and is no "
            "package or not only one: export to a new folder"
        )


def write_files(experiment, folder):
    """Write graph, weights and labels of a package.

    Arguments
    ---------
    experiment : Experiment
        What to write.
    folder : Path
        An empty folder.
    """
    experiment.graph.yaml_set_start_comment(BANNER)
    (folder / HPARAMS_FILE).write_text(
        to_text(experiment.graph), encoding="utf-8"
    )
    for name in WEIGHTS:
        state = smallest(experiment.hparams[name].state_dict())
        # Not save_file, whose file nobody else may read
        (folder / weights_file(name)).write_bytes(save(state))
    experiment.hparams["label_encoder"].save(folder / LABELS_FILE)


def copy_examples(paths, folder, sample_rate):
    """Copy recordings into a package.

    Arguments
    ---------
    paths : sequence of str or Path
        The recordings.
    folder : Path
        The package.
    sample_rate : int
        In Hz, that the model wants.

    Returns
    -------
    list of str
        Their names there.

    Raises
    ------
    AudioError
        If one cannot be read.
    """
    names = []
    for number, path in enumerate(map(Path, paths), start=1):
        read_audio(path, sample_rate)
        names.append(f"example_{number}{path.suffix.lower()}")
        shutil.copyfile(path, folder / names[-1])
    return names
