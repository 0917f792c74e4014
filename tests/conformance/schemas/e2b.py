"""E2B's contract: the description of its control plane that npm `e2b` carries as types."""

from __future__ import annotations

from tests.conformance.schemas.contract import JSON, Bodies, Contract, Operation, Routes
from tests.conformance.schemas.published import types
from tests.conformance.schemas.schema import Book


def contract() -> Contract:
    """Every operation of npm `e2b`."""
    told = types()["E2B"]
    book = Book("e2b", told["schema"], "draft7")
    routes: Routes[Operation] = Routes()

    def bodies(name: str, *, there: bool) -> Bodies:
        return {JSON: book.at("properties", name)} if there else {}

    for one in told["operations"]:
        name = one["name"]
        method, _, path = name.partition(" ")
        routes.add(
            method,
            path,
            Operation(
                name=name,
                request=bodies(f"{name} request", there=one["request"]).get(JSON),
                needs_body=one["needed"],
                replies={status: bodies(f"{name} {status}", there=there) for status, there in one["replies"].items()},
            ),
        )
    return Contract(routes, {JSON: book.at("properties", "error")})
