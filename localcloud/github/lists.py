"""Lists of repositories as GitHub gives them: sorted as asked, in pages that are joined by links."""

from __future__ import annotations

from typing import Any, TypeVar

from aiohttp import web

from localcloud.github.bodies import RefusedError
from localcloud.store import Object

Item = TypeVar("Item")


def in_order(request: web.Request, found: list[Object]) -> list[Object]:
    """The repositories in the order the query asks for."""
    by = request.query.get("sort", "full_name")
    member = {"created": None, "updated": "updated_at", "pushed": "pushed_at"}
    if by not in member:
        found.sort(key=lambda item: (item.data["owner"].lower(), item.name.lower()))
        default = "asc"
    else:
        name = member[by]
        found.sort(key=lambda item: item.created_at if name is None else item.data[name])
        default = "desc"
    return found[::-1] if request.query.get("direction", default) == "desc" else found


def of_kind(request: web.Request, found: list[Object]) -> list[Object]:
    """The public or the private ones where the query asks for those alone. Raises `RefusedError`."""
    query = request.query
    if "type" in query and ("visibility" in query or "affiliation" in query):
        raise RefusedError(422, "If you specify visibility or affiliation, you cannot specify type.")
    wanted = query.get("visibility") or query.get("type")
    if wanted not in ("public", "private"):
        return found
    return [item for item in found if bool(item.data["private"]) == (wanted == "private")]


def paged(request: web.Request, base: str, items: list[dict[str, Any]]) -> web.Response:
    """One page of a list, with the `Link` header GitHub's clients follow."""
    page, headers = page_of(request, base, items)
    return web.json_response(page, headers=headers)


def page_of(request: web.Request, base: str, items: list[Item]) -> tuple[list[Item], dict[str, str]]:
    """What is on the page that was asked for, and the headers that lead to the others; nothing is past the last."""
    size, page = sized(request)
    return items[(page - 1) * size : page * size], links(request, base, len(items))


def links(request: web.Request, base: str, total: int) -> dict[str, str]:
    """The `Link` header of one page of a list of *total* items; none where everything is on the first."""
    size, page = sized(request)
    last = max(1, -(-total // size))
    found = []
    for relation, target in (("prev", min(page - 1, last)), ("next", page + 1), ("last", last), ("first", 1)):
        if 1 <= target <= last and target != page:
            found.append(f'<{base}{request.rel_url.update_query(page=str(target))}>; rel="{relation}"')
    return {"Link": ", ".join(found)} if found else {}


def sized(request: web.Request) -> tuple[int, int]:
    """How many items a page holds, and which page is asked for."""
    return _number(request, "per_page", 30, 100), _number(request, "page", 1, 10**8)


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    """A number of the query, from 1 to *most*; what is none counts as the default."""
    text = request.query.get(name, "")
    return min(max(int(text), 1), most) if text.isascii() and text.isdigit() and len(text) < 9 else default
