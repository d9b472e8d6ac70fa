"""Who was enrolled in one visit of the page.

 * enrols, deletes and identifies as a ``Gallery`` in a folder does, and
   stores nothing
 * what is kept of a voice is its embedding, never the recording

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.decisions import mean_embedding
from speechbrain_moe.inference.file_hashes import sha256_of
from speechbrain_moe.inference.gallery import check_name
from speechbrain_moe.inference.recognition import as_list, voices_to_enrol


class VisitGallery:
    """Enrolled voices of one visit, in memory alone.

    Example
    -------
    >>> VisitGallery().names()
    []
    """

    def __init__(self):
        self.voices = {}

    def names(self):
        """Who is enrolled.

        Returns
        -------
        list of str
            Sorted.
        """
        return sorted(self.voices)

    def enrol(self, recognition, name, files):
        """Add recordings of somebody.

        Arguments
        ---------
        recognition : MoESpeakerRecognition
            The model.
        name : str
            Of the person.
        files : list of str
            The recordings.

        Returns
        -------
        int
            Recordings that the person now has; the same one counts once.
        """
        name, files = check_name(name), as_list(files)
        new = voices_to_enrol(recognition, files)
        by_content = dict(zip(map(sha256_of, files), new))
        self.voices[name] = self.voices.get(name, {}) | by_content
        return len(self.voices[name])

    def delete(self, name):
        """Forget somebody.

        Arguments
        ---------
        name : str
            As enrolled.
        """
        del self.voices[name]

    def identify(self, recognition, file, threshold="eer"):
        """Tell who of the enrolled speaks.

        Arguments
        ---------
        recognition : MoESpeakerRecognition
            The model.
        file : str
            The recording.
        threshold : str or float
            As for ``MoESpeakerRecognition.identify``.

        Returns
        -------
        Identification
            See ``MoESpeakerRecognition.identify``.
        """
        if not self.voices:
            raise InputError("nobody is enrolled; enrol somebody first")
        enrolled = {
            name: mean_embedding(voices.values())
            for name, voices in self.voices.items()
        }
        return recognition.identify(file, enrolled, threshold)
