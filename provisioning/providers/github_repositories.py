"""GitHub, beyond making and deleting: what a repository is like now, its archiving, and its transfer to another owner.

Facts this rests on: an archived repository can be read and deleted, but not pushed to. A transfer is taken with 202 and
happens later; a person has to accept within a day, an organisation of ours need not. From then on the old address
answers 301 to whoever may see the new one, and 404 to everybody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import pydantic
from pydantic import StringConstraints

from provisioning.exceptions import VendorError
from provisioning.outcome import Outcome, Verb
from provisioning.providers.base import Nothing
from provisioning.providers.github import FullName, GitHubApi, WebUrl

_MOVED = {301, 307, 308}
_LOGIN = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")  # those of an enterprise's own users have an underscore
_LONGEST_LOGIN = 39
Branch = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class _Repository(pydantic.BaseModel):
    full_name: FullName
    html_url: WebUrl
    default_branch: Branch
    size: int = pydantic.Field(ge=0, le=10**12)
    archived: bool = False
    private: bool = True
    pushed_at: datetime | None = None


class _When(pydantic.BaseModel):
    date: datetime | None = None


class _Said(pydantic.BaseModel):
    message: str
    committer: _When | None = None


class _Commit(pydantic.BaseModel):
    sha: Sha
    commit: _Said


class _Commits(pydantic.RootModel[list[_Commit]]):
    """The list is a bare array, newest first."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The last one of the default branch."""

    sha: str
    message: str  # its first line
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A repository as GitHub shows it now."""

    full_name: str
    url: str
    default_branch: str
    kilobytes: int  # counted by GitHub once an hour
    archived: bool
    private: bool
    pushed_at: datetime | None
    commit: Commit | None = None


async def look(full_name: str) -> Facts | None:
    """What the repository is like now, last commit included; None when there is none at that address any more.

    Raises:
        VendorError: GitHub does not say.
    """
    found = await _get(full_name)
    if found is None:
        return None
    return Facts(
        full_name=found.full_name,
        url=found.html_url,
        default_branch=found.default_branch,
        kilobytes=found.size,
        archived=found.archived,
        private=found.private,
        pushed_at=found.pushed_at,
        commit=await _last_commit(full_name, found.default_branch),
    )


async def is_there(full_name: str) -> bool:
    """Whether the repository is at that address still; it is not once it was transferred.

    Raises:
        VendorError: GitHub does not say.
    """
    return await _get(full_name) is not None


async def archive(full_name: str, *, archived: bool) -> None:
    """Make it readable only, or writable again."""
    await GitHubApi().call(
        Verb.READ, "archive_repository", "PATCH", f"/repos/{full_name}", Nothing, body={"archived": archived}
    )


async def transfer(full_name: str, new_owner: str) -> None:
    """Offer it to another owner; GitHub has taken the offer when this returns, and carries it out later."""
    path, body = f"/repos/{full_name}/transfer", {"new_owner": new_owner}
    await GitHubApi().call(Verb.CREATE, "transfer_repository", "POST", path, Nothing, body=body)


def is_login(text: str) -> bool:
    """Whether an account can be called that."""
    return len(text) <= _LONGEST_LOGIN and _LOGIN.fullmatch(text) is not None


async def _get(full_name: str) -> _Repository | None:
    try:
        return await GitHubApi().call(Verb.READ, "get_repository", "GET", f"/repos/{full_name}", _Repository, total=6)
    except VendorError as error:
        if error.outcome is Outcome.GONE or error.status in _MOVED:
            return None
        raise


async def _last_commit(full_name: str, branch: str) -> Commit | None:
    params = {"sha": branch, "per_page": "1"}
    try:
        listed = await GitHubApi().call(
            Verb.READ, "list_commits", "GET", f"/repos/{full_name}/commits", _Commits, params=params, total=6
        )
    except VendorError as error:
        if error.status in {404, 409}:  # nothing was pushed yet
            return None
        raise
    if not listed.root:
        return None
    newest = listed.root[0]
    when = newest.commit.committer.date if newest.commit.committer else None
    return Commit(newest.sha, newest.commit.message.strip().split("\n")[0][:200], when)
