"""A revision of a Hub repository as a local folder.

 * downloads go through huggingface_hub's cache: what is there is not fetched
   again, a commit that is there needs no network
 * a folder of one's own gets real files, no links, whole or not at all, and
   is never mixed from two revisions
 * a repository that is no package is refused before anything is downloaded

Authors
 * The speechbrain_moe developers 2026
"""

import filecmp
import logging
import os
import re
import shutil
from json import JSONDecodeError
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HTTPError

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.hub_errors import hub_errors
from speechbrain_moe.inference.package import HPARAMS_FILE

logger = logging.getLogger(__name__)
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
        If there is no such repository or revision, or it may not be read or
        is no package, or the Hub cannot be reached and the cache lacks it.
    """
    check_repo_id(repo_id)
    with hub_errors(repo_id, revision or "main"):
        offline = not can_ask(repo_id, revision, token)
        folder = snapshot_download(
            repo_id,
            revision=revision,
            token=token,
            local_files_only=offline,
            ignore_patterns=[".*", "*/.*"],
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
        False only where there is no network, or no Hub at its end; what the
        Hub refuses is raised as huggingface_hub does.

    Raises
    ------
    PackageError
        If the revision is no package: nothing of it is downloaded then.
    """
    is_commit = re.fullmatch(r"[0-9a-f]{40}", revision or "")
    place = is_commit and try_to_load_from_cache(
        repo_id, HPARAMS_FILE, revision=revision
    )
    if isinstance(place, str):
        return True  # nothing to ask: it is in the cache
    try:
        info = HfApi(token=token).model_info(repo_id, revision=revision)
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return False
    except (OSError, HTTPError, JSONDecodeError) as error:
        logger.info("%s: %s", repo_id, error)
        return False
    if HPARAMS_FILE not in {file.rfilename for file in info.siblings or ()}:
        raise PackageError(
            f"{repo_id} is no package, it holds no {HPARAMS_FILE}; give the id "
            "of a speaker encoder that speechbrain-moe exported"
        )
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
        If the folder holds another revision, a damaged one, or other files,
        or cannot be written.
    """
    folder = Path(folder)
    if folder.is_file():
        raise PackageError(f"{folder} is a file; give a folder")
    if folder.name in ("", ".."):
        raise PackageError(f"{folder} has no name; give a new folder")
    if folder.exists() and any(folder.iterdir()):
        check_same(snapshot, folder)
        return folder
    aside = folder.with_name(f".{os.getpid()}.{folder.name}")
    try:
        shutil.copytree(snapshot, aside)
        if folder.exists():
            folder.rmdir()
        os.replace(aside, folder)
    except OSError as error:
        if folder.is_dir() and any(folder.iterdir()):
            check_same(snapshot, folder)  # another process was faster
            return folder
        raise PackageError(
            f"{folder} cannot be written ({error}); give another folder"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
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
    >>> check_repo_id("voices")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: voices is no Hub id: give one of the
    form user/name
    """
    if not HUB_ID.fullmatch(str(repo_id)):
        raise PackageError(
            f"{repo_id} is no Hub id: give one of the form user/name"
        )
