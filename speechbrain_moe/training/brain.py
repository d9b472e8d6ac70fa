"""The training of a mixture, whatever the data: losses, balance, schedules.

 * a recipe's Brain says where features come from; this one says what is
   learnt from the embedding and its routing
 * the loss of a batch is that of its labelled utterances, plus the teacher's
   where a teacher knows the utterance, plus the gate's
 * balance statistics and the bias are those of all processes

Authors
 * The speechbrain_moe developers 2026
"""

import speechbrain as sb
import torch
from torch.nn.parallel import DistributedDataParallel

from speechbrain_moe.lobes.losses import balance_loss, z_loss
from speechbrain_moe.training.balance import move_bias
from speechbrain_moe.training.routing_log import RoutingLog


class MoEBrain(sb.Brain):
    """Losses of a Mixture-of-Experts speaker encoder.

    The hparams give ``compute_loss``, ``load_window``, ``balance_weight``,
    ``z_weight``, ``balance_bias_rate``, ``temperature_start``,
    ``temperature_end``, ``margin``, ``margin_warmup_epochs`` and
    ``epoch_counter``; the modules ``embedding_model``, ``classifier`` and,
    to learn from a teacher, ``distillation``.

    Arguments
    ---------
    *args, **kwargs : tuple, dict
        Arguments of ``speechbrain.Brain``.
    """

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
        n_epochs = hparams.margin_warmup_epochs
        share = min(1.0, (epoch - 1) / n_epochs) if n_epochs else 1.0
        hparams.compute_loss.set_margin(share * hparams.margin)
        self.encoder.gate_temperature.fill_(
            temperature_of(
                epoch,
                hparams.epoch_counter.limit,
                hparams.temperature_start,
                hparams.temperature_end,
            )
        )
        self.routing_log = RoutingLog(self.encoder.n_experts)
        self.sums, self.n_noted = {}, 0

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
        self._note(terms, routing)
        weights = {
            "balance_loss": self.hparams.balance_weight,
            "z_loss": self.hparams.z_weight,
        }
        return sum(weights.get(key, 1.0) * term for key, term in terms.items())

    def _speaker_loss(self, embedding, labels):
        """Loss of the labelled rows; 0 where there are none."""
        cosines = self.modules.classifier(embedding)
        labelled = labels >= 0
        if not labelled.any():
            return 0.0 * cosines.sum()
        return self.hparams.compute_loss(cosines[labelled], labels[labelled])

    def _gate_losses(self, routing, sources):
        """Balance loss and z-loss; moves the bias where that is asked for."""
        load = self.hparams.load_window.to(self.device).update(
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

    def _note(self, terms, routing):
        """Add to the epoch's means."""
        self.n_noted += 1
        self.routing_log.add(routing)
        for key, value in terms.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value.detach())

    def epoch_figures(self):
        """Means of an epoch's losses, and its routing.

        Returns
        -------
        dict
            Numbers by name; empty before the first batch.
        """
        means = {key: v / self.n_noted for key, v in self.sums.items()}
        return {**means, **self.routing_log.figures()}

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


def temperature_of(epoch, n_epochs, start, end):
    """Gate temperature of an epoch: from start to end in equal ratios.

    Arguments
    ---------
    epoch : int
        From 1 to n_epochs.
    n_epochs : int
        Epochs of the training.
    start, end : float
        Temperatures of the first and the last epoch, above 0.

    Returns
    -------
    float
        The temperature, above 0.

    Example
    -------
    >>> [temperature_of(epoch, 3, 4.0, 1.0) for epoch in (1, 2, 3)]
    [4.0, 2.0, 1.0]
    """
    share = (epoch - 1) / max(1, n_epochs - 1)
    return start ** (1 - share) * end**share
