#!/usr/bin/env python3
"""Train a Mixture-of-Experts speaker encoder, verify with it, export it.

    python train.py hparams/moe_ecapa.yaml --data_folder /path/to/VoxCeleb

 * one command, one folder: prepares, trains, takes the checkpoint with the
   lowest EER on held-out speakers, verifies on the trial list, exports
 * any top-level key of the yaml can be overridden: --n_experts 8 --top_k 1
 * run it again after a crash and it goes on from the last checkpoint

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import sys
from functools import partial

import pandas as pd
import speechbrain as sb
import torch
import torch.distributed as dist
from hyperpyyaml import load_hyperpyyaml
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.distributed import ddp_init_group, run_on_main
from training_lists import find_teacher, prepare
from verify import say, verify

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.inference.init_from import init_experts
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import read_trials, trial_scores
from speechbrain_moe.training.brain import MoEBrain
from speechbrain_moe.training.crops import CropMaker
from speechbrain_moe.training.data import (
    train_dataset,
    training_rows,
    utterance_dataset,
)
from speechbrain_moe.training.draws import Draws, seed_step
from speechbrain_moe.training.labels import fill_labels
from speechbrain_moe.training.memory import keep_freed_memory
from speechbrain_moe.training.settings import (
    check_same_model,
    count_data,
    read_settings,
)
from speechbrain_moe.training.stability import first_choice, same_routes

logger = logging.getLogger(__name__)


class SpeakerBrain(MoEBrain):
    """Trains an encoder to tell speakers apart; validates by EER.

    Arguments
    ---------
    dev_trials : Trials
        Pairs of utterances of speakers that are not trained on.
    **kwargs : dict
        Arguments of ``speechbrain.Brain``.
    """

    def __init__(self, dev_trials, **kwargs):
        super().__init__(**kwargs)
        self.dev_trials = dev_trials

    def compute_features(self, wavs, lens=None):
        """Features as the encoder takes them [B, T, M]."""
        feats = self.modules.compute_features(wavs)
        return self.modules.mean_var_norm(feats, lens)

    def compute_forward(self, batch, stage):
        """Embeddings [B, 1, D] and their Routing."""
        wavs, lens = batch.to(self.device).sig
        if stage == sb.Stage.TRAIN:
            wavs, lens = self.hparams.augment(wavs, lens)
        feats = self.compute_features(wavs, lens)
        return self.modules.embedding_model(feats, lens, return_routing=True)

    def compute_objectives(self, predictions, batch, stage):
        """Loss of a training batch; in validation, none."""
        embedding, routing = predictions
        if stage == sb.Stage.TRAIN:
            return self.training_loss(embedding, routing, batch)
        self.dev_embeddings += list(embedding.squeeze(1).cpu().numpy())
        self.dev_paths += batch.path
        if self.encoder.gate is not None and self.encoder.n_experts > 1:
            self.stays.append(
                same_routes(self.choose, batch.sig.data, self.disturbances)
            )
        return torch.zeros(())

    def choose(self, wavs):
        """Expert that the gate puts first for each utterance [B]."""
        return first_choice(self.encoder, self.compute_features(wavs))

    def on_stage_start(self, stage, epoch=None):
        """Set what changes by epoch and empty what is gathered."""
        if stage == sb.Stage.TRAIN:
            self.on_train_epoch_start(epoch)
        self.dev_embeddings, self.dev_paths, self.stays = [], [], []
        # The same in each epoch, so that epochs compare
        self.disturbances = torch.Generator().manual_seed(self.hparams.seed)

    def on_fit_batch_start(self, batch, should_step):
        """Set the learning rate of the step."""
        if should_step:
            self.hparams.lr_scheduler(self.optimizer)

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """After validation: log, and save with the dev EER as the key."""
        if stage != sb.Stage.VALID or self.debug:
            return  # a debug run sees too few utterances for an EER
        scores = trial_scores(
            self.dev_embeddings, self.dev_paths, self.dev_trials
        )
        dev_eer, _ = equal_error_rate(self.dev_trials.labels, scores)
        stays = pd.DataFrame(self.stays).mean().add_prefix("route_stays_in_")
        self.hparams.train_logger.log_stats(
            {
                "epoch": epoch,
                "margin": float(self.hparams.compute_loss.margin),
                "temperature": float(self.encoder.gate_temperature),
                "lr": self.hparams.lr_scheduler.current_lr,
            },
            train_stats=self.epoch_figures(),
            valid_stats={"dev_eer": dev_eer, **stays},
        )
        self.checkpointer.save_and_keep_only(
            meta={"dev_eer": dev_eer, "epoch": epoch},
            min_keys=["dev_eer"],
            importance_keys=[],
        )


def start_experts(hparams, settings):
    """Fill fresh experts from init_from; resumed ones stay as they are."""
    resumes = hparams["checkpointer"].find_checkpoint() is not None
    if settings["init_from"] is None or resumes:
        return
    init_experts(
        hparams["modules"],
        settings["init_from"],
        noise=settings["init_noise"],
        seed=settings["seed"],
    )
    logger.info("every expert starts from %s", settings["init_from"])


def fit(brain, settings, teacher):
    """Train to the last epoch, from the last checkpoint if there is one."""
    hparams, save_folder = brain.hparams, settings["save_folder"]
    folder, rate = settings["train_folder"], settings["sample_rate"]
    labels = hparams.label_encoder
    fill_labels(
        labels, settings["speakers"], f"{save_folder}/label_encoder.txt"
    )
    rows = training_rows(f"{save_folder}/train.csv", folder)
    if settings["unlabelled_folder"] is not None:
        rows |= training_rows(
            f"{save_folder}/unlabelled.csv", settings["unlabelled_folder"]
        )
    brain.draws = Draws(settings["seed"])
    make_crop = CropMaker(
        labels,
        settings["crop_s"],
        settings["speeds"],
        rate,
        brain.draws,
        teacher,
        [row["path"] for row in rows.values()],
    )
    train = train_dataset(rows, make_crop)
    dev = utterance_dataset(f"{save_folder}/dev.csv", folder, rate)
    brain.fit(
        hparams.epoch_counter,
        train,
        dev,
        train_loader_kwargs={
            "batch_size": settings["batch_size"],
            "num_workers": settings["num_workers"],
            "shuffle": True,
            "drop_last": True,
            "collate_fn": partial(PaddedBatch, padded_keys=["sig"]),
        },
        valid_loader_kwargs={"batch_size": 1},
    )


def finish(settings, device):
    """Export the best checkpoint and verify with it."""
    package = export_package(
        settings["output_folder"], settings["package_folder"]
    )
    logger.info("exported to %s", package)
    trial_list, folder = settings["trial_list"], settings["trial_folder"]
    if trial_list is None:
        logger.warning(
            "trial_list is null: reporting on the dev speakers, by which the "
            "checkpoint was chosen; on other speakers expect a higher EER"
        )
        trial_list = f"{settings['save_folder']}/dev_trials.txt"
        folder = settings["train_folder"]
    metrics = verify(
        settings["output_folder"], trial_list, folder, device=device
    )
    logger.info(say(metrics))


def main(arguments):
    """Run the recipe; returns nothing, raises InputError on bad input."""
    hparams_file, run_opts, overrides = sb.parse_arguments(arguments)
    settings, overrides = read_settings(hparams_file, overrides)
    if settings["keep_freed_memory"]:
        keep_freed_memory()
    ddp_init_group(run_opts)
    check_same_model(settings)
    teacher = find_teacher(settings)
    run_on_main(prepare, args=[settings, teacher])
    n_processes = dist.get_world_size() if dist.is_initialized() else 1
    settings, overrides = count_data(settings, overrides, teacher, n_processes)
    # Built before the folder's hyperparams.yaml is written over
    with open(hparams_file, encoding="utf-8") as file:
        hparams = load_hyperpyyaml(file, overrides)
    sb.create_experiment_directory(
        settings["output_folder"], hparams_file, overrides
    )
    logger.info(
        "training on %d speakers, %d steps an epoch; lists in %s",
        len(settings["speakers"]),
        settings["steps_per_epoch"],
        settings["save_folder"],
    )
    start_experts(hparams, settings)
    modules = dict(hparams["modules"])
    if teacher is None:
        del modules["distillation"]
    brain = SpeakerBrain(
        dev_trials=read_trials(f"{settings['save_folder']}/dev_trials.txt"),
        modules=modules,
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    if not run_opts.test_only:
        fit(brain, settings, teacher)
    if brain.debug:
        logger.info("debug run: nothing is verified or exported")
        return
    run_on_main(finish, args=[settings, brain.device])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        # HyperPyYAML puts words of its own in front; ours are the last
        print(f"error: {error.args[-1]}", file=sys.stderr)
        sys.exit(2)
