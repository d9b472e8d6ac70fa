"""Numbers for speakers, kept so that a training goes on with the same.

 * SpeechBrain's CategoricalEncoder holds them, a text file beside the
   checkpoints keeps them
 * other speakers than before are refused, never renumbered

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.distributed import run_on_main

from speechbrain_moe.errors import HyperparameterError


def fill_labels(label_encoder, speakers, path):
    """Number the speakers, as they were numbered before if they were.

    Arguments
    ---------
    label_encoder : CategoricalEncoder
        Filled in place: speaker i of the list gets label i.
    speakers : list of str
        Speakers to train on, sorted.
    path : str or Path
        Where the numbering is kept; written if it is not there.

    Raises
    ------
    HyperparameterError
        If a numbering of other speakers is there: a checkpoint beside it
        would be continued with wrong labels.

    Example
    -------
    >>> from speechbrain.dataio.encoder import CategoricalEncoder
    >>> encoder = CategoricalEncoder()
    >>> fill_labels(encoder, ["ann", "bob"], getfixture("tmp_path") / "labels")
    >>> encoder.encode_label("bob")
    1
    """
    label_encoder.update_from_iterable(speakers, sequence_input=False)
    label_encoder.expect_len(len(speakers))
    run_on_main(keep_labels, args=[label_encoder, path])


def keep_labels(label_encoder, path):
    """Write the numbering, or compare it with the one that is there.

    Arguments
    ---------
    label_encoder : CategoricalEncoder
        The numbering.
    path : str or Path
        Where it is kept.

    Raises
    ------
    HyperparameterError
        If another numbering is there.
    """
    if not Path(path).exists():
        label_encoder.save(path)
        return
    before = CategoricalEncoder()
    before.load(path)
    if before.lab2ind != label_encoder.lab2ind:
        raise HyperparameterError(
            f"{path} numbers other speakers than the data has now: choose "
            "another output_folder, or remove this one to start over"
        )
