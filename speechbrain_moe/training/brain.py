"""The training of a mixture, whatever the data: losses, balance, schedules.

 * a recipe's Brain says where features come from; this one says what is
   learnt from the embedding and its routing
 * the loss of a batch is that of its labelled utterances, plus the teacher's
   where a teacher knows the utterance, plus the gate's
 * balance statistics and the bias are those of all processes
 * a step without a finite gradient changes nothing, is counted, and ends the
   training when it is one of many in a row
 * what a step draws follows from seed, epoch, step and process

Authors
 * The speechbrain_moe developers 2026
"""

import speechbrain as sb
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.losses import balance_loss, z_loss
from speechbrain_moe.training.balance import move_bias
from speechbrain_moe.training.draws import seed_step
from speechbrain_moe.training.epoch_log import EpochLog, sum_processes
from speechbrain_moe.training.schedules import margin_share, temperature_of


class MoEBrain(sb.Brain):
    """Losses of a Mixture-of-Experts speaker encoder.

    The hparams give ``seed``, ``compute_loss``, ``load_window``,
    ``speaker_weight``, ``balance_weight``, ``z_weight``, ``balance_bias_rate``,
    ``temperature_start``, ``temperature_end``, ``margin``, ``margin_epochs``,
    ``max_skipped_steps`` and ``epoch_counter``, and ``n_epochs_before`` if what
    is drawn is to be that of later epochs; the modules
    ``embedding_model``, ``classifier`` and, to learn from a teacher,
    ``distillation``.

    Arguments
    ---------
    *args, **kwargs : tuple, dict
        Arguments of ``speechbrain.Brain``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Before any step: a move makes new buffers, and fit_batch keeps them
        self.hparams.load_window.to(self.device)
        taught = ["distill_loss"] if "distillation" in self.modules else []
        self.epoch_log = EpochLog(
            self.encoder.n_experts,
            ["speaker_loss", *taught, "balance_loss", "z_loss"],
            self.device,
        )
        self.n_skipped_in_a_row = 0
        if self.checkpointer is not None:
            self.checkpointer.add_recoverable("epoch_log", self.epoch_log)

    @property
    def drawn_epoch(self):
        """Epoch of what is drawn, counted on from ``n_epochs_before``."""
        return self.epoch + getattr(self.hparams, "n_epochs_before", 0)

    @property
    def encoder(self):
        """The MoEECAPA itself, out of its DDP wrapper."""
        model = self.modules.embedding_model
        return getattr(model, "module", model)

    def on_train_epoch_start(self, epoch):
        """Set margin and gate temperature of an epoch; empty the log.

        Arguments
        ---------
        epoch : int
            From 1.
        """
        hparams = self.hparams
        self.epoch = epoch
        share = margin_share(epoch, *hparams.margin_epochs)
        hparams.compute_loss.set_margin(share * hparams.margin)
        self.encoder.gate_temperature.fill_(
            temperature_of(
                epoch,
                hparams.epoch_counter.limit,
                hparams.temperature_start,
                hparams.temperature_end,
            )
        )
        if self.step == 0:  # else the epoch goes on from a checkpoint
            self.epoch_log.start()

    def on_fit_batch_start(self, batch, should_step):
        """Seed what the step draws.

        Arguments
        ---------
        batch : object
            The batch.
        should_step : bool
            Whether weights are changed after it.
        """
        rank = dist.get_rank() if dist.is_initialized() else 0
        seed_step(self.hparams.seed, self.drawn_epoch, self.step, rank)

    def fit_batch(self, batch):
        """One step; if its loss is not finite in any process, none.

        Arguments
        ---------
        batch : object
            The batch.

        Returns
        -------
        torch.Tensor
            The loss of this process, a scalar on the CPU.
        """
        before = [(b, b.clone()) for b in self._statistics()]
        loss = super().fit_batch(batch)
        bad = {"bad": (~loss.isfinite()).float().reshape(1)}
        if sum_processes(bad, self.device)["bad"] > 0:
            for buffer, value in before:  # a NaN would stay in running means
                buffer.copy_(value)
        return loss

    def _statistics(self):
        """Buffers that a step changes without a gradient."""
        yield from self.modules.buffers()
        yield from self.hparams.load_window.buffers()

    def check_loss_isfinite(self, loss):
        """Leave it to the gradients of all processes, if they are looked at.

        Arguments
        ---------
        loss : torch.Tensor
            Of this process's batch.
        """
        if not self.skip_nonfinite_grads:
            super().check_loss_isfinite(loss)

    def check_gradients(self):
        """Drop gradients that are not all finite: the step is not taken."""
        weights = [w for w in self.modules.parameters() if w.grad is not None]
        # One number for all, which a GPU is waited for once
        norm = get_total_norm([weight.grad for weight in weights])
        if not norm.isfinite():
            self.skips = True
            for weight in weights:
                weight.grad = None

    def optimizers_step(self):
        """Change the weights, or count a step that cannot.

        Raises
        ------
        HyperparameterError
            If max_skipped_steps in a row could not.
        """
        self.skips, scale = False, self.scaler.get_scale()
        super().optimizers_step()
        # With fp16 the scaler skips the step and lowers its scale
        if not self.skips and self.scaler.get_scale() >= scale:
            self.n_skipped_in_a_row = 0
            return
        self.epoch_log.skip()
        self.n_skipped_in_a_row += 1
        if self.n_skipped_in_a_row >= self.hparams.max_skipped_steps:
            raise HyperparameterError(
                f"{self.n_skipped_in_a_row} steps in a row (epoch "
                f"{self.epoch}, step {self.step}) had no finite gradient and "
                "were not taken: start anew with a lower lr, or precision "
                "fp32 or bf16, in another output_folder; --finetune_from this "
                "one takes its last checkpoint, which is from before"
            )

    def training_loss(self, embedding, routing, batch):
        """Loss of a training batch.

        Arguments
        ---------
        embedding : torch.Tensor
            Embeddings [B, 1, D], length 1; or [n * B, 1, D] where
            augmentation appended copies, batch after batch.
        routing : Routing
            How they came about.
        batch : object
            ``spk_label`` [B], below 0 where there is none; ``id``, names of
            the utterances; with a teacher also ``teacher`` [B, Dt] and
            ``has_teacher`` [B].

        Returns
        -------
        torch.Tensor
            Scalar, float32.
        """
        n_copies = len(embedding) // len(batch.id)

        def copied(values):
            values = torch.as_tensor(values, device=self.device)
            return torch.cat([values] * n_copies)

        # bf16 would round scaled cosines to steps of 0.1
        with torch.autocast(embedding.device.type, enabled=False):
            labels = copied(batch.spk_label).flatten()
            terms = {"speaker_loss": self._speaker_loss(embedding, labels)}
            if "distillation" in self.modules:
                terms["distill_loss"] = self.modules.distillation(
                    embedding, copied(batch.teacher), copied(batch.has_teacher)
                )
            terms |= self._gate_losses(routing, list(batch.id) * n_copies)
        weights = {
            "speaker_loss": getattr(self.hparams, "speaker_weight", 1.0),
            "balance_loss": self.hparams.balance_weight,
            "z_loss": self.hparams.z_weight,
        }
        loss = sum(weights.get(key, 1.0) * term for key, term in terms.items())
        if loss.isfinite():  # else it would be in the epoch's means for good
            self.epoch_log.add(routing, terms)
        return loss

    def _speaker_loss(self, embedding, labels):
        """Loss of the labelled rows; 0 where there are none."""
        cosines = self.modules.classifier(embedding)
        labelled = labels >= 0
        if not labelled.any():
            return 0.0 * cosines.sum()
        return self.hparams.compute_loss(cosines[labelled], labels[labelled])

    def _gate_losses(self, routing, sources):
        """Balance loss and z-loss; moves the bias where that is asked for."""
        load = self.hparams.load_window.update(
            routing.expert_ids, routing.expert_weights, sources
        )
        if self.hparams.balance_bias_rate:
            move_bias(
                self.encoder.expert_bias, load, self.hparams.balance_bias_rate
            )
        return {
            "balance_loss": balance_loss(routing.gate_probs, load),
            "z_loss": z_loss(routing.gate_logits),
        }

    def epoch_figures(self):
        """Means of an epoch's losses, and its routing.

        Returns
        -------
        dict
            Numbers by name, see ``EpochLog``; empty before the first batch.
        """
        return self.epoch_log.figures()

    def _wrap_distributed(self):
        """DDP without synchronised batch norm where that cannot be.

        CPUs refuse it; and in sparse training it would wait for a process
        that does not run the expert.
        """
        on_cpu = torch.device(self.device).type == "cpu"
        alone = on_cpu or self.encoder.execution == "sparse"
        if not (self.distributed_launch and alone):
            return super()._wrap_distributed()
        for name, module in self.modules.items():
            if any(weight.requires_grad for weight in module.parameters()):
                self.modules[name] = DistributedDataParallel(module)
        return None
