"""What changes the weights: AdamW, or Muon for the kernels of convolutions.

 * an ECAPA-TDNN is convolutions but for norms and biases: these, and what is
   no convolution (classifier, heads, the gate's last layer), go by AdamW
 * both take the learning rate of AdamW

Shape letters: O output channels, I input channels, K kernel.

Authors
 * The speechbrain_moe developers 2026
"""

import torch

from speechbrain_moe.errors import HyperparameterError

OPTIMIZERS = ("adamw", "muon")
# Newton-Schulz of Jordan et al., which need not converge to be of use
COEFFICIENTS = 3.4445, -4.7750, 2.0315
N_ITERATIONS = 5
RMS = 0.2  # of a step of AdamW, in learning rates, as Liu et al. found it


def make_optimizer(params, name, lr, weight_decay):
    """The optimiser that a yaml file names.

    Arguments
    ---------
    params : iterable
        Parameters, or groups of them.
    name : str
        ``adamw`` or ``muon``.
    lr : float
        Learning rate, of AdamW's size for both.
    weight_decay : float
        Share of the weights taken off in a step, in learning rates.

    Returns
    -------
    torch.optim.Optimizer
        Of these parameters.

    Raises
    ------
    HyperparameterError
        If there is no such optimiser.

    Example
    -------
    >>> weights = torch.nn.Conv1d(4, 8, 3).parameters()
    >>> type(make_optimizer(weights, "muon", 0.001, 0)).__name__
    'Muon'
    """
    if name not in OPTIMIZERS:
        raise HyperparameterError(
            f"optimizer_name is {name!r}: choose one of {', '.join(OPTIMIZERS)}"
        )
    kind = Muon if name == "muon" else torch.optim.AdamW
    return kind(params, lr=lr, weight_decay=weight_decay)


class Muon(torch.optim.AdamW):
    """Momentum, orthogonalised, for kernels; AdamW for all else.

    Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural
    networks" (https://kellerjordan.github.io/posts/muon/): the step of a
    kernel, as a matrix [O, I * K], is the nearest one whose singular values
    are alike. It is scaled to the size that AdamW's has: Liu et al., 2025,
    equation 4 (https://arxiv.org/abs/2502.16982). Weights decay as AdamW's.

    Arguments
    ---------
    params : iterable
        Parameters, or groups of them; those of three axes or more are
        kernels.
    lr : float
        Learning rate, of AdamW's size.
    weight_decay : float
        Share of the weights taken off in a step, in learning rates.
    momentum : float
        Of kernels, in [0, 1).

    Example
    -------
    >>> layer = torch.nn.Conv1d(64, 64, 1)
    >>> optimizer = Muon(layer.parameters(), lr=0.1)
    >>> layer(torch.randn(99, 64, 9)).square().sum().backward()
    >>> before = layer.weight.detach().clone()
    >>> optimizer.step()
    >>> round((layer.weight - before).square().mean().sqrt().item(), 2)
    0.02
    """

    def __init__(self, params, lr=1e-3, weight_decay=1e-2, momentum=0.95):
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        for group in self.param_groups:
            group["momentum"] = momentum

    @torch.no_grad()
    def step(self, closure=None):
        """Change all weights that have a gradient.

        Arguments
        ---------
        closure : callable, optional
            Computes loss and gradients anew.

        Returns
        -------
        torch.Tensor or None
            The closure's loss.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients = []
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.ndim > 2 and kernel.grad is not None:
                    self._turn(kernel, group)
                    gradients.append((kernel, kernel.grad))
                    kernel.grad = None  # AdamW leaves it alone
        super().step()
        for kernel, gradient in gradients:
            kernel.grad = gradient
        return loss

    def _turn(self, kernel, group):
        """Take the step of a kernel, by Nesterov's momentum."""
        state, momentum = self.state[kernel], group["momentum"]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for it in all
            state["momentum"] = torch.zeros_like(kernel)
        state["step"] += 1
        mean = state["momentum"].mul_(momentum).add_(kernel.grad)
        ahead = kernel.grad.add(mean, alpha=momentum)
        step = orthogonalise(ahead.flatten(1))
        size = RMS * max(step.shape) ** 0.5
        kernel.mul_(1 - group["lr"] * group["weight_decay"])
        kernel.add_(step.view_as(kernel), alpha=-group["lr"] * size)


def orthogonalise(matrix):
    """A matrix of the same singular vectors, and values near 1.

    Arguments
    ---------
    matrix : torch.Tensor
        [O, I], of any scale; zeros stay zeros.

    Returns
    -------
    torch.Tensor
        [O, I], float32; singular values about 0.7 to 1.2, but for those
        below two thousandths of the matrix's norm, which stay smaller.

    Example
    -------
    >>> orthogonalise(torch.tensor([[3.0, 0.0], [0.0, 1.0]])).round(decimals=1)
    tensor([[0.8000, 0.0000],
            [0.0000, 1.1000]])
    """
    a, b, c = COEFFICIENTS
    is_high = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_high else matrix).float()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(N_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_high else x
