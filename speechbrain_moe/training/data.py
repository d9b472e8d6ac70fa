"""Training crops and whole dev utterances from the prepared csv files.

 * a crop is drawn and read per epoch; short files are repeated to fill it
 * a changed speed is a changed voice: it counts as a new speaker, with
   label = speaker + speed_index * n_speakers, speed 1.0 first
 * speech without a speaker trains by a teacher alone: its label is -1
 * paths in the csv files are relative to the folder that was prepared

Shape letters: S samples.

Authors
 * The speechbrain_moe developers 2026
"""

import math
from pathlib import Path

import pandas as pd
import torch
import torchaudio
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.utils.data_pipeline import provides, takes

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.teacher import teacher_rows


def check_speeds(speeds):
    """Refuse speed factors that cannot be used.

    Arguments
    ---------
    speeds : list of float
        Value of the yaml key; the first must be 1.0.

    Raises
    ------
    HyperparameterError
        If the first is not 1.0, one is not above 0, or two are the same.

    Example
    -------
    >>> check_speeds([0.9, 1.1])
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: speeds is [0.9, 1.1]: start
    with 1.0, then other factors above 0, each once
    """
    valid = speeds and speeds[0] == 1.0 and min(speeds) > 0
    if not valid or len(set(speeds)) < len(speeds):
        raise HyperparameterError(
            f"speeds is {list(speeds)}: start with 1.0, then other factors "
            "above 0, each once"
        )


def change_speed(wav, speed):
    """Waveform played faster: pitch and formants rise with the tempo.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform [S].
    speed : float
        Factor; 1.1 is a tenth faster. Taken to whole percents.

    Returns
    -------
    torch.Tensor
        Waveform [ceil(S / speed)].

    Example
    -------
    >>> change_speed(torch.zeros(1100), 1.1).shape
    torch.Size([1000])
    """
    percent = round(100 * speed)
    return torchaudio.functional.resample(wav, percent, 100)


def fill(wav, n_samples):
    """Waveform repeated or cut to n_samples.

    Arguments
    ---------
    wav : torch.Tensor
        Waveform [S], S at least 1.
    n_samples : int
        Samples wanted.

    Returns
    -------
    torch.Tensor
        Waveform [n_samples].

    Example
    -------
    >>> fill(torch.tensor([1.0, 2.0]), 5).tolist()
    [1.0, 2.0, 1.0, 2.0, 1.0]
    """
    return wav.repeat(math.ceil(n_samples / len(wav)))[:n_samples]


def random_crop(path, n_available, n_samples, sample_rate):
    """A crop of an audio file that starts at a random sample.

    Arguments
    ---------
    path : str or Path
        Audio file.
    n_available : int
        Samples the file has.
    n_samples : int
        Samples wanted; a shorter file is repeated.
    sample_rate : int
        Rate of the file, in Hz.

    Returns
    -------
    torch.Tensor
        Waveform [n_samples], float32.

    Raises
    ------
    AudioError
        If the file cannot be used; the message names it.
    """
    slack = max(0, n_available - n_samples)
    start = int(torch.randint(slack + 1, (1,)))
    return fill(read_audio(path, sample_rate, start, n_samples), n_samples)


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


def train_dataset(
    rows, label_encoder, crop_s, speeds, sample_rate, teacher=None
):
    """Crops with speaker labels, and with what a teacher says of them.

    Arguments
    ---------
    rows : dict
        By ID; what ``training_rows`` returned, of one list or of several.
    label_encoder : CategoricalEncoder
        Holds the speakers.
    crop_s : float
        Length of a crop, in seconds.
    speeds : list of float
        Speed factors, each drawn equally often; the first is 1.0. Speech
        without a speaker keeps its own speed.
    sample_rate : int
        Rate of the files, in Hz.
    teacher : Teacher, optional
        What ``read_teacher`` returned.

    Returns
    -------
    DynamicItemDataset
        Items ``id``, ``sig`` (waveform of crop_s) and ``spk_label`` (int,
        0 .. n_speakers * len(speeds) - 1; -1 without a speaker). With a
        teacher also ``teacher`` (embedding of the whole utterance
        [teacher_dim], zeros without one) and ``has_teacher`` (bool): False
        where the file has no row, or the speed made it another voice.

    Raises
    ------
    HyperparameterError
        If the speeds cannot be used, or two files share a teacher's row.
    """
    check_speeds(speeds)
    n_samples = round(crop_s * sample_rate)
    known = {}
    if teacher is not None:
        known = teacher_rows(teacher, [row["path"] for row in rows.values()])
        unknown = torch.zeros(teacher.embeddings.shape[1])

    @takes("path", "duration_s", "spk_id")
    @provides("sig", "spk_label", "teacher", "has_teacher")
    def crop_and_label(path, duration_s, spk_id):
        i = int(torch.randint(len(speeds), (1,))) if spk_id else 0
        wav = random_crop(
            path,
            int(duration_s * sample_rate),
            math.ceil(n_samples * speeds[i]),
            sample_rate,
        )
        yield fill(change_speed(wav, speeds[i]), n_samples)
        yield speaker_label(label_encoder, spk_id, i)
        row = known.get(path) if i == 0 else None
        yield unknown if row is None else torch.tensor(teacher.embeddings[row])
        yield row is not None

    wanted = ["id", "sig", "spk_label"]
    if teacher is not None:
        wanted += ["teacher", "has_teacher"]
    return DynamicItemDataset(rows, [crop_and_label], wanted)


def speaker_label(label_encoder, spk_id, speed_index):
    """Number of a speaker at a speed.

    Arguments
    ---------
    label_encoder : CategoricalEncoder
        Holds the speakers.
    spk_id : str
        The speaker; empty if not known.
    speed_index : int
        Place of the speed in its list.

    Returns
    -------
    int
        speaker + speed_index * n_speakers, or -1 if not known.

    Example
    -------
    >>> from speechbrain.dataio.encoder import CategoricalEncoder
    >>> encoder = CategoricalEncoder()
    >>> encoder.update_from_iterable(["ann", "bob"], sequence_input=False)
    >>> encoder.expect_len(2)
    >>> speaker_label(encoder, "bob", 1), speaker_label(encoder, "", 0)
    (3, -1)
    """
    if not spk_id:
        return -1
    label = label_encoder.encode_label(spk_id)
    return label + speed_index * len(label_encoder)


def utterance_dataset(csv_path, folder, sample_rate):
    """Whole utterances, for validation.

    Arguments
    ---------
    csv_path : str or Path
        Prepared list: ID, path.
    folder : str or Path
        Folder that the paths are relative to.
    sample_rate : int
        Rate of the files, in Hz.

    Returns
    -------
    DynamicItemDataset
        Items ``id``, ``path`` (relative) and ``sig`` (waveform).
    """

    @takes("path")
    @provides("sig")
    def whole(path):
        return read_audio(Path(folder) / path, sample_rate)

    rows = read_table(csv_path).set_index("ID").to_dict("index")
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
