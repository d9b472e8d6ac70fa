"""Training crops and whole dev utterances from the prepared csv files.

 * paths in the csv files are relative to the folder that was prepared
 * datasets are SpeechBrain's; what an item is stands in crops.py

Shape letters: S samples.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import pandas as pd
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import provides, takes

from speechbrain_moe.audio import read_audio


def training_rows(csv_path, folder):
    """Rows of a prepared list, with whole paths.

    Arguments
    ---------
    csv_path : str or Path
        Prepared list: ID, path, spk_id (empty where it is not known),
        duration_s.
    folder : str or Path
        Folder that the paths are relative to.

    Returns
    -------
    dict
        Rows by ID, as ``train_dataset`` takes them.
    """
    table = read_table(csv_path)
    table["path"] = [str(Path(folder) / path) for path in table.path]
    return table.set_index("ID").to_dict("index")


def train_dataset(rows, make_crop):
    """Crops of prepared files, drawn anew in each epoch.

    Arguments
    ---------
    rows : dict
        By ID; what ``training_rows`` returned, of one list or of several.
    make_crop : CropMaker
        What makes an item of a row.

    Returns
    -------
    DynamicItemDataset
        Items ``id`` and those of make_crop.
    """

    @takes("id", "path", "duration_s", "spk_id")
    @provides(*make_crop.items)
    def crop(*row):
        yield from make_crop(*row)

    return DynamicItemDataset(rows, [crop], ["id", *make_crop.items])


def utterance_dataset(csv_path, folder, sample_rate, process=0, n_processes=1):
    """Whole utterances, for validation.

    Arguments
    ---------
    csv_path : str or Path
        Prepared list: ID, path.
    folder : str or Path
        Folder that the paths are relative to.
    sample_rate : int
        Rate of the files, in Hz.
    process, n_processes : int
        Which share of the utterances, of how many; every one is in one.

    Returns
    -------
    DynamicItemDataset
        Items ``id``, ``path`` (relative) and ``sig`` (waveform).
    """

    @takes("path")
    @provides("sig")
    def whole(path):
        return read_audio(Path(folder) / path, sample_rate)

    table = read_table(csv_path)[process::n_processes]
    rows = table.set_index("ID").to_dict("index")
    return DynamicItemDataset(rows, [whole], ["id", "path", "sig"])


def read_table(csv_path):
    """A prepared list as a table.

    Arguments
    ---------
    csv_path : str or Path
        A csv file with ID and duration_s columns.

    Returns
    -------
    pandas.DataFrame
        duration_s in seconds as a float, everything else text.
    """
    table = pd.read_csv(csv_path, dtype=str, keep_default_na=False)
    return table.astype({"duration_s": float})
