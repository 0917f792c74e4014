"""What a vendor publishes of its API: which bodies go with a method, a path and a status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.conformance.schemas.schema import Schema

Found = TypeVar("Found")
# By media type; a type without a schema holds text that is not JSON. Without any type there is no body.
Bodies = Mapping[str, Schema | None]
JSON = "application/json"
EVENTS = "text/event-stream"  # its schema is that of one event


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `replies` goes by status: `200`, then `4XX`, then `default`. `query` is None where it is not described.

    Without a `request` the call takes no body, unless it is `free`: then it takes bodies that no schema describes.
    """

    name: str
    request: Schema | None
    needs_body: bool
    replies: Mapping[str, Bodies]
    query: frozenset[str] | None = None
    free: bool = False

    def reply(self, status: int) -> Bodies | None:
        """What may come with *status*; None where the vendor lists no such status."""
        for name in (str(status), f"{status // 100}XX", "default"):
            if name in self.replies:
                return self.replies[name]
        return None


@dataclass(slots=True)
class _Node(Generic[Found]):
    fixed: dict[str, _Node[Found]] = field(default_factory=dict)
    any: _Node[Found] | None = None
    found: dict[str, Found] = field(default_factory=dict)


class Routes(Generic[Found]):
    """Paths with `{parameters}` in them. A fixed segment goes before a parameter; the last one may hold slashes."""

    def __init__(self) -> None:
        self._root: _Node[Found] = _Node()

    def add(self, method: str, path: str, found: Found) -> None:
        node = self._root
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.found[method] = found

    def find(self, method: str, path: str) -> Found | None:
        return self._walk(self._root, path.strip("/").split("/"), method)

    def _walk(self, node: _Node[Found], left: list[str], method: str) -> Found | None:
        if not left:
            return node.found.get(method)
        for following in (node.fixed.get(left[0]), node.any):
            found = self._walk(following, left[1:], method) if following is not None else None
            if found is not None:
                return found
        return node.any.found.get(method) if node.any is not None else None


@dataclass(frozen=True, slots=True)
class Contract:
    """A vendor's operations by path below `base`, and its error body, which any call may get.

    A query of `apart` makes another operation of a path, whose route ends in it. `errors` holds the error bodies of
    statuses that have one of their own.
    """

    routes: Routes[Operation]
    error: Bodies
    base: str = ""
    apart: tuple[str, ...] = ()
    errors: Mapping[int, Bodies] = field(default_factory=dict)

    def find(self, method: str, path: str, query: str) -> Operation | None:
        if not path.startswith(self.base):
            return None
        suffix = f"?{query}" if query in self.apart else ""
        return self.routes.find(method, path.removeprefix(self.base) + suffix)
