"""A revision of a Hub repository as a local folder.

 * downloads go through huggingface_hub's cache: what is there is not fetched
   again, a commit that is there needs no network
 * a folder of one's own gets real files, no links, whole or not at all, and
   is never mixed from two revisions
 * whatever goes wrong on the way to the Hub is one error that says the mend

Authors
 * The speechbrain_moe developers 2026
"""

import filecmp
import logging
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from speechbrain_moe.errors import InputError, PackageError

logger = logging.getLogger(__name__)
MAX_REASON = 200  # characters of an error that is passed on
TOKEN = (
    "a token that may do this: token=..., the variable HF_TOKEN, or the "
    "command `hf auth login`"
)
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def fetch_snapshot(repo_id, revision=None, token=None):
    """A revision of a repository, in huggingface_hub's cache.

    Arguments
    ---------
    repo_id : str
        As user/name.
    revision : str, optional
        A branch, a tag or a commit; by default main. Only the 40 characters
        of a commit name the same files for ever.
    token : str or False, optional
        By default the one that huggingface_hub finds; False for none.

    Returns
    -------
    Path
        Folder named by the commit. Without a network, what main or a tag
        was when last fetched, which is logged.

    Raises
    ------
    PackageError
        If there is no such repository or revision, or it may not be read,
        or the Hub cannot be reached and the cache lacks it.
    """
    check_repo_id(repo_id)
    with hub_errors(repo_id, revision or "main"):
        offline = not can_ask(repo_id, revision, token)
        folder = snapshot_download(
            repo_id,
            revision=revision,
            token=token,
            local_files_only=offline,
            ignore_patterns=".*",
        )
    if offline:
        logger.warning(
            "%s: the Hub cannot be reached, so the revision of the last "
            "download is taken, commit %s",
            repo_id,
            Path(folder).name,
        )
    return Path(folder)


def can_ask(repo_id, revision, token):
    """Whether the Hub can be asked for a revision, if it must be.

    Arguments
    ---------
    repo_id, revision, token
        As for ``fetch_snapshot``.

    Returns
    -------
    bool
        False only where there is no network; what the Hub refuses is raised
        as huggingface_hub does.
    """
    if re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        return True  # nothing to ask: it may well be in the cache
    try:
        HfApi(token=token).model_info(repo_id, revision=revision)
    except HfHubHTTPError:
        raise
    except (OSError, HTTPError) as error:
        logger.info("%s: %s", repo_id, error)
        return False
    return True


def copy_snapshot(snapshot, folder):
    """Copy a package to a folder of one's own.

    Arguments
    ---------
    snapshot : Path
        What ``fetch_snapshot`` returned.
    folder : str or Path
        New, empty, or with just these files, which then stay.

    Returns
    -------
    Path
        The folder: real files, no links.

    Raises
    ------
    PackageError
        If the folder holds another revision, a damaged one, or other files.
    """
    folder = Path(folder)
    if folder.is_file():
        raise PackageError(f"{folder} is a file; give a folder")
    if folder.exists() and any(folder.iterdir()):
        check_same(snapshot, folder)
        return folder
    aside = folder.with_name(f".{os.getpid()}.{folder.name}")
    shutil.copytree(snapshot, aside)
    if folder.exists():
        folder.rmdir()
    os.replace(aside, folder)
    return folder


def check_same(snapshot, folder):
    """Refuse a folder that is not a copy of a revision.

    Arguments
    ---------
    snapshot : Path
        The revision's files.
    folder : Path
        What is to be the same; names that begin with a dot do not count.

    Raises
    ------
    PackageError
        Names the first file that differs.
    """
    names = {
        path.relative_to(place).as_posix()
        for place in (snapshot, folder)
        for path in place.rglob("*")
        if path.is_file()
    }
    for name in sorted(n for n in names if "/." not in f"/{n}"):
        one, other = snapshot / name, folder / name
        whole = one.is_file() and other.is_file()
        if not (whole and filecmp.cmp(one, other, shallow=False)):
            raise PackageError(
                f"{folder}: its {name} is not that of revision "
                f"{snapshot.name}; it holds another revision or other files: "
                "remove it, or give another folder"
            )


def check_repo_id(repo_id):
    """Refuse what can be no repository on the Hub.

    Arguments
    ---------
    repo_id : str
        As user/name.

    Raises
    ------
    PackageError
        If it has another form.

    Example
    -------
    >>> check_repo_id("exported/moe/v2")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: exported/moe/v2: there is no such
    folder, and a Hub id has the form user/name; give one of the two
    """
    if not HUB_ID.fullmatch(str(repo_id)):
        raise PackageError(
            f"{repo_id}: there is no such folder, and a Hub id has the form "
            "user/name; give one of the two"
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
        raise PackageError(f"{repo_id}: {said}") from error


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
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = " ".join((str(error) or repr(error)).split())[:MAX_REASON]
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
