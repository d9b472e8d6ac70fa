"""A teacher's embeddings without what a corpus has in common.

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.teacher import teacher_rows

MIN_NORM = 1e-4  # of what is left of an embedding of length 1


def centred(teacher, corpora):
    """A teacher without what the recordings of a corpus have in common.

    What all recordings of a corpus share, such as their channel, tells no
    speaker from another, and is a good part of a cosine: scoring takes the
    mean off for that reason (Garcia-Romero and Espy-Wilson, Interspeech
    2011, section 3), so a student need not learn it.

    Arguments
    ---------
    teacher : Teacher
        What ``read_teacher`` returned.
    corpora : list of tuple
        For each corpus its recordings, whose mean is taken, and the files
        it is taken off: these and their changed voices.

    Returns
    -------
    Teacher
        Unit-length embeddings; those of other files as they were.

    Raises
    ------
    HyperparameterError
        If an embedding is the mean, as that of a lone recording is.

    Example
    -------
    >>> from speechbrain_moe.training.teacher import Teacher
    >>> rows = {("a", "1"): 0, ("a", "2"): 1, ("b", "1"): 2}
    >>> files = ["a/1", "a/2"]
    >>> found = centred(Teacher(rows, np.eye(3)), [(files, files)])
    >>> found.embeddings.round(2)
    array([[ 0.71, -0.71,  0.  ],
           [-0.71,  0.71,  0.  ],
           [ 0.  ,  0.  ,  1.  ]])
    """
    embeddings = teacher.embeddings.copy()
    for recordings, files in corpora:
        known = [*teacher_rows(teacher, recordings).values()]
        taught = teacher_rows(teacher, files)
        members = [*taught.values()]
        if not members:
            continue
        if not known:
            raise HyperparameterError(
                "centre_teacher is True, and the teacher knows "
                f"{[*taught][0]} and no recording that was not changed: let "
                "it hear these, or give False"
            )
        moved = embeddings[members] - embeddings[known].mean(0)
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        if norms.min() < MIN_NORM:
            raise HyperparameterError(
                "centre_teacher is True, and the teacher's embedding of "
                f"{[*taught][norms.argmin()]} is the mean of its corpus: give "
                "more recordings, or False"
            )
        embeddings[members] = moved / norms
    return teacher._replace(embeddings=embeddings)
