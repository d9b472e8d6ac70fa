"""Rebuild the small speech pack from the public corpus speechocean762.

* Source: OpenSLR 101, with WAVE/SPEAKER0001/000010011.WAV; Zhang et al.,
  speechocean762, 2021, https://arxiv.org/abs/2104.01378
* meta/utterances.csv says which 3 800 of its files go where: 160 speakers
  to dev, 30 others to test, in VoxCeleb's speaker/session/utterance layout.
* flac and wav hold the corpus bit for bit. The recorded figures were made
  on Ogg-Opus of about 24 kbit/s; --format opus comes closest, but another
  encoder version changes samples, so figures may move in the last digits.
* A second run goes on where the first stopped; each file is put in place
  in one step, and meta/ is written when all of them stand.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import soundfile
from tqdm import tqdm

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole

META = Path(__file__).parent / "meta"
LISTED = ".opus"  # the suffix in the committed lists
LAYOUT = "WAVE/SPEAKER0001/000010011.WAV"
FORMATS = {
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    # libsndfile: 6 kbit/s + (1 - level) * 250 kbit/s, so 24 kbit/s
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.928},
}


class CorpusError(InputError):
    """The corpus folder lacks files that the pack is made of."""


class Rebuilt(NamedTuple):
    """Files written now, files kept from before, and the trial list."""

    n_written: int
    n_kept: int
    trial_list: Path


def prepare_speechocean(corpus_folder, out_folder, format="flac", meta=META):
    """Write dev/, test/ and meta/ of the small speech pack.

    Arguments
    ---------
    corpus_folder : str
        The unpacked speechocean762, the folder that holds WAVE.
    out_folder : str
        Where to write; made when missing.
    format : str
        flac, wav or opus; it is also the suffix in the written lists.
    meta : str
        Folder of the lists utterances.csv and veri_test.txt.

    Returns
    -------
    Rebuilt
        Counts, and the trial list whose paths are relative to test/.

    Raises
    ------
    CorpusError
        If corpus_folder has no WAVE folder, format is not one of the three,
        or source files are missing or not readable; the latter are all
        listed in meta/missing.csv of out_folder.

    Example
    -------
    >>> prepare_speechocean("nowhere", "pack")
    Traceback (most recent call last):
    ...
    prepare_speechocean.CorpusError: nowhere has no WAVE folder; ...
    """
    if format not in FORMATS:
        raise CorpusError(
            f"format {format!r}; give one of {', '.join(FORMATS)}"
        )
    sources = _index_sources(Path(corpus_folder))
    out_folder = Path(out_folder)
    table = pd.read_csv(Path(meta) / "utterances.csv", dtype=str)
    table["path"] = [_renamed(path, format) for path in table.path]
    _refuse_missing(
        table[~table.source_utt.isin(sources)], out_folder, "absent"
    )
    jobs = [
        (sources[utt], out_folder / path)
        for utt, path in zip(table.source_utt, table.path)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(partial(_convert, format=format), jobs)
        done = list(tqdm(done, total=len(jobs), desc=format, disable=None))
    faults = [state not in ("written", "kept") for state in done]
    reasons = [state for state, faulty in zip(done, faults) if faulty]
    _refuse_missing(table[faults], out_folder, reasons)
    trial_list = _write_meta(table, Path(meta), out_folder, format)
    return Rebuilt(done.count("written"), done.count("kept"), trial_list)


def _index_sources(corpus_folder):
    """Return the path of each wav by utterance, in either spelling."""
    folders = [corpus_folder / name for name in ("WAVE", "wave", "Wave")]
    wave = next((folder for folder in folders if folder.is_dir()), None)
    if wave is None:
        raise CorpusError(
            f"{corpus_folder} has no WAVE folder; unpack speechocean762 "
            f"(OpenSLR 101) and give the folder that holds {LAYOUT}"
        )
    paths = sorted(wave.rglob("*"))
    return {path.stem: path for path in paths if path.suffix.lower() == ".wav"}


def _renamed(path, format):
    """Return a listed path with the suffix of the format."""
    return f"{path.removesuffix(LISTED)}.{format}"


def _refuse_missing(rows, out_folder, reasons):
    """List the rows that have no usable source, and raise if any."""
    if not len(rows):
        return
    missing = out_folder / "meta" / "missing.csv"
    rows = rows.assign(reason=reasons)[["source_utt", "path", "reason"]]
    write_whole(missing, lambda aside: rows.to_csv(aside, index=False))
    first = rows.iloc[0]
    raise CorpusError(
        f"{len(rows)} source files are missing or broken, the first is "
        f"{first.source_utt} ({first.reason}), wanted as {LAYOUT}. Unpack "
        f"speechocean762 (OpenSLR 101) again; all are listed in {missing}"
    )


def _convert(job, format):
    """Write one file; return written, kept, or what is wrong."""
    source, target = job
    try:
        frames = soundfile.info(source).frames
        if frames and _frames(target) == frames:
            return "kept"
        samples, rate = soundfile.read(source, dtype="int16")
    except (RuntimeError, OSError) as error:
        return f"unreadable: {getattr(error, 'error_string', error)}"
    if rate != 16000 or samples.ndim != 1 or not frames:
        return f"not the corpus: {rate} Hz, {samples.shape} samples"
    write = partial(
        soundfile.write, data=samples, samplerate=rate, **FORMATS[format]
    )
    write_whole(target, write)
    return "written"


def _frames(path):
    """Return the length of an audio file, 0 if it cannot be read."""
    try:
        return soundfile.info(path).frames
    except (RuntimeError, OSError):
        return 0


def _write_meta(table, meta, out_folder, format):
    """Write both lists with the suffix of the format."""
    folder = out_folder / "meta"
    write_whole(folder / "utterances.csv", partial(table.to_csv, index=False))
    lines = (meta / "veri_test.txt").read_text(encoding="utf-8").splitlines()
    text = "".join(
        f"{label} {_renamed(enrol, format)} {_renamed(test, format)}\n"
        for label, enrol, test in map(str.split, lines)
    )
    write_whole(folder / "veri_test.txt", text)
    (folder / "missing.csv").unlink(missing_ok=True)
    return folder / "veri_test.txt"


def main(argv=None):
    """Run prepare_speechocean on command line arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus_folder", help=f"holds {LAYOUT}")
    parser.add_argument("out_folder")
    parser.add_argument("--format", choices=[*FORMATS], default="flac")
    args = parser.parse_args(argv)
    try:
        rebuilt = prepare_speechocean(**vars(args))
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{rebuilt.n_written} files written, {rebuilt.n_kept} kept; "
        f"train_folder: {args.out_folder}/dev, "
        f"trial_lists: {rebuilt.trial_list}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
