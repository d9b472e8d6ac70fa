"""A small corpus of synthetic voices, laid out as VoxCeleb.

 * Nothing is downloaded: voice_plan.py draws the voices and their sentences,
   speak.py says them with eSpeak NG.
 * Every voice has a process of its own and a fixed order of sentences, so
   that two runs of one seed agree to the byte.
 * A voice appears whole or not at all; a second run makes what is missing.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import hashlib
import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
import speak
import voice_plan
from tqdm import tqdm


def synthesise_corpus(
    out_folder,
    n_train_voices=60,
    n_test_voices=20,
    n_utterances=20,
    seed=1234,
    n_per_class=2000,
    n_jobs=None,
):
    """Make the corpus, or what is missing of it.

    Writes {dev,test}/<spk_id>/<session>/<utterance>.wav (16 kHz, mono, PCM16,
    2-4 s), meta/veri_test.txt and meta/utterances.csv.

    Arguments
    ---------
    out_folder : str or Path
        New, or of an earlier call with the same numbers and seed.
    n_train_voices, n_test_voices : int
        Voices in dev (>= 1) and test (>= 2).
    n_utterances : int
        Per voice, >= 2.
    seed : int
    n_per_class : int
        Target trials wanted, and nontarget trials.
    n_jobs : int, optional
        Voices made at a time; one per core by default.

    Returns
    -------
    list of str
        Ids of the voices that were made now.

    Raises
    ------
    ImportError
        If the extra [demo] is missing; the message holds the pip line.
    ValueError
        If a number is too small, or out_folder holds other voices.

    Example
    -------
    >>> import tempfile
    >>> synthesise_corpus(tempfile.mkdtemp(), 1, 2, 2, n_per_class=2)
    ['id10001', 'id20001', 'id20002']
    """
    out = Path(out_folder)
    numbers = (n_train_voices, n_test_voices, n_utterances)
    if min(n_train_voices, n_test_voices - 1, n_utterances - 1) < 1:
        raise ValueError(
            f"{numbers} training voices, test voices and utterances; give at "
            "least 1, 2 and 2"
        )
    jobs = [
        (
            out,
            part,
            voice,
            voice_plan.draw_utterances(part, i, n_utterances, seed),
            seed,
        )
        for part, n in (("dev", n_train_voices), ("test", n_test_voices))
        for i, voice in enumerate(voice_plan.draw_voices(part, n, seed))
    ]
    _refuse_strangers(out, jobs)
    missing = [job for job in jobs if not _is_complete(job)]
    if missing:
        _make_voices(missing, seed, n_jobs or os.cpu_count())
    _write_lists(out, jobs, n_per_class, seed)
    return [job[2]["spk_id"] for job in missing]


def _refuse_strangers(out, jobs):
    """Stop before voices of another call would mix with these."""
    wanted = {(job[1], job[2]["spk_id"]) for job in jobs}
    found = {(f.parent.name, f.name) for f in out.glob("*/id*")}
    if found - wanted:
        raise ValueError(
            f"{out} holds {len(found - wanted)} voices that this call would "
            "not make; give an empty folder or the numbers of before"
        )


def _record_file(job):
    """What tells a later run that the voice is made, and how."""
    return job[0] / "meta" / "voices" / f"{job[2]['spk_id']}.json"


def _fingerprint(job):
    """A hash of everything that was drawn for the voice."""
    return hashlib.sha256(json.dumps(job[1:]).encode()).hexdigest()


def _read_record(job):
    """The rows of a voice that was made with the same draws, else none."""
    try:
        record = json.loads(_record_file(job).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    return record["rows"] if record["drawn"] == _fingerprint(job) else []


def _is_complete(job):
    """Whether every file of the voice is there in its full length."""
    rows = _read_record(job)
    files = [job[0] / job[1] / row["path"] for row in rows]
    n_bytes = [
        44 + 2 * round(r["duration_s"] * speak.SAMPLE_RATE) for r in rows
    ]
    return bool(rows) and all(
        file.is_file() and file.stat().st_size == size
        for file, size in zip(files, n_bytes)
    )


def _make_voices(jobs, seed, n_jobs):
    """Make voices side by side, each in a fresh process."""
    rooms = speak.make_rooms(
        voice_plan.N_ROOMS, np.random.default_rng([seed, 5])
    )
    with ThreadPoolExecutor(n_jobs) as threads:
        made = threads.map(lambda job: _in_new_process(job, rooms), jobs)
        for _ in tqdm(made, "voices", total=len(jobs), disable=None):
            pass


def _in_new_process(job, rooms):
    """A pool of one, used once: a crash is an error and never a hang."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        process.submit(_make_voice, job, rooms).result()


def _make_voice(job, rooms):
    """Write the files of one voice aside, then move them into place."""
    out, part, voice, utterances, seed = job
    speaker = speak.Speaker()
    babble = speak.make_babble(speaker, voice_plan.sentence(0))
    aside = out / "meta" / "voices" / f"{voice['spk_id']}.part"
    shutil.rmtree(aside, ignore_errors=True)
    rows = []
    for index, utt in enumerate(utterances):
        rng = np.random.default_rng([seed, 4, int(voice["spk_id"][2:]), index])
        wav = speak.say(
            speaker, voice_plan.sentence(utt["text_id"]), voice, utt, rng
        )
        wav = speak.record(wav, utt, rooms[utt["room_id"]], babble, rng)
        file = aside / utt["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, wav, speak.SAMPLE_RATE, subtype="PCM_16")
        duration_s = len(wav) / speak.SAMPLE_RATE
        rows.append({**voice, **utt, "part": part, "duration_s": duration_s})
    final = out / part / voice["spk_id"]
    shutil.rmtree(final, ignore_errors=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    (aside / voice["spk_id"]).rename(final)
    aside.rmdir()
    record = {"drawn": _fingerprint(job), "rows": rows}
    _record_file(job).write_text(json.dumps(record), encoding="utf-8")


def _write_lists(out, jobs, n_per_class, seed):
    """Write the table of utterances and the trials of the test voices."""
    import pandas

    from speechbrain_moe.files import write_whole
    from speechbrain_moe.scoring.trial_design import make_trials
    from speechbrain_moe.scoring.trials import write_trials

    table = pandas.DataFrame([row for job in jobs for row in _read_record(job)])
    first = "path spk_id part session duration_s gender variant text_id".split()
    table = table[[*first, *table.columns.difference(first, sort=False)]]
    write_whole(
        out / "meta" / "utterances.csv",
        lambda aside: table.to_csv(aside, index=False, lineterminator="\n"),
    )
    test = table[table["part"] == "test"]
    trials = make_trials(test["path"], test["spk_id"], n_per_class, seed)
    write_trials(out / "meta" / "veri_test.txt", trials)


def main(argv=None):
    """Read the command line and make the corpus.

    Arguments
    ---------
    argv : list of str, optional
        Words of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_folder", type=Path)
    parser.add_argument("--n_train_voices", type=int, default=60)
    parser.add_argument("--n_test_voices", type=int, default=20)
    parser.add_argument("--n_utterances", type=int, default=20)
    parser.add_argument("--n_per_class", type=int, default=2000)
    parser.add_argument("--n_jobs", type=int)
    parser.add_argument("--seed", type=int, default=1234)
    synthesise_corpus(**vars(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
