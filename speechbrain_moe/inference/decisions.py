"""Same speaker, another, or no decision: what a comparison says.

 * a recording that is not good enough gives no decision, and the reason;
   so does a threshold that the package does not have
 * several enrolment recordings count as the mean of their embeddings, whose
   score is the mean of their scores: thresholds and llr are of one file to
   one, and stay on the safe side for the mean
 * a fault can be accepted by name, by those who know their recordings

Shape letters: D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.learnt import calibrate, find_threshold
from speechbrain_moe.inference.quality import FAULTS
from speechbrain_moe.inference.voices import Voice

UNKNOWN = "unknown"


class Decision(NamedTuple):
    """What two sides of a comparison say.

    Arguments
    ---------
    score : float or None
        Cosine in [-1, 1], of several enrolment recordings the mean; None
        when a side has no embedding.
    llr : float or None
        Natural log-likelihood ratio, above 0 for the same speaker; of
        several enrolment recordings the mean. None without a calibration.
    probability : float or None
        Of the same speaker, from llr and the prior given.
    threshold : float or None
        On the cosine; None when the package does not have it.
    same_speaker : bool or None
        Whether score >= threshold; None is no decision.
    reason : str or None
        Why there is no decision.
    enrol : list of Voice
        Quality, faults and experts of each enrolment recording.
    test : Voice
        Those of the test recording.

    Example
    -------
    >>> Decision(0.7, None, None, 0.5, True, None, [], None).same_speaker
    True
    """

    score: float | None
    llr: float | None
    probability: float | None
    threshold: float | None
    same_speaker: bool | None
    reason: str | None
    enrol: list[Voice]
    test: Voice

    def to_dict(self):
        """Plain values, for JSON; embeddings left out.

        Returns
        -------
        dict
            The fields; a Voice as dict of path, quality, faults, experts.
        """
        sides = {
            "enrol": [voice_dict(voice) for voice in self.enrol],
            "test": voice_dict(self.test),
        }
        return self._asdict() | sides


def voice_dict(voice):
    """Plain values of a Voice, without its embedding."""
    experts = voice.experts
    if experts is not None:
        experts = np.round(experts.astype(float), 4).tolist()
    return {
        "path": voice.path,
        "quality": voice.quality._asdict(),
        "faults": voice.faults,
        "experts": experts,
    }


def check_accept(accept):
    """Refuse names of faults that there are not."""
    some = isinstance(accept, (list, tuple, set))
    if not some or any(one not in FAULTS for one in accept):
        raise InputError(
            f"accept is {accept!r}; give a list of some of {', '.join(FAULTS)}"
        )


def find_objections(voices, accept=()):
    """What speaks against deciding by recordings, in one line.

    Arguments
    ---------
    voices : list of Voice
        Of both sides.
    accept : list of str
        Faults to decide despite; one that leaves no embedding stays.

    Returns
    -------
    str or None
        Files and faults; None when there is nothing.
    """
    check_accept(accept)
    said = [
        f"{voice.path}: {words}"
        for voice in voices
        for fault, words in voice.faults.items()
        if fault not in accept or voice.embedding is None
    ]
    return "; ".join(dict.fromkeys(said)) or None


def mean_embedding(voices):
    """Mean of unit embeddings [D]; None if a voice has none.

    Its product with an embedding is the mean of the cosines. Scaled to length
    1 it would score higher, with different speakers too: with ten recordings
    a threshold for 1 % of false alarms would let through two or three times
    as many.
    """
    if any(voice.embedding is None for voice in voices):
        return None
    return np.mean([voice.embedding for voice in voices], axis=0)


def decide(enrol, test, learnt, threshold="eer", prior=0.5, accept=()):
    """Compare voices.

    Arguments
    ---------
    enrol : list of Voice
        One or more recordings of the speaker enrolled.
    test : Voice
        The other recording.
    learnt : Learnt
        Thresholds and calibration.
    threshold : str or float
        eer, far1, far0.1, or a cosine in [-1, 1].
    prior : float
        For the probability: above 0, below 1.
    accept : list of str
        Faults to decide despite.

    Returns
    -------
    Decision
        With same_speaker None and a reason where there is no decision.

    Raises
    ------
    InputError
        If threshold, prior or accept cannot be used.
    """
    value, no_threshold = find_threshold(threshold, learnt)
    objections = find_objections([*enrol, test], accept)
    reason = "; ".join(filter(None, (objections, no_threshold))) or None
    sides = mean_embedding(enrol), test.embedding
    whole = all(side is not None for side in sides)
    score = float(np.clip(sides[0] @ sides[1], -1, 1)) if whole else None
    llr, probability = calibrate(score, learnt, prior)
    same = None if reason else score >= value
    return Decision(score, llr, probability, value, same, reason, enrol, test)
