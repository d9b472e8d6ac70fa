"""Whether the gate's first choice outlasts noise and cropping.

 * a gate that changes its mind when an utterance is disturbed sends the two
   sides of a trial to different experts
 * runs features and gate, no expert
 * the disturbances come from a generator of their own, so that epochs
   compare and training draws what it would have drawn

Shape letters: B batch, S samples, T frames, M mels.

Authors
 * The speechbrain_moe developers 2026
"""

import torch

from speechbrain_moe.lobes.selection import select_experts

SNR_DB = 10.0


def same_routes(choose, wavs, generator):
    """Share of utterances whose first choice stays when they are disturbed.

    Arguments
    ---------
    choose : callable
        Maps wavs [B, S] to the first choice of each [B].
    wavs : torch.Tensor
        Waveforms [B, S], without padding.
    generator : torch.Generator
        On the CPU; draws the noise and the crop.

    Returns
    -------
    dict
        ``noise``: under white noise at 10 dB; ``crop``: in a random half of
        the utterance. Floats in [0, 1].

    Example
    -------
    >>> by_length = lambda wavs: torch.tensor([wavs.shape[1] > 60])
    >>> same_routes(by_length, torch.ones(1, 100), torch.Generator())
    {'noise': 1.0, 'crop': 0.0}
    """
    before = choose(wavs)
    disturbed = {
        "noise": add_noise(wavs, SNR_DB, generator),
        "crop": crop_half(wavs, generator),
    }
    return {
        name: (choose(changed) == before).float().mean().item()
        for name, changed in disturbed.items()
    }


def add_noise(wavs, snr_db, generator):
    """Waveforms with white noise.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S].
    snr_db : float
        Energy of each utterance over that of its noise, in dB.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S].

    Example
    -------
    >>> noisy = add_noise(torch.ones(1, 99), 20.0, torch.Generator())
    >>> round((noisy - 1).square().mean().item(), 4)
    0.01
    """
    noise = torch.randn(wavs.shape, generator=generator).to(wavs.device)
    noise = noise / noise.square().mean(1, keepdim=True).sqrt()
    level = wavs.square().mean(1, keepdim=True).sqrt()
    return wavs + level * 10 ** (-snr_db / 20) * noise


def crop_half(wavs, generator):
    """Half of each waveform, from a random start.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S].
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor
        Waveforms [B, ceil(S / 2)], one start for all.

    Example
    -------
    >>> crop_half(torch.zeros(2, 101), torch.Generator()).shape
    torch.Size([2, 51])
    """
    n_out = wavs.shape[1] // 2
    start = int(torch.randint(n_out + 1, (1,), generator=generator))
    return wavs[:, start : start + wavs.shape[1] - n_out]


def first_choice(model, feats):
    """The expert that counts most for each utterance, experts not run.

    Arguments
    ---------
    model : MoEECAPA
        In evaluation mode, with a gate.
    feats : torch.Tensor
        Log-mel features [B, T, M], as the model takes them.

    Returns
    -------
    torch.Tensor
        Expert ids [B], int64: those that ``Routing.expert_ids`` names first
        for ``top_k``.

    Example
    -------
    >>> from speechbrain_moe.lobes.experts import ExpertBank
    >>> from speechbrain_moe.lobes.gate import GatingCNN
    >>> from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
    >>> small = {"channels": [8, 8, 8, 8, 24], "res2net_scale": 2}
    >>> model = MoEECAPA(GatingCNN(), ExpertBank(4, expert=small)).eval()
    >>> first_choice(model, torch.randn(3, 40, 80)).shape
    torch.Size([3])
    """
    counts, _, gate_feats = model.prepare(feats)
    logits = model.gate(gate_feats, counts)
    probs = (logits / model.gate_temperature).softmax(dim=1)
    chosen = select_experts(probs, "top_k", 1, model.expert_bias)
    return chosen.expert_ids[:, 0]
