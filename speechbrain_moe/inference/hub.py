"""Packages to the Hub and back.

 * a package is verified before it leaves, and goes up in one commit: files
   are sent first and appear together, or not at all
 * a later push leaves exactly the new package; older revisions stay
 * what was meant to be private never goes to a public repository

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from typing import NamedTuple

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.collected import MANIFEST_FILE
from speechbrain_moe.inference.hub_errors import hub_errors
from speechbrain_moe.inference.loading import check_package
from speechbrain_moe.inference.manifest import verify_package
from speechbrain_moe.inference.snapshot import (
    check_repo_id,
    copy_snapshot,
    fetch_snapshot,
)


class Pushed(NamedTuple):
    """Where a package went.

    Arguments
    ---------
    url : str
        Page of the commit.
    commit : str
        Its 40 characters, to pin it by.
    """

    url: str
    commit: str


def push(
    folder,
    repo_id,
    private=False,
    message="Upload speaker encoder",
    tag=None,
    token=None,
):
    """Upload a package as one commit.

    Arguments
    ---------
    folder : str or Path
        The package.
    repo_id : str
        As user/name; made if need be.
    private : bool
        Of a repository that is made, where False leaves it to the account's
        or organisation's default; one that exists keeps its own, and a
        public one is refused where True.
    message : str
        Of the commit.
    tag : str, optional
        New name for the commit.
    token : str or False, optional
        One that may write; by default the one that huggingface_hub finds,
        False for none.

    Returns
    -------
    Pushed
        Page and commit.

    Raises
    ------
    PackageError
        If the package is not whole, the tag exists, or the Hub refuses or
        cannot be reached; main is then as it was.
    """
    check_repo_id(repo_id)
    files = [*verify_package(folder).files, MANIFEST_FILE]
    api = HfApi(token=token)
    with hub_errors(repo_id):
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        info = api.model_info(repo_id)
        if private and not info.private:
            raise PackageError(
                f"{repo_id} exists and is public; make it private in its "
                "settings, or give another name"
            )
        check_tag_is_new(api, repo_id, tag)
        there = {file.rfilename for file in info.siblings}
        done = api.create_commit(
            repo_id,
            operations(Path(folder), files, there),
            commit_message=message,
            parent_commit=info.sha,
        )
    if tag is not None:
        set_tag(api, repo_id, tag, done.oid)
    return Pushed(str(done.commit_url), done.oid)


def operations(folder, files, there):
    """Steps from what a repository holds to a package.

    Arguments
    ---------
    folder : Path
        The package.
    files : list of str
        Its files.
    there : set of str
        Files of the repository.

    Returns
    -------
    list
        Additions and deletions; the Hub's own dot files stay.

    Example
    -------
    >>> [step.path_in_repo for step in operations(Path(), [], {"a", ".b"})]
    ['a']
    """
    gone = [
        name
        for name in sorted(there.difference(files))
        if not name.startswith(".")
    ]
    return [
        *(CommitOperationAdd(name, folder / name) for name in files),
        *(CommitOperationDelete(name) for name in gone),
    ]


def check_tag_is_new(api, repo_id, tag):
    """Refuse a tag that a repository has.

    Arguments
    ---------
    api : HfApi
        Who asks.
    repo_id : str
        As user/name.
    tag : str or None
        None is always new.

    Raises
    ------
    PackageError
        Names the tag.
    """
    if tag is None:
        return
    tags = {ref.name for ref in api.list_repo_refs(repo_id).tags}
    if tag in tags:
        raise PackageError(
            f"{repo_id} has a tag {tag} already, and a tag must not move; "
            "give another one"
        )


def set_tag(api, repo_id, tag, commit):
    """Tag a commit.

    Arguments
    ---------
    api : HfApi
        Who asks.
    repo_id : str
        As user/name.
    tag : str
        The name.
    commit : str
        What it names.

    Raises
    ------
    PackageError
        If that fails; the commit is there all the same.
    """
    try:
        with hub_errors(repo_id):
            api.create_tag(repo_id, tag=tag, revision=commit)
    except PackageError as error:
        raise PackageError(
            f"the package is uploaded as commit {commit}, but has no tag "
            f"{tag}: {error}"
        ) from error


def pull(repo_id, folder, revision=None, token=None, allow_code=False):
    """Download a package to a folder of one's own.

    Arguments
    ---------
    repo_id : str
        As user/name.
    folder : str or Path
        New, empty, or holding this very revision.
    revision : str, optional
        A branch, tag or commit; by default main.
    token : str or False, optional
        By default the one that huggingface_hub finds; False for none.
    allow_code : bool
        Whether its graph may run any code; see ``open_package``.

    Returns
    -------
    Path
        The folder, with real files, checked against its manifest.

    Raises
    ------
    PackageError
        If it cannot be fetched, is not whole, or would run code; no folder
        is written then.
    """
    snapshot = fetch_snapshot(repo_id, revision, token)
    check_package(snapshot, allow_code)
    return copy_snapshot(snapshot, folder)
