"""SpeechBrain's SpeakerRecognition with its input checked.

 * for input that is right, the same loading, embeddings and scores
 * input of a wrong kind is an error that names it, where stock goes on
 * a package's calibration is loaded with it, and kept for decisions
 * local files are read where they are; stock's ``savedir`` would take
   another file of the same name that lies there

Shape letters: B batch, S samples, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from types import SimpleNamespace

import torch
from speechbrain.inference.speaker import SpeakerRecognition
from speechbrain.utils.fetching import FetchConfig

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference.collected import check_absent, check_collected
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.inputs import QUIETEST, checked_wavs
from speechbrain_moe.inference.learnt import (
    NOTHING_LEARNT,
    fetch_calibration,
    find_threshold,
    read_learnt,
)
from speechbrain_moe.inference.measured import CALIBRATION_FILE
from speechbrain_moe.inference.recordings import read_windows
from speechbrain_moe.inference.utterances import MIN_DURATION_S

WEB = ("http://", "https://")
NOT_READ = (
    "no calibration was read: a training has none, and of a package "
    "from_hparams reads it"
)


class CheckedRecognition(SpeakerRecognition):
    """SpeechBrain's SpeakerRecognition, its input checked.

    Arguments
    ---------
    *args : tuple
        Arguments of ``SpeakerRecognition``.
    **kwargs : dict
        Arguments of ``SpeakerRecognition``.

    Attributes
    ----------
    learnt : Learnt
        Calibration and thresholds; those of the package's calibration.json
        after ``from_hparams``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.learnt = NOTHING_LEARNT

    @classmethod
    def from_hparams(cls, source, *args, **kwargs):
        """Load a package, and its calibration if it has one.

        Arguments
        ---------
        source : str or Path
            A package folder or a Hub id.
        *args : tuple
            Arguments of SpeechBrain's ``from_hparams``.
        **kwargs : dict
            The same.

        Returns
        -------
        CheckedRecognition
            In evaluation mode; None for ``download_only``, as stock.

        Raises
        ------
        PackageError
            If the package or its calibration is damaged.
        """
        encoder = super().from_hparams(source, *args, **kwargs)
        path, missing = fetch_calibration(source, kwargs)
        config = kwargs.get("fetch_config", FetchConfig())
        if path is None and missing == NOTHING_LEARNT.missing:
            check_absent(source, CALIBRATION_FILE, config)
        if encoder is not None and path is None:
            encoder.learnt = NOTHING_LEARNT._replace(missing=missing)
        elif encoder is not None:
            check_collected(source, {CALIBRATION_FILE: Path(path)}, config)
            encoder.read_calibration(path)
        return encoder

    @classmethod
    def from_encoder(cls, encoder):
        """The same model behind this interface.

        Arguments
        ---------
        encoder : SpeakerRecognition
            Such as ``load_encoder`` gives for a training folder.

        Returns
        -------
        CheckedRecognition
            Shares the modules; without calibration.
        """
        same = cls(
            modules=dict(encoder.mods),
            hparams=vars(encoder.hparams),
            run_opts={"device": str(encoder.device)},
        )
        same.learnt = NOTHING_LEARNT._replace(missing=NOT_READ)
        return same

    def read_calibration(self, path):
        """Take calibration and thresholds from a file.

        Arguments
        ---------
        path : str or Path
            calibration.json; one of another model counts as absent.

        Raises
        ------
        PackageError
            If the file is damaged.
        """
        self.learnt = read_learnt(path, self.model_key())

    def model_key(self):
        """A hash of everything in the model that embeddings depend on.

        Returns
        -------
        str
            As ``encoder_key`` of the training gives.
        """
        # Where a copy was saved says nothing of the model
        settings = vars(self.hparams) | {"savedir": None}
        plain = SimpleNamespace(hparams=SimpleNamespace(**settings))
        plain.mods = self.mods
        return encoder_key(plain)

    def encode_batch(self, wavs, wav_lens=None, normalize=False):
        """Embeddings of waveforms, as stock gives them, of checked input.

        Arguments
        ---------
        wavs : torch.Tensor or np.ndarray
            Waveforms [B, S] or [S] at 16 kHz.
        wav_lens : torch.Tensor, optional
            Relative lengths [B], above 0, at most 1.
        normalize : bool
            As stock; changes nothing for a package's unit embeddings.

        Returns
        -------
        torch.Tensor
            Embeddings [B, 1, D], length 1.

        Raises
        ------
        InputError
            If waveforms or lengths are of a wrong kind; see
            ``checked_wavs``.
        """
        rate = self.audio_normalizer.sample_rate
        wavs, wav_lens = checked_wavs(wavs, wav_lens, rate)
        return super().encode_batch(wavs, wav_lens, normalize)

    def load_audio(self, path, savedir=None):
        """Read a file whole, resampled and channels averaged.

        Arguments
        ---------
        path : str or Path
            A local file, or a web address, which stock SpeechBrain fetches.
        savedir : str, optional
            Where to put what comes from the web. Local files are read where
            they are; stock would take another file of the same name there.

        Returns
        -------
        torch.Tensor
            Waveform [S], on the model's device.

        Raises
        ------
        AudioError
            If the file cannot be used, or is silent or below -80 dB.
        """
        if isinstance(path, str) and path.startswith(WEB):
            return super().load_audio(path, savedir)
        wav = torch.cat(list(read_windows(path, self.audio_normalizer)))
        seconds = len(wav) / self.audio_normalizer.sample_rate
        if seconds < MIN_DURATION_S:
            raise AudioError(
                f"{path}: lasts {seconds:.3f} s, shorter than "
                f"{MIN_DURATION_S} s; leave it out"
            )
        if wav.min() == wav.max():
            raise AudioError(f"{path}: is digital silence; leave it out")
        if wav.max() - wav.min() < QUIETEST:
            raise AudioError(f"{path}: is below -80 dB; record it louder")
        return wav.to(self.device)

    def verify_files(self, path_x, path_y, threshold=0.25, **kwargs):
        """Score and prediction of two files, as stock gives them.

        Arguments
        ---------
        path_x, path_y : str or Path
            The files.
        threshold : str or float
            On the cosine, or a name as for ``verify``; stock has 0.25.
        **kwargs : dict
            Arguments of ``load_audio``.

        Returns
        -------
        score : torch.Tensor
            Cosine [1].
        prediction : torch.Tensor
            Whether it is above the threshold, bool [1].

        Raises
        ------
        InputError
            If a file cannot be used, or the package lacks the threshold.
        """
        value, reason = find_threshold(threshold, self.learnt)
        if reason:
            raise InputError(reason)
        pair = (self.load_audio(path, **kwargs) for path in (path_x, path_y))
        batches = [wav.unsqueeze(0) for wav in pair]
        score, prediction = self.verify_batch(*batches, threshold=value)
        return score[0], prediction[0]
