"""The whole encoder, waveform to embedding, in a form that can be traced.

 * the Fourier transform is one convolution; all else of the features, of the
   gate and of the experts is the code that runs in torch
 * every expert runs on every utterance, and those that were not chosen get
   weight 0: which utterance goes where depends on the data, and a graph has
   no such branches; the sum is the same
 * padding is handled as in torch: an utterance ends with its last non-zero
   sample, so a batch needs no lengths beside it
 * evaluation only: no noise, no dropout

Shape letters: B batch, S samples, T frames, E experts, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from speechbrain_moe.lobes.ecapa import Ends, embed, n_stages, run_stages
from speechbrain_moe.lobes.features import PAST_END_DB
from speechbrain_moe.lobes.padding import frame_mask, remove_level, remove_mean
from speechbrain_moe.lobes.selection import select_experts


class ConvolutionSTFT(nn.Module):
    """SpeechBrain's ``STFT`` as a convolution with windowed waves.

    Arguments
    ---------
    stft : speechbrain.processing.features.STFT
        Centred, padded with zeros and one-sided, as ``Fbank`` makes it.

    Example
    -------
    >>> from speechbrain.processing.features import STFT
    >>> stft = STFT(sample_rate=16000)
    >>> wavs = torch.randn(2, 1600)
    >>> same = ConvolutionSTFT(stft)(wavs)
    >>> bool(torch.allclose(same, stft(wavs), atol=1e-4))
    True
    """

    def __init__(self, stft):
        super().__init__()
        self.n_fft = stft.n_fft
        self.sample_rate = stft.sample_rate
        self.hop_length = stft.hop_length
        # Row t of the transform of 1 is what sample t adds to each bin
        waves = torch.fft.rfft(torch.eye(self.n_fft, dtype=torch.float64)).T
        before = (self.n_fft - stft.win_length) // 2
        after = self.n_fft - stft.win_length - before
        window = F.pad(stft.window.double(), (before, after))
        kernel = torch.cat([waves.real, waves.imag]) * window
        self.register_buffer("kernel", kernel.float().unsqueeze(1))

    def forward(self, wavs):
        """Transform waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S].

        Returns
        -------
        torch.Tensor
            Real and imaginary part of each bin
            [B, 1 + S // hop, n_fft // 2 + 1, 2].
        """
        half = self.n_fft // 2
        wavs = F.pad(wavs, (half, half)).unsqueeze(1)
        bins = F.conv1d(wavs, self.kernel, stride=self.hop_length)
        return torch.stack(bins.transpose(1, 2).chunk(2, dim=2), dim=3)


class WaveformEncoder(nn.Module):
    """Embeddings and expert weights of waveforms, without a branch on data.

    Arguments
    ---------
    compute_features : MarkedFbank
        Not changed; a copy of it is used.
    embedding_model : MoEECAPA
        In evaluation mode.

    Example
    -------
    >>> from speechbrain_moe.lobes.experts import ExpertBank
    >>> from speechbrain_moe.lobes.features import MarkedFbank
    >>> from speechbrain_moe.lobes.gate import GatingCNN
    >>> from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
    >>> small = {"channels": [8, 8, 24], "kernel_sizes": [5, 3, 1]}
    >>> small |= {"dilations": [1, 2, 1], "groups": [1, 1, 1]}
    >>> bank = ExpertBank(2, emb_dim=16, expert=small)
    >>> model = MoEECAPA(GatingCNN(n_experts=2), bank).eval()
    >>> encoder = WaveformEncoder(MarkedFbank(n_mels=80), model)
    >>> embeddings, expert_weights = encoder(torch.randn(3, 4000))
    >>> embeddings.shape, expert_weights.sum(1).tolist()
    (torch.Size([3, 16]), [1.0, 1.0, 1.0])
    """

    def __init__(self, compute_features, embedding_model):
        super().__init__()
        self.compute_features = copy.deepcopy(compute_features)
        self.compute_features.compute_STFT = ConvolutionSTFT(
            compute_features.compute_STFT
        )
        self.embedding_model = embedding_model

    def forward(self, wavs):
        """Embed waveforms.

        Arguments
        ---------
        wavs : torch.Tensor
            Waveforms [B, S]; an utterance ends with its last non-zero
            sample, and zeros after it have no effect.

        Returns
        -------
        torch.Tensor
            Embeddings [B, D] of length 1.
        torch.Tensor
            Weight of each expert [B, E], 0 for those that were not chosen;
            rows sum to 1 (an always-on expert is not counted).
        """
        model = self.embedding_model
        feats = self.compute_features(wavs)
        counts = (feats[:, :, 0] != PAST_END_DB).sum(1)
        mask = frame_mask(counts, feats.shape[1])
        normalised = remove_mean(feats, mask)
        weights = self._weights(feats, normalised, counts, mask)
        raw = self._run_all(normalised, counts)
        embedding, _, _ = model.mix(raw, weights, model.always_on_weight)
        return embedding.squeeze(1), weights

    def _weights(self, feats, normalised, counts, mask):
        """Weights of all experts [B, E], zero for those not chosen."""
        model = self.embedding_model
        if model.gate is None:
            size = (feats.shape[0], model.n_experts)
            return feats.new_full(size, 1 / model.n_experts)
        if model.gate_input == "raw":
            normalised = remove_level(feats, mask)
        logits = model.gate(normalised, counts)
        probs = (logits / model.gate_temperature).softmax(dim=1)
        chosen = select_experts(
            probs, model.selection, model.top_k, model.expert_bias
        )
        return torch.zeros_like(probs).scatter(
            1, chosen.expert_ids, chosen.expert_weights
        )

    def _run_all(self, feats, counts):
        """Raw embeddings by all experts, the always-on one last."""
        bank = self.embedding_model.experts
        # Marked features have one frame past every end
        ends = Ends(counts, feats.shape[1], ragged=True)
        shared = run_stages(
            bank.experts[0],
            [feats.transpose(1, 2)],
            ends,
            0,
            bank.n_shared_blocks,
        )
        outputs = []
        for expert in bank.experts:
            hidden = run_stages(
                expert, shared, ends, bank.n_shared_blocks, n_stages(expert)
            )
            outputs.append(embed(expert, hidden[-1], ends))
        return torch.stack(outputs, dim=1)


def mask_of_lengths(length, max_len, dtype=None, device=None):
    """SpeechBrain's ``length_to_mask`` for a batch of any size.

    The original asks for ``len(length)``, which fixes the batch size of a
    traced graph.

    Arguments
    ---------
    length : torch.Tensor
        Lengths [B] in steps; may be fractions.
    max_len : int
        Steps of the mask.
    dtype : torch.dtype, optional
        Of the mask; by default that of the lengths.
    device : torch.device, optional
        Of the mask; by default that of the lengths.

    Returns
    -------
    torch.Tensor
        1 where a step is below the length, else 0 [B, max_len].

    Example
    -------
    >>> mask_of_lengths(torch.tensor([1.0, 2.5]), 3).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    steps = torch.arange(max_len, device=length.device, dtype=length.dtype)
    mask = steps < length.unsqueeze(1)
    return mask.to(device=device or length.device, dtype=dtype or length.dtype)
