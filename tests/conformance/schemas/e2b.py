"""E2B's contract: the description of its control plane that npm `e2b` carries as types.

PyPI `e2b` describes a few members more, which are added: the two packages do not come out together.
"""

from __future__ import annotations

from typing import Any

from e2b.api.client.models.sandbox_pause_mode import SandboxPauseMode

from tests.conformance.schemas.contract import JSON, Bodies, Contract, Operation, Routes
from tests.conformance.schemas.published import types
from tests.conformance.schemas.schema import Book

NEWER: dict[str, dict[str, Any]] = {
    "schemas_SandboxDetail": {
        "pauseMode": {"enum": [mode.value for mode in SandboxPauseMode]},
        "envdUnresponsiveAtPause": {"type": "boolean"},
    },
    "schemas_SandboxSnapshotRequest": {"memory": {"type": "boolean"}},
}


def contract() -> Contract:
    """Every operation of npm `e2b`."""
    told = types()["E2B"]
    for name, members in NEWER.items():
        told["schema"]["definitions"][name]["properties"] |= members
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
