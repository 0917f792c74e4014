"""What is in a repository: branches, commits and files, read with git."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.faults import operation
from localcloud.github import bodies, git
from localcloud.github.bodies import RefusedError
from localcloud.github.git import GitError
from localcloud.github.lists import links, paged, sized
from localcloud.github.repositories import Repositories
from localcloud.store import Object

# Fields are parted by a byte that no commit can hold.
FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B%x00"
DATE = "format-local:%Y-%m-%dT%H:%M:%SZ"  # local to git, which runs in UTC
FIELDS = 10
LARGEST_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which commits are asked for: options of git, and the paths that they changed."""

    options: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


EVERY = Wanted()


class History:
    """Handlers of `branches`, `commits` and `contents`."""

    def __init__(self, repository: Callable[[web.Request], Object], repositories: Repositories) -> None:
        self._repository, self._repositories = repository, repositories

    @operation("github", "list_branches")
    async def list_branches(self, request: web.Request) -> web.Response:
        found = self._repository(request)
        every = await git.branches(await self._repositories.directory(found))
        return paged(request, cloud_of(request).base_url, [_branch(request, found, name, sha) for name, sha in every])

    @operation("github", "get_branch")
    async def get_branch(self, request: web.Request) -> web.Response:
        found = self._repository(request)
        for name, sha in await git.branches(await self._repositories.directory(found)):
            if name == request.match_info["branch"]:
                return web.json_response(_branch(request, found, name, sha))
        raise RefusedError(404, "Branch not found")

    @operation("github", "list_commits")
    async def list_commits(self, request: web.Request) -> web.Response:
        found = self._repository(request)
        directory = await self._repositories.directory(found)
        if not await git.branches(directory):
            raise RefusedError(409, "Git Repository is empty.")
        start = request.query.get("sha") or found.data["default_branch"]
        size, page = sized(request)
        wanted = _wanted(request)
        try:
            found_commits = await log_of(directory, start, most=size, skip=(page - 1) * size, wanted=wanted)
            total = await count_of(directory, start, wanted)
        except GitError as error:
            raise bodies.not_found() from error
        headers = links(request, cloud_of(request).base_url, total)
        return web.json_response([_commit(request, found, item) for item in found_commits], headers=headers)

    @operation("github", "get_commit")
    async def get_commit(self, request: web.Request) -> web.Response:
        found = self._repository(request)
        try:
            commits = await log_of(await self._repositories.directory(found), request.match_info["ref"], most=1)
        except GitError as error:
            raise RefusedError(422, f"No commit found for SHA: {request.match_info['ref']}") from error
        return web.json_response(_commit(request, found, commits[0]))

    @operation("github", "get_contents")
    async def get_contents(self, request: web.Request) -> web.Response:
        found, path = self._repository(request), request.match_info.get("path", "").strip("/")
        directory = await self._repositories.directory(found)
        ref = request.query.get("ref") or found.data["default_branch"]
        try:
            entries = await tree_of(directory, ref, path)
        except GitError as error:
            raise bodies.not_found() from error
        base = f"{_base(request, found)}/contents"
        if len(entries) == 1 and entries[0]["path"] == path and entries[0]["type"] == "blob":
            content = await git.git(directory, "cat-file", "blob", entries[0]["sha"])
            told = {"content": "", "encoding": "none"}  # of a large file; empty base64 would say that it is empty
            if len(content) <= LARGEST_FILE:
                told = {"content": base64.encodebytes(content).decode(), "encoding": "base64"}
            return web.json_response(_entry(base, entries[0], ref) | told)
        if path:
            entries = await tree_of(directory, ref, f"{path}/")
        if not entries:
            raise bodies.not_found()
        return web.json_response([_entry(base, entry, ref) for entry in entries])


async def log_of(
    directory: Any, start: str, *, most: int, skip: int = 0, wanted: Wanted = EVERY
) -> list[dict[str, str]]:
    """Commits from *start* back in time. Raises `GitError` when there is no such start."""
    named = await git.git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{start}^{{commit}}")
    output = await git.git(
        directory,
        "log",
        f"--format={FORMAT}",
        f"--date={DATE}",
        f"--max-count={most}",
        f"--skip={skip}",
        *wanted.options,
        named.decode().strip(),
        "--",
        *wanted.paths,
    )
    parts = output.decode(errors="replace").split("\0")
    names = ("sha", "tree", "parents", "an", "ae", "ad", "cn", "ce", "cd", "message")
    whole = len(parts) // FIELDS * FIELDS
    return [
        dict(zip(names, (part.strip("\n") for part in parts[start : start + FIELDS]), strict=True))
        for start in range(0, whole, FIELDS)
    ]


async def count_of(directory: Any, start: str, wanted: Wanted = EVERY) -> int:
    """How many commits lead to *start*, itself included. Raises `GitError` when there is no such start."""
    counted = await git.git(
        directory,
        "rev-list",
        "--count",
        *wanted.options,
        "--end-of-options",
        f"{start}^{{commit}}",
        "--",
        *wanted.paths,
    )
    return int(counted)


async def tree_of(directory: Any, ref: str, path: str) -> list[dict[str, str]]:
    """Entries of a tree, or the one entry of a file. Raises `GitError`."""
    named = await git.git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    listing = await git.git(
        directory, "ls-tree", "--long", "-z", named.decode().strip(), *(["--", path] if path else [])
    )
    entries = []
    for line in listing.decode(errors="replace").split("\0"):
        facts, _, name = line.partition("\t")
        if name:
            _mode, kind, sha, size = facts.split()
            entries.append({"type": kind, "sha": sha, "size": size, "path": name})
    return entries


def _entry(base: str, entry: dict[str, str], ref: str) -> dict[str, Any]:
    kind = {"blob": "file", "tree": "dir"}.get(entry["type"], "submodule")
    url = f"{base}/{quote(entry['path'])}?ref={quote(ref, safe='')}"
    return {
        "type": kind,
        "name": entry["path"].rsplit("/", 1)[-1],
        "path": entry["path"],
        "sha": entry["sha"],
        "size": int(entry["size"]) if entry["size"].isdigit() else 0,
        "url": url,
        "git_url": None,
        "html_url": None,
        "download_url": None,
        "_links": {"self": url, "git": None, "html": None},
    }


def _wanted(request: web.Request) -> Wanted:
    """What a list of commits is narrowed to. Raises `RefusedError`."""
    query, options = request.query, []
    for name in ("since", "until"):
        if name in query:
            try:
                moment = datetime.fromisoformat(query[name].replace(" ", "+"))  # a plus that was not escaped
            except ValueError as error:
                raise RefusedError(422, f"Invalid request.\n\nFor '{name}', the value is not a date-time.") from error
            options.append(f"--{name}={moment.isoformat()}")
    path = query.get("path", "").strip("/")
    return Wanted(tuple(options), (f":(literal){path}",) if path else ())


def _base(request: web.Request, found: Object) -> str:
    return f"{cloud_of(request).base_url}/github/repos/{found.data['owner']}/{found.name}"


def _branch(request: web.Request, found: Object, name: str, sha: str) -> dict[str, Any]:
    base = _base(request, found)
    return {"name": name, "commit": {"sha": sha, "url": f"{base}/commits/{sha}"}, "protected": False}


def _commit(request: web.Request, found: Object, item: dict[str, str]) -> dict[str, Any]:
    base = _base(request, found)
    url = f"{base}/commits/{item['sha']}"
    return {
        "sha": item["sha"],
        "node_id": f"C_local_{item['sha']}",
        "url": url,
        "html_url": url,
        "comments_url": f"{url}/comments",
        "commit": {
            "author": {"name": item["an"], "email": item["ae"], "date": item["ad"]},
            "committer": {"name": item["cn"], "email": item["ce"], "date": item["cd"]},
            "message": item["message"],
            "tree": {"sha": item["tree"], "url": f"{base}/git/trees/{item['tree']}"},
            "url": f"{base}/git/commits/{item['sha']}",
            "comment_count": 0,
        },
        "author": None,
        "committer": None,
        "parents": [{"sha": sha, "url": f"{base}/commits/{sha}"} for sha in item["parents"].split()],
    }
