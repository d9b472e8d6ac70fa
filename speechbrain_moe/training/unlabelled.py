"""The list of speech without speakers, which trains by a teacher alone.

 * files that the teacher does not know would teach nothing: left out, and
   counted
 * short ones are left out as labelled ones are

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import pandas as pd
from speechbrain.utils.logger import get_logger

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.files import write_whole
from speechbrain_moe.training.sound_list import audio_header, find_audio
from speechbrain_moe.training.teacher import teacher_rows

logger = get_logger(__name__)


def list_unlabelled(
    csv_path, folder, teacher, min_duration_s, sample_rate, has_begun=False
):
    """Write the csv of unlabelled files that a teacher knows.

    Arguments
    ---------
    csv_path : str or Path
        List to write: ID, path (below the folder), spk_id (empty),
        duration_s.
    folder : str or Path
        Searched recursively for wav, flac, ogg and opus.
    teacher : Teacher
        What ``read_teacher`` returned.
    min_duration_s : float
        Shorter files are left out.
    sample_rate : int
        In Hz; what the files must have.
    has_begun : bool
        Whether a training has begun on the list: it stays as it is.

    Returns
    -------
    int
        Files that were listed.

    Raises
    ------
    AudioError
        If the folder holds no audio, or a file that the teacher knows
        cannot be read or has another rate.
    HyperparameterError
        If the teacher knows none, or two by one row, or a training has begun
        on other files.
    """
    files = find_audio(folder, "unlabelled_folder")
    known = teacher_rows(teacher, files)
    if not known:
        raise HyperparameterError(
            f"teacher_embeddings has no row for any of {len(files)} files of "
            f"unlabelled_folder {folder}: give a teacher that has, or null"
        )
    lengths = {f: audio_header(f, sample_rate).duration for f in known}
    kept = {f: s for f, s in lengths.items() if s >= min_duration_s}
    if len(kept) < len(files):
        logger.warning(
            "unlabelled_folder: %d of %d files are left out: %d without a "
            "teacher's embedding, %d shorter than min_duration_s",
            len(files) - len(kept),
            len(files),
            len(files) - len(known),
            len(known) - len(kept),
        )
    paths = [str(Path(f).relative_to(Path(folder).resolve())) for f in kept]
    table = pd.DataFrame(
        {
            "ID": [f"unlabelled/{path}" for path in paths],
            "path": paths,
            "spk_id": "",
            "duration_s": list(kept.values()),
        }
    )
    text = table.to_csv(index=False, lineterminator="\n")
    before = Path(csv_path)
    has_begun = has_begun and before.is_file()
    if has_begun and before.read_text(encoding="utf-8") != text:
        raise HyperparameterError(
            f"unlabelled_folder {folder}: its files, or those that the "
            f"teacher knows, are others than a training began on ({csv_path}): "
            "put them back, or choose another output_folder"
        )
    write_whole(csv_path, text)
    return len(table)
