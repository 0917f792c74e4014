"""The sessions' repositories: a list from what is on record, and a page for each that asks GitHub.

The list asks nobody: what GitHub last said of a repository is kept on its row and dated, and a button has the lines
that are shown read anew. It goes through the rows by their number, so a page costs the same however many there are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from provisioning import giving, http, repositories
from provisioning.exceptions import ProvisioningError, VendorError
from provisioning.models import Provider, Resource
from provisioning.providers.base import Step
from provisioning.providers.registry import RepositoryFacts, step_for
from provisioning.words import said
from sessions_app.models import Version
from sessions_app.pages import GLYPHS, WORDS
from staff.actors import of_request
from staff.lists import search
from staff.powers import POWERS

SHOWN = 25
ASKED_FOR = 8.0  # seconds in all for what GitHub is asked for one page
COMMITS = 10
_STATES = {"live": Resource.State.READY, "gone": Resource.State.GONE, "all": None}
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Line:
    """One repository of the list."""

    row: Resource
    word: str  # its state
    glyph: str
    seen: repositories.Seen | None
    last: Version | None
    commits: int
    owner: str  # whose it is, where it was given away


@require_http_methods(["GET", "POST"])
@never_cache
def index(request: HttpRequest) -> HttpResponse:
    """The list; a POST has its lines read from GitHub first."""
    _require(request)
    rows, older = _chosen(request)
    if request.method == "POST":
        _read_all(request, [row for row in rows if row.state == Resource.State.READY])
        return redirect(request.get_full_path())
    query = _query(request)
    context = {
        **admin.site.each_context(request),
        "title": "Repositories",
        "lines": _lines(rows),
        "states": [(name, urlencode(query | {"state": name})) for name in _STATES],
        "state": query["state"],
        "search": query.get("q", ""),
        "older": urlencode(query | {"before": str(rows[-1].pk)}) if older else "",
        "paged": "before" in request.GET,
        "newest": urlencode(query),
    }
    return TemplateResponse(request, "staff/repositories.html", context)


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm("provisioning.view_resource"):
        raise PermissionDenied


def _query(request: HttpRequest) -> dict[str, str]:
    """What is chosen, without the place in the list."""
    state = request.GET.get("state", "live")
    words = request.GET.get("q", "").strip()
    return {"state": state if state in _STATES else "live"} | ({"q": words} if words else {})


def _chosen(request: HttpRequest) -> tuple[list[Resource], bool]:
    """The rows of one page, the last made first, and whether there are older ones."""
    query, before = _query(request), request.GET.get("before", "")
    rows: QuerySet[Resource] = Resource.objects.filter(provider=Provider.GITHUB).select_related("session")
    state = _STATES[query["state"]]
    if state is not None:
        rows = rows.filter(state=state)
    if words := query.get("q"):
        rows = search.of_session(rows, words)
    if before.isascii() and before.isdigit() and len(before) <= _LONGEST_NUMBER:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows.order_by("-pk")[: SHOWN + 1])
    return found[:SHOWN], len(found) > SHOWN


def _lines(rows: list[Resource]) -> list[Line]:
    ids = [row.session_id for row in rows]
    versions = Version.objects.filter(session_id__in=ids)
    last = {one.session_id: one for one in versions.order_by("session_id", "-number").distinct("session_id")}
    counted = versions.order_by().values("session_id").annotate(commits=Count("pk"))
    commits = {one["session_id"]: one["commits"] for one in counted}
    return [
        Line(
            row=row,
            word=word_of(row),
            glyph=glyph_of(row),
            seen=repositories.seen(row),
            last=last.get(row.session_id),
            commits=commits.get(row.session_id, 0),
            owner=giving.taken_by(row) or giving.offered_to(row),
        )
        for row in rows
    ]


def word_of(row: Resource) -> str:
    """The row's state as a person says it."""
    return "given away" if giving.taken_by(row) else WORDS.get(row.state, row.state)


def glyph_of(row: Resource) -> str:
    """The drawing of it."""
    return GLYPHS.get(row.state, "planned")


def _read_all(request: HttpRequest, rows: list[Resource]) -> None:
    """Ask GitHub for the lines of a page at once, all within one deadline."""
    answers = async_to_sync(_within)(rows)
    read = sum(isinstance(answer, RepositoryFacts) for answer in answers)
    missing = [row.name for row, answer in zip(rows, answers, strict=True) if answer is None]
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    messages.info(request, f"Read {read} of {len(rows)} from GitHub.")
    if missing:
        messages.warning(request, f"GitHub has none of that name any more: {', '.join(missing)}.")
    if failed:
        messages.warning(request, f"{len(failed)} could not be read: {_why(failed[0])}.")


async def _within(rows: list[Resource]) -> list[RepositoryFacts | Exception | None]:
    async with http.borrowed():
        tasks = [asyncio.create_task(repositories.read(row)) for row in rows]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=ASKED_FOR)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        return [_answer(task) for task in tasks]


def _answer(task: asyncio.Task[RepositoryFacts | None]) -> RepositoryFacts | Exception | None:
    if task.cancelled():
        return TimeoutError()
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, ProvisioningError):
        return error
    raise error


def _why(error: Exception) -> str:
    step: Step = step_for(Provider.GITHUB, "repository")
    if isinstance(error, VendorError):
        return said(error, step)
    if isinstance(error, ProvisioningError):
        return str(error)
    return f"GitHub did not answer within {ASKED_FOR:g} s"


@require_GET
@never_cache
def repository(request: HttpRequest, slug: str) -> HttpResponse:
    """One repository: what GitHub says of it now, or what keeps it from saying, beside what is on record."""
    _require(request)
    rows = Resource.objects.select_related("session").filter(provider=Provider.GITHUB, kind="repository")
    row = get_object_or_404(rows, session__slug=slug)
    facts, trouble = None, ""
    if row.state == Resource.State.READY:
        answer = async_to_sync(_within)([row])[0]
        facts = answer if isinstance(answer, RepositoryFacts) else None
        trouble = _why(answer) if isinstance(answer, Exception) else ""
    versions = row.session.versions.order_by("-number")
    actor = of_request(request)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": row.external_id or row.name,
        "row": row,
        "word": word_of(row),
        "glyph": glyph_of(row),
        "facts": facts,
        "trouble": trouble,
        "asked": row.state == Resource.State.READY,
        "seen": repositories.seen(row),
        "offered_to": giving.offered_to(row),
        "taken_by": giving.taken_by(row),
        "versions": list(versions[:COMMITS]),
        "commits": versions.count(),
        "may": {name: actor.may(POWERS[name].right) for name in ("archive", "transfer")},
        "orders": {name: reverse("admin:order", args=[name]) for name in ("archive", "transfer")},
    }
    return TemplateResponse(request, "staff/repository.html", context)
