"""What an epoch looked like: its losses and its routing, in a few numbers.

 * load and load entropy tell whether experts are used evenly, the mean
   entropy of one utterance whether the gate decides: low and low is
   collapse, high and high no specialisation, high and low is wanted
 * entropies are divided by log E, so that 1 means even
 * sums over all processes, kept in the checkpoint: an epoch that was cut in
   two reads as one

Shape letters: B batch, E experts.

Authors
 * The speechbrain_moe developers 2026
"""

from functools import partial

import torch
import torch.distributed as dist
from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)
from speechbrain.utils.distributed import if_main_process, main_process_only
from speechbrain.utils.train_logger import TensorboardLogger

from speechbrain_moe.errors import MissingPackageError
from speechbrain_moe.lobes.losses import balance_loss, expert_load

DEAD_LOAD = 0.01  # share of an epoch's load


@partial(register_checkpoint_hooks, save_on_main_only=False)
class EpochLog:
    """Sums over the batches of an epoch.

    Copies that augmentation appended count as utterances here.

    Arguments
    ---------
    n_experts : int
        Experts to choose from, E.
    losses : iterable of str
        Names of the losses that batches are counted with.
    device : str
        Where processes exchange their sums.

    Example
    -------
    >>> from speechbrain_moe.lobes.aggregate import Routing
    >>> probs = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> ids, ones = torch.tensor([[0], [1]]), torch.ones(2, 1)
    >>> log = EpochLog(n_experts=2, losses=["z_loss"])
    >>> routing = Routing(probs.log(), probs, ids, ones, ones, ones)
    >>> log.add(routing, {"z_loss": torch.tensor(3.0)})
    >>> figures = log.figures()
    >>> figures["load_0"], figures["n_dead_experts"], figures["z_loss"]
    (0.5, 0, 3.0)
    """

    def __init__(self, n_experts, losses=(), device="cpu"):
        self.n_experts, self.device = n_experts, device
        self.losses = [*losses]
        self.start()

    def start(self):
        """Forget what was counted: an epoch begins.

        All sums are there from now on, in one order: a process that has
        counted no batch exchanges as many as the others.
        """
        sizes = {"n_skipped_steps": 1, "n_rows": 1, "n_batches": 1}
        sizes |= {"load": self.n_experts, "probs": self.n_experts}
        sizes |= {"entropy": 1, "margin": 1}
        sizes |= {f"loss {name}": 1 for name in self.losses}
        self.sums = {name: torch.zeros(n) for name, n in sizes.items()}

    def skip(self):
        """Count a step that was not taken."""
        self._add({"n_skipped_steps": 1})

    @torch.no_grad()
    def add(self, routing, losses):
        """Count a batch.

        Arguments
        ---------
        routing : Routing
            Of a training batch of B utterances.
        losses : dict
            Scalars by name, all that the log was made for.
        """
        probs = routing.gate_probs
        ids, weights = routing.expert_ids, routing.expert_weights
        if ids.shape[1] < self.n_experts:
            weights = torch.ones_like(weights)
        best = probs.topk(min(2, self.n_experts), dim=1).values
        self._add(
            {
                "n_rows": len(probs),
                "n_batches": 1,
                "load": len(probs) * expert_load(ids, self.n_experts, weights),
                "probs": probs.sum(0),
                "entropy": normalised_entropy(probs).sum(),
                "margin": (best[:, 0] - best[:, -1]).sum(),
            }
        )
        self._add({f"loss {name}": loss for name, loss in losses.items()})

    def _add(self, values):
        """Add to the sums, which stay where the values are: no waiting."""
        for name, value in values.items():
            value = torch.as_tensor(value).detach().float().reshape(-1)
            self.sums[name] = self.sums[name].to(value.device) + value

    def figures(self):
        """The epoch in numbers; to be asked for in every process.

        Returns
        -------
        dict
            Means of the losses; ``load_0`` .. of each expert;
            ``n_dead_experts`` with a load below 1 %; ``balance_over_ideal``,
            the balance loss of the whole epoch, 1 when even;
            ``load_entropy`` and mean ``route_entropy`` of an utterance, in
            [0, 1]; ``gate_margin``, mean difference of the two highest
            probabilities; ``n_skipped_steps``, summed over processes. Empty
            when nothing was counted.
        """
        sums = sum_processes(self.sums, self.device)
        n_rows, n_batches = sums["n_rows"], sums["n_batches"]
        if not n_rows:
            return {}
        load, probs = sums["load"] / n_rows, sums["probs"] / n_rows
        return {
            **{n: float(sums[f"loss {n}"] / n_batches) for n in self.losses},
            **{f"load_{i}": x for i, x in enumerate(load.tolist())},
            "n_dead_experts": int((load < DEAD_LOAD).sum()),
            "balance_over_ideal": float(balance_loss(probs[None], load)),
            "load_entropy": float(normalised_entropy(load)),
            "route_entropy": float(sums["entropy"] / n_rows),
            "gate_margin": float(sums["margin"] / n_rows),
            "n_skipped_steps": int(sums["n_skipped_steps"]),
        }

    @mark_as_saver
    def save(self, path):
        """Write the sums of all processes; to be called in each of them.

        Arguments
        ---------
        path : str or Path
            File to write.
        """
        sums = sum_processes(self.sums, self.device)
        if if_main_process():
            torch.save(sums, path)

    @mark_as_loader
    def load(self, path, end_of_epoch):
        """Read sums that were written in the middle of an epoch.

        Arguments
        ---------
        path : str or Path
            File to read.
        end_of_epoch : bool
            Whether the epoch was over; then there is nothing to add to.
        """
        if end_of_epoch:
            return
        self.start()
        if if_main_process():  # it goes on with those of all
            self.sums |= torch.load(path)


class EpochCurves(TensorboardLogger):
    """SpeechBrain's TensorBoard logger, its steps the epochs.

    A training that goes on after a crash then draws on the same curves.

    Arguments
    ---------
    save_dir : str
        Folder of the curves.

    Raises
    ------
    MissingPackageError
        If TensorBoard is not installed.
    """

    def __init__(self, save_dir):
        try:
            super().__init__(save_dir)
        except ImportError as error:
            raise MissingPackageError(
                "tensorboard is True and it is not installed: pip install "
                "tensorboard"
            ) from error

    @main_process_only
    def log_stats(self, stats_meta, **stats):
        """Add one point to each curve.

        Arguments
        ---------
        stats_meta : dict
            Numbers by name, ``epoch`` among them.
        **stats : dict
            Numbers by name, of ``train_stats`` and ``valid_stats``.
        """
        groups = {"about": stats_meta, **stats}
        for group, values in groups.items():
            for name, value in values.items():
                tag = f"{group.removesuffix('_stats')}/{name}"
                self.writer.add_scalar(tag, value, stats_meta["epoch"])
        self.writer.flush()


def sum_processes(sums, device="cpu"):
    """Sums over all processes.

    Arguments
    ---------
    sums : dict
        Vectors by name, the same names in every process.
    device : str
        Where processes exchange them.

    Returns
    -------
    dict
        Vectors by name, on the CPU.
    """
    if not dist.is_initialized():
        return {name: value.cpu() for name, value in sums.items()}
    parts = [value.numel() for value in sums.values()]
    flat = torch.cat([value.to(device) for value in sums.values()])
    dist.all_reduce(flat)
    return dict(zip(sums, flat.cpu().split(parts)))


def normalised_entropy(probs):
    """Entropy over its maximum.

    Arguments
    ---------
    probs : torch.Tensor
        Probabilities [..., E], rows sum to 1.

    Returns
    -------
    torch.Tensor
        In [0, 1], shape [...]; 0 for one expert.

    Example
    -------
    >>> probs = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> normalised_entropy(probs).round(decimals=5).tolist()
    [1.0, 0.0]
    """
    n_experts = probs.shape[-1]
    if n_experts == 1:
        return torch.zeros(probs.shape[:-1])
    entropy = torch.special.entr(probs).sum(-1)
    return entropy / torch.tensor(float(n_experts)).log()
