"""What goes wrong on the way to the Hub, as one error.

 * huggingface_hub's own errors say what it did, not what the user can do
 * of a repository that may not be read the Hub does not say that it is there
 * errors that say the mend already pass as they are

Authors
 * The speechbrain_moe developers 2026
"""

from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from textwrap import shorten

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from speechbrain_moe.errors import InputError, PackageError

MAX_REASON = 200  # characters of an error that is passed on
TOKEN = (
    "a token that may do this: token=..., the variable HF_TOKEN, or the "
    "command `hf auth login`"
)


@contextmanager
def hub_errors(repo_id, revision=None):
    """Turn what huggingface_hub raises inside into a PackageError.

    Arguments
    ---------
    repo_id : str
        As user/name.
    revision : str, optional
        The one that is fetched, if one is.

    Raises
    ------
    PackageError
        Names the repository and says what to do.

    Example
    -------
    >>> with hub_errors("user/voices"):
    ...     raise ConnectionError("no route")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: user/voices: the Hub cannot be ...
    """
    try:
        yield
    except InputError:
        raise
    # ValueError: of a model card that the Hub would not take
    except (OSError, HTTPError, ValueError, RuntimeError) as error:
        # An upload wraps what went wrong with a large file
        wrapped = isinstance(error, RuntimeError) and error.__cause__
        said = explain(wrapped or error, revision)
        said += near(repo_id) if revision is not None else ""
        raise PackageError(f"{repo_id}: {said}") from error


def near(repo_id):
    """A word on the folder here that was meant, perhaps.

    Arguments
    ---------
    repo_id : str
        As user/name.

    Returns
    -------
    str
        Empty where no folder here is called as the user.

    Example
    -------
    >>> near("user/voices")
    ''
    """
    path = Path(str(repo_id))
    if path.exists() or not path.parent.name or not path.parent.is_dir():
        return ""
    return f"; the folder {path.parent} here holds no package {path.name}"


def explain(error, revision):
    """What an error of huggingface_hub means, and the mend.

    Arguments
    ---------
    error : Exception
        As it was raised.
    revision : str or None
        The one that is fetched, if one is.

    Returns
    -------
    str
        One sentence.
    """
    if isinstance(error, RevisionNotFoundError):
        return f"no revision {revision}; give a branch, a tag or a commit of it"
    if isinstance(error, GatedRepoError):
        return f"accept its conditions on its page, then give {TOKEN}"
    if isinstance(error, RepositoryNotFoundError):
        return (
            "no such repository, or a private one (the Hub does not say "
            f"which): check the name, or give {TOKEN}"
        )
    if isinstance(error, JSONDecodeError):
        return "what answers is not the Hub; look for a proxy or a login page"
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = shorten(str(error) or repr(error), MAX_REASON, placeholder=" ...")
    if status in (401, 403):
        return f"the Hub refused the token ({reason}); give {TOKEN}"
    if isinstance(error, HfHubHTTPError):
        return f"the Hub refused ({reason}); try again later"
    if isinstance(error, (HTTPError, ConnectionError, LocalEntryNotFoundError)):
        if revision is None:
            return f"the Hub cannot be reached ({reason}); try again"
        return (
            f"the Hub cannot be reached, and revision {revision} is not in "
            f"the cache ({reason}); connect, or give a package's folder"
        )
    return f"cannot be transferred ({reason})"
