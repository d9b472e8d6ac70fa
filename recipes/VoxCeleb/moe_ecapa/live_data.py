"""The data of a training with a live teacher: crops made in memory.

Authors
 * The speechbrain_moe developers 2026
"""

from corpora import number_corpora
from live_teacher import LiveTeacher, corpus_means

from speechbrain_moe.training.live_crops import LiveCrops, live_loader
from speechbrain_moe.training.speech_memory import load_speech


def make_live(brain, settings, teacher, rows):
    """Batches to train on, on the brain's device.

    Arguments
    ---------
    brain : SpeakerBrain
        Has ``draws`` already, which its epochs and steps set.
    settings : dict
        Values by key, counts included.
    teacher : Teacher
        Embeddings of the recordings, for what they have in common.
    rows : dict
        ``path`` and ``spk_id`` of each recording, by ID.

    Returns
    -------
    torch.utils.data.DataLoader
        For ``Brain.fit``.

    Raises
    ------
    InputError
        If the teacher or a recording cannot be used.
    """
    corpora = number_corpora(rows.values(), settings["metadata"])
    paths = [row["path"] for row in rows.values()]
    means = corpus_means(teacher, paths, corpora, settings["centre_teacher"])
    hears = LiveTeacher(settings["live_teacher"], means, brain.device)
    return live_loader(
        LiveCrops(
            rows,
            load_speech(paths, settings["sample_rate"], brain.device),
            settings["speakers"],
            corpora,
            hears,
            brain.draws,
            settings["steps_per_epoch"],
            settings["batch_size"],
            settings["crop_s"],
            settings["n_voices"],
            settings["voice_prob"],
            settings["sample_rate"],
            settings["n_hearings"],
        )
    )
