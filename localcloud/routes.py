"""Every operation a fault can name, with the requests that are it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiohttp import web

from localcloud.faults import operation_of


@dataclass(frozen=True, slots=True)
class Route:
    """One way to ask for an operation. `header` names a header without which the path leads elsewhere."""

    vendor: str
    operation: str
    method: str
    path: str
    header: str = ""


def routes(app: web.Application, more: Iterable[Route]) -> Iterator[Route]:
    """Every route of a handler that declares its operation, and `more` that lie behind a door."""
    for route in app.router.routes():
        vendor, name = operation_of(route.handler)
        if vendor and route.method != "HEAD" and route.resource is not None:
            path = route.resource.canonical.replace("{slash}", "")  # one that may stand at the end or not
            yield Route(vendor, name, route.method, path)
    yield from more


def by_vendor(known: Iterable[Route]) -> dict[str, list[str]]:
    """The names of operations, by vendor, each once."""
    found: dict[str, set[str]] = {}
    for route in known:
        found.setdefault(route.vendor, set()).add(route.operation)
    return {vendor: sorted(names) for vendor, names in sorted(found.items())}
