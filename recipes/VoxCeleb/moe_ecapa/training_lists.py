"""What a training reads, written before it: lists, noises, rooms, a teacher.

 * trial list and teacher are looked at before the first file is written
 * a training that has begun keeps its speakers: a list of some is refused
 * all lists stand in save_folder; a second call makes only what changed

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from trial_sources import trial_paths
from voxceleb_prepare import prepare_voxceleb

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.speakers import check_labels, speakers_of
from speechbrain_moe.scoring.trials import (
    TrialListError,
    check_trial_files,
    read_trials,
)
from speechbrain_moe.training.changed_voices import (
    ChangedVoices,
    check_drawn_by,
    check_files,
)
from speechbrain_moe.training.data import read_table, training_rows
from speechbrain_moe.training.noises import prepare_noises
from speechbrain_moe.training.rooms import prepare_rooms
from speechbrain_moe.training.same_training import has_begun
from speechbrain_moe.training.teacher import read_teacher
from speechbrain_moe.training.unlabelled import list_unlabelled

SPEAKERS = ("train_folder", "trial_folder")
# What holds sounds that are nobody's, as far as a training knows
OF_NOBODY = ("unlabelled_folder", "noise_folder", "rir_folder")
OTHERS = (*OF_NOBODY, "voices_folder", "output_folder")
IS_SPEAKER = "all of whose folders are taken for speakers"
IS_HEARD = "so speakers who are held out might be heard"
NOT_WITHIN = [
    *((key, "train_folder", IS_SPEAKER) for key in OTHERS),
    *((key, other, IS_HEARD) for key in SPEAKERS for other in OF_NOBODY),
    ("unlabelled_folder", "trial_folder", IS_HEARD),
    *(
        ("output_folder", key, "so what is written would be heard")
        for key in OF_NOBODY
    ),
]


def trial_lists(settings):
    """Paths of the trial lists that are reported on, fetched if need be."""
    folder = Path(settings["save_folder"]) / "lists"
    paths = trial_paths(settings["trial_list"], folder)
    names = [path.stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise TrialListError(
                f"trial_list: two lists are called {name}, and results are "
                "kept by name: rename one"
            )
    return paths


def find_teacher(settings):
    """Embeddings to distil from, none of the trial list, or None."""
    if settings["teacher_embeddings"] is None:
        return None
    tested = []
    for path in trial_lists(settings):
        trials = read_trials(path)
        tested += [*trials.enrol, *trials.test]
    return read_teacher(settings["teacher_embeddings"], tested)


def find_voices(settings):
    """Where the changed voices of recordings are."""
    return ChangedVoices(
        settings["n_voices"],
        settings["voices_folder"],
        settings["train_folder"],
        settings["unlabelled_folder"],
        settings["voice_prob"],
    )


def train_lists(settings):
    """Folder of the audio, by the path of each list to train on."""
    names = {"train": settings["train_folder"]}
    if settings["unlabelled_folder"] is not None:
        names["unlabelled"] = settings["unlabelled_folder"]
    save_folder = settings["save_folder"]
    return {f"{save_folder}/{name}.csv": f for name, f in names.items()}


def read_rows(lists):
    """Rows by ID of what ``train_lists`` returned."""
    rows = {}
    for path, folder in lists.items():
        rows |= training_rows(path, folder)
    return rows


def prepare(settings, teacher):
    """Write the lists, noises and rooms that training reads."""
    check_apart(settings)
    lists = trial_lists(settings)
    for path in lists:
        trials = read_trials(path)
        check_labels(trials)
        check_trial_files(trials, settings["trial_folder"], "trial_folder")
        check_unheard(trials, path, settings["save_folder"])
    prepare_voxceleb(
        train_folder=settings["train_folder"],
        save_folder=settings["save_folder"],
        trial_lists=lists,
        metadata=settings["metadata"],
        n_dev_speakers=settings["n_dev_speakers"],
        n_dev_trials=settings["n_dev_trials"],
        min_duration_s=settings["min_duration_s"],
        sample_rate=settings["sample_rate"],
        seed=settings["seed"],
    )
    if settings["unlabelled_folder"] is not None:
        list_unlabelled(
            f"{settings['save_folder']}/unlabelled.csv",
            settings["unlabelled_folder"],
            teacher,
            settings["min_duration_s"],
            settings["sample_rate"],
            has_begun(settings["save_folder"]),
        )
    voices = find_voices(settings)
    if settings["voices_folder"] is not None:
        rows = read_rows(train_lists(settings))
        if settings["speaker_weight"]:
            check_drawn_by(voices)
        check_files(voices, rows.values(), teacher)
    prepare_augmentation(settings)


def unheard_speakers(settings):
    """Those that a training must not have heard: held out, or listed.

    Arguments
    ---------
    settings : dict
        Values by key; the lists of its save_folder are read.

    Returns
    -------
    set of str
        Their names.
    """
    found = {*read_table(f"{settings['save_folder']}/dev.csv").spk_id}
    for path in trial_lists(settings):
        trials = read_trials(path)
        found.update(speakers_of({*trials.enrol, *trials.test}))
    return found


def check_apart(settings):
    """Refuse folders that would be taken for speakers, or hold some.

    Arguments
    ---------
    settings : dict
        Values by key.

    Raises
    ------
    InputError
        If noises, rooms, unlabelled speech, changed voices or the results
        lie within train_folder; the results within noises, rooms or
        unlabelled speech; one of those holds train_folder or trial_folder;
        or unlabelled speech lies within trial_folder.
    """
    folders = {
        key: Path(settings[key]).resolve()
        for key in (*SPEAKERS, *OTHERS)
        if settings[key] is not None
    }
    for inner, outer, why in NOT_WITHIN:
        if {inner, outer} <= {*folders} and folders[inner].is_relative_to(
            folders[outer]
        ):
            raise InputError(
                f"{inner} {folders[inner]} is within {outer} {folders[outer]}, "
                f"{why}: give folders apart"
            )


def check_unheard(trials, path, save_folder):
    """Refuse a list of speakers whom a training has trained on or held out.

    Else they would be taken out of its lists now, and pass for unheard.

    Arguments
    ---------
    trials : Trials
        What the list holds.
    path : str or Path
        The list, for the error.
    save_folder : str or Path
        Of a training that has begun, or of none.

    Raises
    ------
    TrialListError
        Names a speaker.
    """
    if not (Path(save_folder) / "label_encoder.txt").is_file():
        return
    listed = {*speakers_of({*trials.enrol, *trials.test})}
    kept = [Path(save_folder) / f"{name}.csv" for name in ("train", "dev")]
    for table_path in filter(Path.is_file, kept):
        table = read_table(table_path)
        for speaker in sorted(listed & {*table.spk_id})[:1]:
            raise TrialListError(
                f"trial_list: {path} names {speaker}, who stands in "
                f"{table_path}: score this list by verify.py, or train anew in "
                "another output_folder"
            )


def prepare_augmentation(settings):
    """Write, or list, the noises and rooms."""
    table = read_table(f"{settings['save_folder']}/train.csv")
    speech = [str(Path(settings["train_folder"]) / p) for p in table.path]
    prepare_noises(
        settings["noise_csv"],
        f"{settings['save_folder']}/noise",
        speech_paths=speech,
        noise_folder=settings["noise_folder"],
        n_noises=settings["n_noises"],
        sample_rate=settings["sample_rate"],
        seed=settings["seed"],
    )
    prepare_rooms(
        settings["rir_csv"],
        f"{settings['save_folder']}/rir",
        rir_folder=settings["rir_folder"],
        n_rooms=settings["n_rooms"],
        sample_rate=settings["sample_rate"],
        seed=settings["seed"],
    )
