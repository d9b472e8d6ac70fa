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
from pathlib import Path

import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.utils.distributed import ddp_init_group, run_on_main
from verify import say, verify
from voxceleb_prepare import prepare_voxceleb

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.lobes.losses import balance_loss, expert_load, z_loss
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.speakers import check_labels
from speechbrain_moe.scoring.trials import (
    check_trial_files,
    read_trials,
    trial_scores,
)
from speechbrain_moe.training.data import (
    fill_labels,
    read_table,
    train_dataset,
    utterance_dataset,
)
from speechbrain_moe.training.memory import keep_freed_memory
from speechbrain_moe.training.noises import prepare_noises
from speechbrain_moe.training.rooms import prepare_rooms
from speechbrain_moe.training.settings import (
    check_same_model,
    count_data,
    read_settings,
)

logger = logging.getLogger(__name__)


class SpeakerBrain(sb.Brain):
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

    def compute_forward(self, batch, stage):
        """Embeddings [B, 1, D] and their Routing."""
        wavs, lens = batch.to(self.device).sig
        if stage == sb.Stage.TRAIN:
            wavs, lens = self.hparams.augment(wavs, lens)
        feats = self.modules.compute_features(wavs)
        feats = self.modules.mean_var_norm(feats, lens)
        return self.modules.embedding_model(feats, lens, return_routing=True)

    def compute_objectives(self, predictions, batch, stage):
        """Speaker loss + weighted gate losses; in validation, none."""
        embedding, routing = predictions
        if stage != sb.Stage.TRAIN:
            self.dev_embeddings += list(embedding.squeeze(1).cpu().numpy())
            self.dev_paths += batch.path
            return torch.zeros(())
        labels = torch.as_tensor(batch.spk_label, device=self.device)
        # bf16 would round scaled cosines to steps of 0.1
        with torch.autocast(embedding.device.type, enabled=False):
            cosines = self.modules.classifier(embedding)
        load = expert_load(
            routing.expert_ids,
            routing.gate_logits.shape[1],
            routing.expert_weights,
        )
        terms = {
            "speaker_loss": self.hparams.compute_loss(cosines, labels),
            "balance_loss": balance_loss(routing.gate_probs, load),
            "z_loss": z_loss(routing.gate_logits),
        }
        self.note(load=load, **terms)
        return (
            terms["speaker_loss"]
            + self.hparams.balance_weight * terms["balance_loss"]
            + self.hparams.z_weight * terms["z_loss"]
        )

    def note(self, **values):
        """Add to the epoch's means."""
        self.n_noted += 1
        for key, value in values.items():
            value = value.detach().cpu()
            self.sums[key] = self.sums.get(key, 0) + value

    def on_stage_start(self, stage, epoch=None):
        """Set the margin of the epoch and empty what is gathered."""
        if stage == sb.Stage.TRAIN:
            self.sums, self.n_noted = {}, 0
            n_epochs = self.hparams.margin_warmup_epochs
            share = min(1.0, (epoch - 1) / n_epochs) if n_epochs else 1.0
            self.hparams.compute_loss.set_margin(share * self.hparams.margin)
        self.dev_embeddings, self.dev_paths = [], []

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
        means = {k: v / max(1, self.n_noted) for k, v in self.sums.items()}
        load = means.pop("load", torch.zeros(0)).tolist()
        self.hparams.train_logger.log_stats(
            {
                "epoch": epoch,
                "margin": float(self.hparams.compute_loss.margin),
                "lr": self.hparams.lr_scheduler.current_lr,
            },
            train_stats={
                **{key: value.item() for key, value in means.items()},
                "load": " ".join(f"{share:.3f}" for share in load),
            },
            valid_stats={"dev_eer": dev_eer},
        )
        self.checkpointer.save_and_keep_only(
            meta={"dev_eer": dev_eer, "epoch": epoch},
            min_keys=["dev_eer"],
            importance_keys=[],
        )


def prepare(settings):
    """Write the lists, noises and rooms that training reads."""
    lists = [settings["trial_list"]] if settings["trial_list"] else []
    if lists:
        trials = read_trials(lists[0])
        check_labels(trials)
        check_trial_files(trials, settings["trial_folder"], "trial_folder")
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
    prepare_augmentation(settings)


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


def fit(brain, settings):
    """Train to the last epoch, from the last checkpoint if there is one."""
    hparams, save_folder = brain.hparams, settings["save_folder"]
    folder, rate = settings["train_folder"], settings["sample_rate"]
    labels = hparams.label_encoder
    fill_labels(
        labels, settings["speakers"], f"{save_folder}/label_encoder.txt"
    )
    train = train_dataset(
        f"{save_folder}/train.csv",
        folder,
        labels,
        settings["crop_s"],
        settings["speeds"],
        rate,
    )
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
    run_on_main(prepare, kwargs={"settings": settings})
    settings, overrides = count_data(settings, overrides)
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
    brain = SpeakerBrain(
        dev_trials=read_trials(f"{settings['save_folder']}/dev_trials.txt"),
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    if not run_opts.test_only:
        fit(brain, settings)
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
