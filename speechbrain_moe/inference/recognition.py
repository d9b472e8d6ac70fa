"""Speaker recognition that says when it cannot decide.

 * ``verify`` and ``identify`` decide by calibrated thresholds, and give no
   decision, with the reason, for recordings that are not good enough
 * files of any length, read in windows with bounded memory
 * stock SpeechBrain's methods stay, their input checked

Shape letters: U files, A experts that run, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import numpy as np

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference.checked_recognition import CheckedRecognition
from speechbrain_moe.inference.decisions import (
    decide,
    find_objections,
    mean_embedding,
)
from speechbrain_moe.inference.gallery_names import check_name
from speechbrain_moe.inference.identification import pick
from speechbrain_moe.inference.voices import describe_voices


class MoESpeakerRecognition(CheckedRecognition):
    """Verify, identify and explain, from files, with calibrated decisions.

    Load one with ``from_hparams(source=<package>)``, or from a training
    folder with ``from_encoder(load_encoder(<folder>))``.

    Arguments
    ---------
    *args : tuple
        Arguments of ``SpeakerRecognition``.
    **kwargs : dict
        Arguments of ``SpeakerRecognition``.
    """

    def verify(self, enrol, test, threshold="eer", prior=0.5, accept=()):
        """Decide whether recordings are of one speaker, if that can be said.

        Arguments
        ---------
        enrol : str, Path or list of them
            One or more recordings of one speaker.
        test : str or Path
            The recording to compare.
        threshold : str or float
            ``eer``, ``far1`` or ``far0.1`` (false alarms of 1 % and 0.1 %)
            from the package's calibration, or a cosine in [-1, 1].
        prior : float
            Probability of the same speaker before hearing anything, for
            the probability in the result.
        accept : list of str
            Faults to decide despite, such as ``band_limited``.

        Returns
        -------
        Decision
            same_speaker is None, with the reason, where a recording or the
            package does not allow one.

        Raises
        ------
        AudioError
            If a file cannot be read.
        InputError
            If threshold, prior or accept cannot be used.
        """
        files = as_list(enrol)
        *enrolled, tested = describe_voices(self, [*files, test])
        return decide(enrolled, tested, self.learnt, threshold, prior, accept)

    def enrol(self, files, accept=()):
        """One embedding of a speaker, of one or more recordings.

        Arguments
        ---------
        files : str, Path or list of them
            The recordings.
        accept : list of str
            Faults to enrol despite.

        Returns
        -------
        np.ndarray
            Mean of the unit embeddings [D] float32; its length, at most 1,
            says how alike they are, and belongs to it.

        Raises
        ------
        AudioError
            If a recording cannot be read or has a fault.
        """
        return mean_embedding(voices_to_enrol(self, as_list(files), accept))

    def identify(self, test, gallery, threshold="eer", prior=0.5, accept=()):
        """Find whose voice a recording is, or that it is nobody's enrolled.

        Arguments
        ---------
        test : str or Path
            The recording.
        gallery : dict
            By name what ``enrol`` returned, or the files to enrol.
        threshold : str or float
            As for ``verify``; by name it is raised for the number enrolled.
        prior : float
            Probability that the speaker is one of the gallery before
            hearing anything, for the probability in the result.
        accept : list of str
            Faults to decide despite.

        Returns
        -------
        Identification
            name is ``unknown`` below the threshold, None for no decision.

        Raises
        ------
        AudioError
            If a file cannot be read, or one of the gallery has a fault.
        InputError
            If the gallery is empty or has a name or value that cannot be.
        """
        if not isinstance(gallery, dict) or not gallery:
            raise InputError("gallery: give a dict of one or more speakers")
        for name in gallery:
            try:
                check_name(name)
            except InputError as error:
                raise InputError(f"gallery: {error}") from error
        enrolled = {
            name: self.enrolled(name, value, accept)
            for name, value in gallery.items()
        }
        (voice,) = describe_voices(self, [test])
        names, embeddings = list(enrolled), np.stack(list(enrolled.values()))
        settings = self.learnt, threshold, prior, accept
        return pick(names, embeddings, voice, *settings)

    def enrolled(self, name, value, accept):
        """An embedding from a gallery's embedding or files."""
        if not isinstance(value, np.ndarray):
            return self.enrol(value, accept)
        wanted = self.mods.embedding_model.experts.emb_dim
        numeric = value.dtype.kind in "fiu"
        length = np.linalg.norm(value) if numeric else 0.0
        if value.shape != (wanted,) or not 0 < length < 1.001:
            raise InputError(
                f"gallery[{name!r}]: embedding of shape {value.shape} and "
                f"length {length:.3g}; give [{wanted}] numbers of a length up "
                "to 1, as enrol returns"
            )
        return value

    def encode_files(self, paths, batch_size=8):
        """Embeddings of files, of any rates and lengths.

        Arguments
        ---------
        paths : list of str or Path
            The files.
        batch_size : int
            Windows of like length encoded at a time; changes the time it
            takes, not the embeddings.

        Returns
        -------
        np.ndarray
            Length 1, [U, D] float32, in the order of paths.

        Raises
        ------
        AudioError
            If a file cannot be read, is silent or below 0.1 s.
        """
        voices = describe_voices(self, as_list(paths), batch_size)
        check_embedded(voices)
        return np.stack([voice.embedding for voice in voices])

    def describe(self, path):
        """Embedding, experts, quality and faults of a recording.

        Arguments
        ---------
        path : str or Path
            The file.

        Returns
        -------
        Voice
            Without embedding and experts for silence and below 0.1 s.

        Raises
        ------
        AudioError
            If the file cannot be read.
        """
        return describe_voices(self, [path])[0]

    def route(self, path):
        """What each expert counts for in a recording's embedding.

        Arguments
        ---------
        path : str or Path
            The file.

        Returns
        -------
        np.ndarray
            Weights [A] float32, sum 1; of a long recording the mean.

        Raises
        ------
        AudioError
            If the file cannot be read, is silent or below 0.1 s.
        """
        voice = self.describe(path)
        check_embedded([voice])
        return voice.experts


def voices_to_enrol(recognition, files, accept=()):
    """Voices of recordings that are all good enough to enrol by.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        The model.
    files : list of str or Path
        The recordings.
    accept : list of str
        Faults to enrol despite.

    Returns
    -------
    list of Voice
        In the order of files, each with an embedding.

    Raises
    ------
    AudioError
        If a recording cannot be read or has a fault.
    """
    voices = describe_voices(recognition, files)
    objections = find_objections(voices, accept)
    if objections:
        raise AudioError(f"{objections}: enrol by another recording")
    return voices


def check_embedded(voices):
    """Refuse voices without an embedding, the first by name."""
    for voice in voices:
        if voice.embedding is None:
            raise AudioError(f"{find_objections([voice])}; leave it out")


def as_list(files):
    """Files as a list, of one or several.

    Example
    -------
    >>> as_list("a.wav")
    ['a.wav']
    """
    if isinstance(files, (str, Path)):
        return [files]
    if not isinstance(files, (list, tuple)) or not files:
        raise InputError(
            f"files: {type(files).__name__} given; give a path, or a list of "
            "one or more paths"
        )
    return list(files)
