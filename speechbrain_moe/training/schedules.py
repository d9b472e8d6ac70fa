"""What changes from epoch to epoch: the margin and the gate's temperature.

Authors
 * The speechbrain_moe developers 2026
"""


def margin_share(epoch, first, last):
    """Share of the margin in an epoch: grows from 0 in equal steps.

    Arguments
    ---------
    epoch : int
        From 1.
    first, last : int
        The last epoch without a margin, and the first with the whole one.

    Returns
    -------
    float
        In [0, 1].

    Example
    -------
    >>> [margin_share(epoch, 2, 4) for epoch in (1, 2, 3, 4, 5)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    >>> [margin_share(epoch, 3, 3) for epoch in (1, 2, 3)]
    [0.0, 0.0, 1.0]
    """
    if epoch >= last:
        return 1.0
    return max(0.0, (epoch - first) / max(1, last - first))


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
