"""Repositories: branches, commits, and the files of the default branch as plain text."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import h, when
from localcloud.github import git
from localcloud.github.app import REPOSITORIES
from localcloud.github.git import GitError
from localcloud.github.history import log_of
from localcloud.store import Object

MOST_FILES = 500
LARGEST_SHOWN = 200_000


def _one(request: web.Request) -> Object:
    found = request.app[REPOSITORIES].get(request.match_info["owner"], request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound(text="There is no such repository.")
    return found


def _address(item: Object) -> str:
    return f"/_cloud/repositories/{item.data['owner']}/{item.name}"


async def listing(request: web.Request) -> web.Response:
    """All repositories, the one pushed to last first."""
    found = sorted(request.app[REPOSITORIES].all(), key=lambda item: str(item.data["pushed_at"]), reverse=True)
    rows = [
        (
            h('<a href="{}">{}</a>', _address(item), chrome.code(f"{item.data['owner']}/{item.name}")),
            "private" if item.data["private"] else "public",
            "on" if item.data["actions"]["enabled"] else "off",
            when(item.created_at),
            when(item.data["pushed_at"]),
        )
        for item in found
    ]
    listed = chrome.table(
        "Repositories", ("Repository", "Visibility", "Actions", "Made", "Last push"), rows, empty="No repository yet."
    )
    lead = cloud_of(request).notes.get("github", "")
    return chrome.page("repositories", "Repositories", chrome.block("Repositories", listed), lead=lead)


async def one(request: web.Request) -> web.Response:
    """Commits and files of one repository."""
    item = _one(request)
    directory = await request.app[REPOSITORIES].directory(item)
    commits, files = [], []
    if await git.branches(directory):
        commits = await log_of(directory, item.data["default_branch"], most=50)
        tree = await git.git(directory, "ls-tree", "-r", "--name-only", "-z", commits[0]["sha"])
        files = [name for name in tree.decode(errors="replace").split("\0") if name][:MOST_FILES]
    made = chrome.table(
        "Commits",
        ("Commit", "Message", "By", "When"),
        [(chrome.code(c["sha"][:8]), c["message"].split("\n")[0], c["an"], when(c["ad"])) for c in commits],
        empty="Nothing was pushed yet.",
    )
    listed = chrome.table(
        "Files",
        ("File",),
        [
            (h('<a href="{}/file?path={}">{}</a>', _address(item), quote(name, safe="/"), chrome.code(name)),)
            for name in files
        ],
        empty="No files.",
    )
    clone = f"{cloud_of(request).base_url}/github/git/{item.data['owner']}/{item.name}.git"
    body = h(
        '<p class="crumb"><a href="/_cloud/repositories">Repositories</a></p>{}{}',
        chrome.block("Commits", made, aside=f"branch {item.data['default_branch']}"),
        chrome.block("Files", listed, aside=f"{len(files)} shown"),
    )
    return chrome.page("repositories", f"{item.data['owner']}/{item.name}", body, lead=chrome.code(clone))


async def file(request: web.Request) -> web.Response:
    """One file as text."""
    item, path = _one(request), request.query.get("path", "")
    directory = await request.app[REPOSITORIES].directory(item)
    try:
        content = await git.git(directory, "cat-file", "blob", f"{item.data['default_branch']}:{path}")
    except (GitError, ValueError) as error:
        raise web.HTTPNotFound(text="There is no such file.") from error
    if b"\0" in content[:8000]:
        shown = h('<p class="empty">A binary file of {} bytes.</p>', len(content))
    else:
        shown = h("<pre>{}</pre>", content[:LARGEST_SHOWN].decode(errors="replace"))
    body = h('<p class="crumb"><a href="{}">{}</a></p>{}', _address(item), item.name, chrome.block(path, shown))
    return chrome.page("repositories", path, body)
