"""A gallery of enrolled voices, kept in a folder.

 * ``Gallery(folder)`` enrols, deletes, identifies, exports and takes exports
   in; several processes may use one folder at a time
 * it belongs to one model, and refuses another's embeddings
 * what it holds is read once, and again only after a change; one matrix
   product then compares with every voice
 * it keeps embeddings, hashes and names of files, no sound

Shape letters: R recordings, N voices, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.file_hashes import sha256_of
from speechbrain_moe.inference.gallery_changes import (
    add_recordings,
    delete_recordings,
    refuse_other_model,
)
from speechbrain_moe.inference.gallery_export import read_export, write_export
from speechbrain_moe.inference.gallery_file import (
    read_about,
    read_files,
    read_recordings,
)
from speechbrain_moe.inference.gallery_names import base_name, check_name
from speechbrain_moe.inference.identification import pick
from speechbrain_moe.inference.recognition import as_list, voices_to_enrol
from speechbrain_moe.inference.voices import describe_voices

GALLERY_FILE = "gallery.sqlite"


class Voices(NamedTuple):
    """What a gallery compares with: names, and embeddings [N, D]."""

    state: str | None
    model: str | None
    names: list[str]
    embeddings: np.ndarray


class Gallery:
    """Enrolled voices in a folder.

    Arguments
    ---------
    folder : str or Path
        Where they are; made by the first ``enrol``.

    Example
    -------
    >>> gallery = Gallery(getfixture("tmp_path") / "gallery")
    >>> gallery.names()
    []
    """

    def __init__(self, folder):
        self.file = Path(folder).absolute() / GALLERY_FILE
        self._voices = None

    def enrol(self, recognition, name, files, replace=False, accept=()):
        """Add recordings of a speaker, all or none of them.

        Arguments
        ---------
        recognition : MoESpeakerRecognition
            The model; for each gallery always the same.
        name : str
            The speaker. One who is enrolled already gets these besides;
            names that differ by case only are two speakers.
        files : str, Path or list of them
            The recordings; one that the speaker has counts once.
        replace : bool
            Whether to forget the speaker's earlier recordings.
        accept : list of str
            Faults to enrol despite, such as ``band_limited``.

        Returns
        -------
        int
            Recordings that the speaker now has; 0 if deleted elsewhere since.

        Raises
        ------
        AudioError
            If a recording cannot be read or has a fault.
        InputError
            If the name cannot be used, or the gallery is of another model.
        """
        name, files = check_name(name), as_list(files)
        key = recognition.model_key()
        # Before the long work; add_recordings looks again
        refuse_other_model(read_about(self.file)[0], key, self.file)
        voices = voices_to_enrol(recognition, files, accept)
        rows = [
            (name, base_name(file), sha256_of(file), voice.embedding)
            for file, voice in zip(files, voices)
        ]
        add_recordings(self.file, key, rows, replace)
        return len(read_files(self.file, name))

    def delete(self, name):
        """Forget a speaker; the embeddings are overwritten.

        Arguments
        ---------
        name : str
            As it was enrolled.

        Raises
        ------
        InputError
            If nobody of that name is enrolled.
        """
        if not delete_recordings(self.file, check_name(name)):
            raise InputError(f"{self.file}: holds nobody called {name!r}")

    def names(self):
        """Who is enrolled.

        Returns
        -------
        list of str
            Sorted.
        """
        return list(self._load().names)

    def recordings(self, name):
        """Which recordings a speaker is enrolled by.

        Arguments
        ---------
        name : str
            As it was enrolled.

        Returns
        -------
        list of str
            Names of the files, without folders.

        Raises
        ------
        InputError
            If nobody of that name is enrolled.
        """
        files = read_files(self.file, check_name(name))
        if not files:
            raise InputError(f"{self.file}: holds nobody called {name!r}")
        return files

    def identify(
        self,
        recognition,
        file,
        threshold="eer",
        prior=0.5,
        accept=(),
        n_nearest=10,
    ):
        """Find whose voice a recording is, or that it is nobody's enrolled.

        The answer is that of ``MoESpeakerRecognition.identify`` on the same
        voices. Each enrolled voice can be near by chance, so with N of them a
        threshold by name is raised by log N on the log-likelihood ratio, and
        the probability is shared: each has prior / N before hearing anything.

        Arguments
        ---------
        recognition : MoESpeakerRecognition
            The model that the voices were enrolled with.
        file : str or Path
            The recording.
        threshold : str or float
            ``eer``, ``far1``, ``far0.1``, or a cosine in [-1, 1], which is
            taken as it is.
        prior : float
            Probability that the speaker is one of the enrolled, before
            hearing anything.
        accept : list of str
            Faults to decide despite.
        n_nearest : int
            Scores to tell, 1 or more; the decision is by all.

        Returns
        -------
        Identification
            name is ``unknown`` below the threshold, None for no decision.

        Raises
        ------
        AudioError
            If the file cannot be read.
        InputError
            If nobody is enrolled, or by another model, or an argument cannot
            be used.
        """
        voices = self._filled(self._load())
        refuse_other_model(voices.model, recognition.model_key(), self.file)
        (voice,) = describe_voices(recognition, [file])
        return pick(
            voices.names,
            voices.embeddings,
            voice,
            recognition.learnt,
            threshold,
            prior,
            accept,
            n_nearest,
        )

    def export(self, path):
        """Write all recordings to a file, whole or not at all.

        Arguments
        ---------
        path : str or Path
            ``.npz``, which ``take_in`` reads: model, names, files, sha256
            [R], embeddings [R, D]; or ``.csv``: a line for each recording.

        Raises
        ------
        InputError
            If nobody is enrolled, or the name ends otherwise.
        """
        write_export(path, self._filled(read_recordings(self.file)[1]))

    def take_in(self, path, replace=False):
        """Add the recordings of another gallery's export, all or none.

        Arguments
        ---------
        path : str or Path
            What ``export`` wrote, ``.npz``.
        replace : bool
            Whether to forget what its names had here.

        Raises
        ------
        InputError
            If it is damaged, has a name that cannot be used, or is of
            another model.
        """
        found = read_export(path)
        names = map(check_name, found.names)
        rows = zip(names, found.files, found.sha256, found.embeddings)
        add_recordings(self.file, found.model, rows, replace)

    def _load(self):
        """The voices as they are now."""
        voices = self._voices
        if voices is None or voices.state != read_about(self.file)[1]:
            voices = mean_voices(*read_recordings(self.file))
            self._voices = voices
        return voices

    def _filled(self, found):
        """The same, if somebody is enrolled."""
        if not found.names:
            raise InputError(f"{self.file}: nobody is enrolled; enrol first")
        return found


def mean_voices(state, found):
    """One embedding for each speaker: the mean of its recordings'.

    Arguments
    ---------
    state : str or None
        What tells whether the gallery has changed.
    found : Recordings
        Sorted by name.

    Returns
    -------
    Voices
        Embeddings of length 1, shorter where they are means.
    """
    order = dict.fromkeys(found.names)
    if len(order) == len(found.names):
        return Voices(state, found.model, found.names, found.embeddings)
    new = [a != b for a, b in zip(found.names, [None, *found.names])]
    starts = np.flatnonzero(new)
    sums = np.add.reduceat(found.embeddings, starts, axis=0)
    counts = np.diff([*starts, len(new)]).astype(sums.dtype)
    embeddings = sums / counts[:, np.newaxis]
    return Voices(state, found.model, list(order), embeddings)
