"""What a teacher says of crops, beside what it says of whole files.

 * of a crop a student can tell what its teacher tells of the same crop; what
   the teacher told of the whole file it could just know by heart
 * crops of one length, one every so often, lie in the teacher's file row
   after row

Shape letters: N rows of the file, C crops of all rows, D teacher_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np

from speechbrain_moe.training.teacher import load_arrays, refuse


class TeacherCrops(NamedTuple):
    """Embeddings of crops, of every row of a teacher.

    Arguments
    ---------
    embeddings : numpy.ndarray
        Unit-length embeddings [C, D], float32.
    firsts : numpy.ndarray
        The first crop of each row, and C after them [N + 1], int64.
    hop_s : float
        Seconds from the start of one crop to that of the next.
    """

    embeddings: np.ndarray
    firsts: np.ndarray
    hop_s: float

    def nearest(self, row, start_s):
        """The crop of a row that starts nearest to a time.

        Arguments
        ---------
        row : int
            Which row.
        start_s : float
            In seconds.

        Returns
        -------
        numpy.ndarray
            Its embedding [D].

        Example
        -------
        >>> crops = TeacherCrops(np.eye(3), np.array([0, 2, 3]), 0.25)
        >>> crops.nearest(0, 9.0).tolist(), crops.nearest(1, 0.1).tolist()
        ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
        """
        n_crops = self.firsts[row + 1] - self.firsts[row]
        place = min(round(start_s / self.hop_s), n_crops - 1)
        return self.embeddings[self.firsts[row] + place]


def names_of(crop_s):
    """Names of the three arrays of crops of a length.

    Arguments
    ---------
    crop_s : float
        Their length, in seconds.

    Returns
    -------
    tuple of str
        Of the embeddings [C, D], their number in each row [N], and the
        seconds between them.

    Example
    -------
    >>> names_of(2)
    ('crops_2.0', 'n_crops_2.0', 'hop_2.0')
    """
    return tuple(f"{name}_{crop_s:.1f}" for name in ("crops", "n_crops", "hop"))


def read_crops(npz_path, crop_s):
    """Crops of a teacher's file, brought to unit length.

    Arguments
    ---------
    npz_path : str or Path
        A file that ``read_teacher`` reads.
    crop_s : float
        Length of the crops that are wanted, in seconds.

    Returns
    -------
    TeacherCrops
        Of each row of the file one crop or more.

    Raises
    ------
    HyperparameterError
        If it holds no crops of that length, they do not fit its rows, or
        one is not finite.
    """
    names = names_of(crop_s)
    with np.load(npz_path) as file:
        held = sorted(n[6:] for n in file.files if n.startswith("crops_"))
        if not {*names} <= {*file.files}:
            refuse(
                npz_path,
                f"holds no crops of {crop_s} s (of {', '.join(held) or 'none'}"
                "): write them by teach.py --crops, or give teacher_crops "
                "False",
            )
        embeddings, counts, hop_s = (file[name] for name in names)
    paths, whole = load_arrays(npz_path)
    fits = counts.shape == paths.shape and counts.dtype.kind in "iu"
    fits = fits and counts.min() > 0 and hop_s > 0
    if not fits or embeddings.shape != (counts.sum(), whole.shape[1]):
        refuse(npz_path, f"{names[0]} does not fit the paths: write it anew")
    embeddings = embeddings.astype(np.float32)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if not (np.isfinite(norms) & (norms > 0)).all():
        refuse(npz_path, f"{names[0]} is not finite or zero: write it anew")
    firsts = np.concatenate([[0], np.cumsum(counts.astype(np.int64))])
    return TeacherCrops(embeddings / norms, firsts, float(hop_s))
