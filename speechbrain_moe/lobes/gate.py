"""The gate: a small CNN that scores the experts for each utterance.

 * strided convolutions over log-mel, masked after each layer, so that
   padding never reaches the logits
 * layer normalisation per frame, so no statistics over padding; pooled
   statistics are centred and scaled over the training utterances
 * logits in float32 under any autocast
 * the last layer starts small but not at zero: with equal logits top-k
   would send every utterance to the same expert

Shape letters: B batch, T frames, M mels, C channels, E experts.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
from torch import nn

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.padding import frame_mask


class MaskedConv(nn.Module):
    """Strided convolution, ReLU and per-frame layer norm, padding kept zero.

    Arguments
    ---------
    in_channels : int
        Channels that come in.
    out_channels : int
        Channels that go out.
    kernel_size : int
        Frames seen at once; odd.
    stride : int
        Frames moved at once.

    Example
    -------
    >>> layer = MaskedConv(80, 8, kernel_size=5, stride=2)
    >>> hidden, counts = layer(torch.zeros(2, 80, 9), torch.tensor([9, 4]))
    >>> hidden.shape, counts.tolist()
    (torch.Size([2, 8, 5]), [5, 2])
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride):
        super().__init__()
        self.conv = nn.Conv1d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2
        )
        # No affine part: the layer after it has one
        self.norm = nn.LayerNorm(out_channels, elementwise_affine=False)

    def forward(self, hidden, counts):
        """Convolve and set what lies past each utterance's end to zero.

        Arguments
        ---------
        hidden : torch.Tensor
            Input [B, C, T], zero in the padding.
        counts : torch.Tensor
            Valid frames [B], int64.

        Returns
        -------
        torch.Tensor
            Output [B, C', ceil(T / stride)], zero in the padding.
        torch.Tensor
            Valid frames that are left [B], int64, at least 1.
        """
        hidden = torch.relu(self.conv(hidden)).transpose(1, 2)
        counts = (counts - 1) // self.conv.stride[0] + 1
        mask = frame_mask(counts, hidden.shape[1])
        hidden = self.norm(hidden).masked_fill(~mask, 0)
        return hidden.transpose(1, 2), counts


class GatingCNN(nn.Module):
    """Logits over experts, from the log-mel features of an utterance.

    The gate of Shazeer et al., "Outrageously Large Neural Networks", 2017
    (https://arxiv.org/abs/1701.06538), is one linear layer per token. Here
    one decision is made per utterance, so the linear layer stands behind
    convolutions and a mean + standard deviation pooling over time.

    Arguments
    ---------
    n_mels : int
        Mel bands of the features.
    n_experts : int
        Experts to score.
    channels : list of int
        Output channels of each strided convolution.
    kernel_size : int
        Frames each convolution sees; odd.
    stride : int
        Stride of each convolution.

    Raises
    ------
    HyperparameterError
        If a number is out of range; the message names the yaml key.

    Example
    -------
    >>> gate = GatingCNN(n_mels=80, n_experts=4, channels=[16, 16])
    >>> gate(torch.randn(2, 50, 80), torch.tensor([50, 30])).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        n_mels=80,
        n_experts=4,
        channels=(64, 64, 64),
        kernel_size=5,
        stride=2,
    ):
        super().__init__()
        check_n_experts(n_experts)
        if kernel_size % 2 == 0:
            raise HyperparameterError(
                f"gate_kernel_size is {kernel_size}: choose an odd number"
            )
        widths = [n_mels, *channels]
        self.layers = nn.ModuleList(
            MaskedConv(n_in, n_out, kernel_size, stride)
            for n_in, n_out in zip(widths[:-1], widths[1:])
        )
        # What all utterances share would send them all to one expert.
        self.norm = nn.BatchNorm1d(2 * widths[-1], affine=False)
        self.output = nn.Linear(2 * widths[-1], n_experts)
        # Small, so that routing starts even; not zero, so that it differs
        # between utterances (all-zero logits tie, and top-k takes expert 0).
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.zeros_(self.output.bias)

    def forward(self, feats, counts):
        """Score the experts for each utterance.

        Arguments
        ---------
        feats : torch.Tensor
            Features [B, T, M], zero in the padding.
        counts : torch.Tensor
            Valid frames [B], int64, each in 1..T.

        Returns
        -------
        torch.Tensor
            gate_logits [B, E], float32, unbounded. Padding has no effect on
            them, and in evaluation mode batch mates have none either.
        """
        with torch.autocast(feats.device.type, enabled=False):
            hidden = feats.float().transpose(1, 2)
            for layer in self.layers:
                hidden, counts = layer(hidden, counts)
            statistics = masked_statistics(hidden, counts)
            return self.output(self.norm(statistics))


def masked_statistics(hidden, counts, eps=1e-5):
    """Mean and standard deviation over the valid frames.

    Arguments
    ---------
    hidden : torch.Tensor
        Input [B, C, T], zero in the padding.
    counts : torch.Tensor
        Valid frames [B], int64.
    eps : float
        Added to the variance: the gradient of a root at 0 is infinite.

    Returns
    -------
    torch.Tensor
        Mean then standard deviation [B, 2C].

    Example
    -------
    >>> hidden = torch.tensor([[[1.0, 3.0, 0.0]]])
    >>> masked_statistics(hidden, torch.tensor([2])).round(decimals=3).tolist()
    [[2.0, 1.0]]
    """
    mask = frame_mask(counts, hidden.shape[2]).transpose(1, 2)
    n_valid = counts.view(-1, 1)
    mean = hidden.sum(2) / n_valid
    deviation = (hidden - mean.unsqueeze(2)).masked_fill(~mask, 0)
    variance = deviation.square().sum(2) / n_valid
    return torch.cat([mean, (variance + eps).sqrt()], dim=1)


def check_n_experts(n_experts):
    """Refuse a number of experts that is not a whole number above zero.

    Arguments
    ---------
    n_experts : int
        Value of the yaml key.

    Raises
    ------
    HyperparameterError
        If it is anything else.
    """
    # type(), not isinstance: True is an int to Python
    if type(n_experts) is not int or n_experts < 1:
        raise HyperparameterError(
            f"n_experts is {n_experts!r}: choose a whole number of 1 or more"
        )
