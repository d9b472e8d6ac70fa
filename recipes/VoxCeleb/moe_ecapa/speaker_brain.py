"""The Brain of this recipe: waveforms in, EER of held-out speakers out.

 * augmentation and features here, losses and routing in MoEBrain
 * each process validates on its share of the dev utterances; the EER is
   that of all of them
 * every dev_interval epochs, and at the end, comes a validation, and with it
   a checkpoint, its dev EER the key

Authors
 * The speechbrain_moe developers 2026
"""

import time
from pathlib import Path

import pandas as pd
import speechbrain as sb
import torch
import torch.distributed as dist
from speechbrain.utils.checkpoints import average_checkpoints

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.inference.experiment import AVERAGE, WEIGHTS
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import trial_scores
from speechbrain_moe.training.brain import MoEBrain
from speechbrain_moe.training.stability import first_choice, same_routes

TRAINED = (*WEIGHTS, "distillation")


class SpeakerBrain(MoEBrain):
    """Trains an encoder to tell speakers apart; validates by EER.

    Arguments
    ---------
    dev_trials : Trials
        Pairs of utterances of speakers that are not trained on.
    loggers : list
        SpeechBrain's train loggers.
    **kwargs : dict
        Arguments of ``speechbrain.Brain``.
    """

    def __init__(self, dev_trials, loggers, **kwargs):
        super().__init__(**kwargs)
        self.dev_trials = dev_trials
        self.loggers = loggers
        self.note_saved()

    def compute_features(self, wavs, lens=None):
        """Features as the encoder takes them [B, T, M]."""
        feats = self.modules.compute_features(wavs)
        return self.modules.mean_var_norm(feats, lens)

    def compute_forward(self, batch, stage):
        """Embeddings [B, 1, D] and their Routing."""
        wavs, lens = batch.to(self.device).sig
        if stage != sb.Stage.TRAIN:
            # Not through DDP: processes have unequal numbers of batches
            feats = self.compute_features(wavs, lens)
            return self.encoder(feats, lens, return_routing=True)
        # bf16 would round samples to eight bits
        with torch.autocast(wavs.device.type, enabled=False):
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
        # Crops are of one length, dev utterances are not
        torch.backends.cudnn.benchmark = stage == sb.Stage.TRAIN
        if stage == sb.Stage.TRAIN:
            self.on_train_epoch_start(epoch)
            self.draws.epoch, self.draws.step = self.drawn_epoch, self.step
        else:
            self.share_buffers()
        self.dev_embeddings, self.dev_paths, self.stays = [], [], []
        # The same in each epoch, so that epochs compare
        self.disturbances = torch.Generator().manual_seed(self.hparams.seed)

    def share_buffers(self):
        """Give all processes the main one's running means, as saved."""
        if dist.is_initialized():
            for buffer in self.modules.buffers():
                dist.broadcast(buffer, src=0)

    def on_fit_batch_start(self, batch, should_step):
        """Seed the step and set its learning rate."""
        super().on_fit_batch_start(batch, should_step)
        if getattr(self.hparams, "freeze_experts", False):
            self.encoder.experts.eval()  # running means stay, too
        if should_step:
            self.hparams.lr_scheduler(self.optimizer)

    def note_saved(self):
        """What is trained from here on would be lost by a kill."""
        self.saved_at, self.steps_since_saved = time.time(), 0

    def _should_save_intra_epoch_ckpt(self, last_ckpt_time, steps_since_ckpt):
        """Whether it is time; an epoch may have ended without one."""
        self.steps_since_saved += 1
        return super()._should_save_intra_epoch_ckpt(
            self.saved_at, self.steps_since_saved
        )

    def _save_intra_epoch_ckpt(self):
        """Save within an epoch."""
        super()._save_intra_epoch_ckpt()
        self.note_saved()

    def _fit_valid(self, valid_set, epoch, enable):
        """Validate where it is the epoch's turn."""
        last = epoch == self.hparams.epoch_counter.limit
        if last or epoch % self.hparams.dev_interval == 0:
            super()._fit_valid(valid_set, epoch, enable)

    def on_evaluate_start(self, max_key=None, min_key=None):
        """Nothing: the weights as they are, not those of a checkpoint."""

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """After validation: log, and save with the dev EER as the key."""
        if stage == sb.Stage.TRAIN or self.debug:
            return  # a debug run sees too few utterances for an EER
        self.dev_figures = self.measure_dev()
        if stage == sb.Stage.VALID:
            self.end_epoch(epoch)

    def measure_dev(self):
        """EER in % and how often routes stay, over all processes."""
        parts = (self.dev_embeddings, self.dev_paths, self.stays)
        embeddings, paths, stays = map(gather, parts)
        scores = trial_scores(embeddings, paths, self.dev_trials)
        dev_eer, _ = equal_error_rate(self.dev_trials.labels, scores)
        stays = pd.DataFrame(stays).mean().add_prefix("route_stays_in_")
        return {"dev_eer": dev_eer, **stays}

    def end_epoch(self, epoch):
        """Log the epoch and save it."""
        about = {
            "epoch": epoch,
            "margin": float(self.hparams.compute_loss.margin),
            "temperature": float(self.encoder.gate_temperature),
            "lr": self.hparams.lr_scheduler.current_lr,
        }
        figures = self.epoch_figures()
        for one in self.loggers:  # in every process: they exchange results
            one.log_stats(
                about, train_stats=figures, valid_stats=self.dev_figures
            )
        self.checkpointer.save_and_keep_only(
            meta={"dev_eer": self.dev_figures["dev_eer"], "epoch": epoch},
            num_to_keep=self.hparams.n_averaged,
            min_keys=["dev_eer"],
            importance_keys=[],
            ckpt_predicate=is_epoch,  # one within an epoch takes no place
        )
        self.note_saved()

    def average(self, dev, loader_kwargs):
        """Average the last checkpoints and save that with its dev EER.

        Arguments
        ---------
        dev : Dataset
            This process's share of the dev utterances.
        loader_kwargs : dict
            How to load it.

        Returns
        -------
        dict
            ``dev_eer`` in %, ``n_averaged`` and ``epoch``, the last; None
            where there are no two checkpoints to average.
        """
        last = self.checkpointer.find_checkpoints(
            ckpt_predicate=is_epoch,
            max_num_checkpoints=self.hparams.n_averaged,
        )
        if len(last) < 2:
            return None
        names = [name for name in TRAINED if name in self.modules]
        models = {name: self._bare(name) for name in names}
        for name, model in models.items():
            model.load_state_dict(average_checkpoints(last, name))
        self.evaluate(dev, progressbar=False, test_loader_kwargs=loader_kwargs)
        epoch = max(one.meta["epoch"] for one in last)
        meta = {"n_averaged": len(last), "epoch": epoch}
        meta["dev_eer"] = self.dev_figures["dev_eer"]
        folder = Path(self.checkpointer.checkpoints_dir) / AVERAGE
        saver = WholeCheckpointer(folder, recoverables=models)
        saver.save_checkpoint(meta=meta, name=AVERAGE)
        return meta

    def _bare(self, name):
        """A module out of its DDP wrapper."""
        return getattr(self.modules[name], "module", self.modules[name])


def is_epoch(checkpoint):
    """Whether a checkpoint is that of a whole epoch."""
    return "dev_eer" in checkpoint.meta


def gather(rows):
    """The rows of all processes, in each of them.

    Arguments
    ---------
    rows : list
        Those of this process.

    Returns
    -------
    list
        All, process after process.
    """
    if not dist.is_initialized():
        return rows
    parts = [None] * dist.get_world_size()
    dist.all_gather_object(parts, rows)
    return [row for part in parts for row in part]
