"""Log-mel features that know where an utterance ends.

 * SpeechBrain's Fbank, with the frames past the last non-zero sample marked;
   the frames before them are SpeechBrain's, in number and value
 * a relative length cannot say how many frames an utterance has: T frames
   stand for any of 160 lengths of the padded batch, and the count comes out
   one off; the marks are the same however much padding follows

Shape letters: B batch, S samples, T frames, M mels.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
import torch.nn.functional as F
from speechbrain.lobes.features import Fbank

# Far below any log-mel: Fbank's floor is -100 dB
PAST_END_DB = -1000.0
MIN_S = 0.09  # kept of whatever comes; ECAPA's kernels need over 4 frames


class MarkedFbank(Fbank):
    """Log-mel features, at -1000 dB past the end of each utterance.

    S samples at hop h have 1 + S // h frames, as SpeechBrain's ``Fbank``
    gives for the same waveform alone; less than 0.09 s has the frames of
    0.09 s, since an ECAPA-TDNN cannot take fewer. An utterance ends with
    its last non-zero sample, so zeros that pad it change nothing, and
    neither does digital silence that trails it: of such a recording SpeechBrain
    counts the silent frames too (one zero can make a frame; it moves an
    embedding by 1 - cos of about 1e-5). The last frame is always past the
    end, which tells marked features from others.

    Arguments
    ---------
    **kwargs : dict
        Arguments of SpeechBrain's ``Fbank``.

    Example
    -------
    >>> compute_features = MarkedFbank(n_mels=80)
    >>> wavs = torch.randn(1, 16000)
    >>> padded = torch.nn.functional.pad(wavs, (0, 8000))
    >>> feats = compute_features(padded)
    >>> feats.shape
    torch.Size([1, 152, 80])
    >>> int((feats[0, :, 0] != PAST_END_DB).sum())
    101
    """

    def forward(self, wav):
        """Features of waveforms.

        Arguments
        ---------
        wav : torch.Tensor
            Waveforms [B, S], padded with zeros.

        Returns
        -------
        torch.Tensor
            Log-mel in dB [B, T, M], T = S // hop + 2, where less than 0.09 s
            is padded up to it. Frames whose centre lies past the last
            non-zero sample are PAST_END_DB, except for those of the first
            0.09 s.
        """
        hop = self.compute_STFT.hop_length
        shortest = round(MIN_S * self.compute_STFT.sample_rate)
        lacking = max(0, shortest - wav.shape[-1])
        feats = super().forward(F.pad(wav, (0, lacking + hop)))
        position = torch.arange(1, wav.shape[1] + 1, device=wav.device)
        n_samples = ((wav != 0) * position).amax(dim=1)
        n_samples = n_samples.clamp(min=shortest)
        frames = torch.arange(feats.shape[1], device=wav.device)
        past_end = frames * hop > n_samples.unsqueeze(1)
        past_end[:, -1] = True
        return feats.masked_fill(past_end.unsqueeze(2), PAST_END_DB)
