"""The errors that bad input ends in.

 * one base class, so that a command catches these and nothing else
 * every message names the file or the yaml key, and says what to do

Authors
 * The speechbrain_moe developers 2026
"""


class InputError(ValueError):
    """What was given cannot be used; the message says what to do.

    Example
    -------
    >>> raise InputError("top_k is 5, n_experts is 4: choose 1 to 4")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: top_k is 5, n_experts is 4: choose 1 to 4
    """


class HyperparameterError(InputError):
    """A yaml value is out of range or does not fit another one."""


class AudioError(InputError):
    """An audio file is missing, broken or of the wrong kind."""


class PackageError(InputError):
    """An exported folder, or a checkpoint to export, is not whole."""


class MissingPackageError(InputError, ImportError):
    """An optional package is not installed; the message has the pip line."""
