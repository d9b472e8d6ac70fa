"""Say what is lacking of VoxCeleb, by its known numbers.

* The parts are told by their speaker ids: id1xxxx is VoxCeleb1, of which
  id10270 to id10309 are its test speakers; id0xxxx is VoxCeleb2.
* VoxCeleb2's ids do not tell dev from test, so its numbers must be those of
  either or of both.
* Other corpora have other names and are not judged.
* Numbers: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/

Authors
 * The speechbrain_moe developers 2026
"""

import re
from collections import defaultdict

LEN_VIDEO_ID = 11
KNOWN = {  # part: (speakers, utterances) of a whole copy
    "VoxCeleb1 dev": [(1211, 148642)],
    "VoxCeleb1 test": [(40, 4874)],
    "VoxCeleb2": [
        (118, 36237),  # test
        (5994, 1092009),  # dev
        (6112, 1128246),  # both
    ],
}


def voxceleb_part(speaker):
    """Part of VoxCeleb that a speaker id belongs to, or None.

    Arguments
    ---------
    speaker : str
        Speaker id.

    Returns
    -------
    str or None
        A key of KNOWN; None for any other corpus.

    Example
    -------
    >>> voxceleb_part("id10270"), voxceleb_part("id00012"), voxceleb_part("x")
    ('VoxCeleb1 test', 'VoxCeleb2', None)
    """
    if not re.fullmatch(r"id[01]\d{4}", speaker):
        return None
    number = int(speaker[2:])
    if number < 10000:
        return "VoxCeleb2"
    if number > 11251:
        return None
    is_test = 10270 <= number <= 10309
    return "VoxCeleb1 test" if is_test else "VoxCeleb1 dev"


def named_as_voxceleb(files):
    """Speakers whose sessions bear the 11 characters of a video's id.

    Other corpora have speakers called id00011 too, but not such sessions.

    Arguments
    ---------
    files : list of (str, int)
        Path, ending in speaker/session/utterance, and bytes of each file.

    Returns
    -------
    set of str
        Their ids.

    Example
    -------
    >>> files = [("id10001/1zcIwhmdeo4/1.wav", 9), ("id10002/s01/1.wav", 9)]
    >>> named_as_voxceleb(files)
    {'id10001'}
    """
    parts = (path.rsplit("/", 3)[-3:] for path, _ in files)
    return {part[0] for part in parts if len(part[-2]) == LEN_VIDEO_ID}


def compare_counts(sizes):
    """Compare what there is of VoxCeleb with what should be there.

    Arguments
    ---------
    sizes : dict
        Speaker to number of files.

    Returns
    -------
    whole : list of str
        A line for each part that has its known numbers.
    differing : list of str
        A line for each part that does not; names what is lacking.

    Example
    -------
    >>> whole, differing = compare_counts({"id10001": 90, "ann": 5})
    >>> whole, differing[0][:47]
    ([], 'VoxCeleb1 dev: 1210 of 1211 speakers are missin')
    """
    found = defaultdict(lambda: [0, 0])
    for speaker, n_files in sizes.items():
        part = voxceleb_part(speaker)
        if part:
            found[part][0] += 1
            found[part][1] += n_files
    whole, differing = [], []
    for part, (n_speakers, n_files) in sorted(found.items()):
        if (n_speakers, n_files) in KNOWN[part]:
            whole.append(f"{part}: {n_speakers} speakers, {n_files} files")
        else:
            differing.append(_difference(part, n_speakers, n_files))
    return whole, differing


def _difference(part, n_speakers, n_files):
    """Return what one part lacks, or has too much."""
    fitting = [known for known in KNOWN[part] if known[0] >= n_speakers]
    known = fitting[0] if fitting else KNOWN[part][-1]
    lines = [
        f"{want - have} of {want} {what} are missing"
        if want > have
        else f"{have} {what} where {want} are known"
        for what, have, want in zip(
            ("speakers", "files"), (n_speakers, n_files), known
        )
        if want != have
    ]
    return (
        f"{part}: {', '.join(lines)}. Unpack the corpus again, unless they "
        "are left out or added on purpose"
    )
