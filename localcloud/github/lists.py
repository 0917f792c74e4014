"""Lists of repositories as GitHub gives them: sorted as asked, in pages that are joined by links."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.store import Object


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


def paged(request: web.Request, base: str, items: list[dict[str, Any]]) -> web.Response:
    """One page of a list, with the `Link` header GitHub's clients follow."""

    def number(name: str, default: int, most: int) -> int:
        text = request.query.get(name, "")
        return min(max(int(text), 1), most) if text.isascii() and text.isdigit() and len(text) < 9 else default

    size, page = number("per_page", 30, 100), number("page", 1, 10**8)
    last = max(1, -(-len(items) // size))
    links = []
    for relation, target in (("prev", page - 1), ("next", page + 1), ("last", last), ("first", 1)):
        if 1 <= target <= last and target != page:
            links.append(f'<{base}{request.rel_url.update_query(page=str(target))}>; rel="{relation}"')
    headers = {"Link": ", ".join(links)} if links else {}
    return web.json_response(items[(page - 1) * size : page * size], headers=headers)
