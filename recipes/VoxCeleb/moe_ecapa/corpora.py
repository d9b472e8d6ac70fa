"""The corpora of a training's recordings, whose means a teacher loses.

Authors
 * The speechbrain_moe developers 2026
"""

import pandas as pd

from speechbrain_moe.errors import InputError

COLUMN = "corpus"


def number_corpora(rows, metadata=None):
    """Number the corpora of recordings.

    Arguments
    ---------
    rows : iterable of dict
        ``spk_id`` of each recording, empty where it is not known.
    metadata : str or Path, optional
        csv with spk_id; where it has a column ``corpus``, the first row of a
        speaker says which one is theirs.

    Returns
    -------
    list of int
        One a recording: 0 without a speaker; from 1 on by corpus, in the
        order in which they come. All speakers are of one where nothing is
        said.

    Raises
    ------
    InputError
        If metadata cannot be read.

    Example
    -------
    >>> path = getfixture("tmp_path") / "speakers.csv"
    >>> _ = path.write_text("spk_id,corpus\\nann,one\\nbob,two\\n")
    >>> rows = [{"spk_id": name} for name in ("", "bob", "ann", "bob", "cy")]
    >>> number_corpora(rows, path), number_corpora(rows)
    ([0, 1, 2, 1, 3], [0, 1, 1, 1, 1])
    """
    corpora = {} if metadata is None else corpora_of_speakers(metadata)
    speakers = [row["spk_id"] for row in rows]
    names = [corpora.get(name, "") if name else None for name in speakers]
    numbers = {None: 0}
    return [numbers.setdefault(name, len(numbers)) for name in names]


def corpora_of_speakers(metadata):
    """Corpus of each speaker, as far as a table tells.

    Arguments
    ---------
    metadata : str or Path
        csv with spk_id.

    Returns
    -------
    dict of str
        By speaker; empty where there is no column corpus.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        table = pd.read_csv(metadata, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"metadata: {metadata}: {error}; give a csv with a column spk_id"
        ) from error
    if COLUMN not in table:
        return {}
    table = table.drop_duplicates("spk_id")
    return dict(zip(table.spk_id, table[COLUMN]))
