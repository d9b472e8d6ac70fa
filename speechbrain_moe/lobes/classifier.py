"""Classifier: the cosine of an embedding to each training speaker.

 * a speaker may have several centres, of which the nearest counts, so that
   noisy or mislabelled utterances gather round one of their own
 * the weight is speaker-major: the first n speakers are its first
   n * n_subcentres rows
 * with one centre it is SpeechBrain's Classifier, bit for bit

Shape letters: B batch, D emb_dim, N speakers, K centres of a speaker.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain.lobes.models.ECAPA_TDNN import Classifier

from speechbrain_moe.errors import HyperparameterError


class SubcentreClassifier(Classifier):
    """Cosine of an embedding to the nearest centre of each speaker.

    Deng et al., "Sub-center ArcFace", ECCV 2020, section 3.2
    (https://doi.org/10.1007/978-3-030-58621-8_43), with K = 3 there. The
    weight [N * K, D] has the name that SpeechBrain's Classifier gives it.

    Arguments
    ---------
    input_size : int
        Size D of the embedding.
    out_neurons : int
        Speakers there are, N.
    n_subcentres : int
        Centres of a speaker, K >= 1.

    Raises
    ------
    HyperparameterError
        If n_subcentres is no whole number of 1 or more.

    Example
    -------
    >>> import torch
    >>> classifier = SubcentreClassifier(192, out_neurons=5, n_subcentres=3)
    >>> classifier(torch.randn(2, 1, 192)).shape
    torch.Size([2, 1, 5])
    >>> classifier.weight.shape
    torch.Size([15, 192])
    """

    def __init__(self, input_size, out_neurons, n_subcentres=1):
        if not isinstance(n_subcentres, int) or n_subcentres < 1:
            raise HyperparameterError(
                f"n_subcentres is {n_subcentres!r}: choose a whole number of "
                "1 or more, such as 3"
            )
        super().__init__(input_size, out_neurons=out_neurons * n_subcentres)
        self.n_subcentres = n_subcentres

    def forward(self, x):
        """Cosine to each speaker.

        Arguments
        ---------
        x : torch.Tensor
            Embedding [B, 1, D], of any length.

        Returns
        -------
        torch.Tensor
            Cosine to the nearest centre of each speaker, [B, 1, N]. The
            gradient reaches that centre alone.
        """
        cosines = super().forward(x).unflatten(2, (-1, self.n_subcentres))
        # Of centres that tie, max takes one; amax would pull all along.
        return cosines.max(dim=3).values
