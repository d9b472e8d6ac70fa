"""What a training learnt for training alone, for the one that goes on.

 * a package holds neither the centres of changed voices nor the head that
   reaches a teacher's space; the folder of a training does
 * a training that starts from such a folder keeps both, where they fit it

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.inference.experiment import find_checkpoint, read_weights
from speechbrain_moe.inference.package import LABELS_FILE, load_labels


def keep_heads(modules, source, speakers):
    """Fill classifier and distillation head from a training's folder.

    Arguments
    ---------
    modules : dict
        ``classifier`` and, with a teacher, ``distillation`` of the training
        that begins, on the CPU, changed in place.
    source : str or Path
        Value of finetune_from or init_from.
    speakers : list of str
        Speakers of the training, in the order of their labels.

    Returns
    -------
    list of str
        Names of the modules that were filled. Left as they are: all of them
        if source is no training's folder, the classifier if speakers or
        copies of them are others, the head if the sizes are others.

    Raises
    ------
    PackageError
        If the folder's checkpoint is damaged.

    Example
    -------
    >>> keep_heads({}, "speechbrain/spkrec-ecapa-voxceleb", ["ann"])
    []
    """
    save_folder = Path(source) / "save"
    if not (save_folder / LABELS_FILE).is_file():
        return []
    known = CategoricalEncoder()
    load_labels(known, save_folder / LABELS_FILE)
    same = [known.ind2lab[i] for i in range(len(known))] == list(speakers)
    wanted = ("classifier", "distillation") if same else ("distillation",)
    found = find_checkpoint(save_folder)
    return [name for name in wanted if fill(modules, found, name)]


def fill(modules, checkpoint, name):
    """Fill one module from a checkpoint, where it is in both and fits.

    Arguments
    ---------
    modules : dict
        Modules by name.
    checkpoint : Checkpoint
        What ``find_checkpoint`` returned.
    name : str
        Which.

    Returns
    -------
    bool
        Whether it was filled.

    Raises
    ------
    PackageError
        If its file is damaged.
    """
    if name not in modules or name not in checkpoint.paramfiles:
        return False
    theirs = read_weights(checkpoint, name)
    ours = modules[name].state_dict()
    shapes = {key: value.shape for key, value in theirs.items()}
    if shapes != {key: value.shape for key, value in ours.items()}:
        return False
    modules[name].load_state_dict(theirs)
    return True
