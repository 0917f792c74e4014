"""Reads what localclouds recorded: see `localcloud/traffic.py` for what a line holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTHING = object()  # a body that is not there, or not JSON; `null` is a body


@dataclass(frozen=True, slots=True)
class Body:
    """One side of an exchange. `json` is `NOTHING` where the body is no JSON or was not kept.

    Of a streamed body `events` holds what its events held, where the stand-in said so.
    """

    media: str
    size: int
    json: Any
    kept: bool
    events: tuple[Any, ...] = ()

    @property
    def empty(self) -> bool:
        return self.kept and not self.size


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked and answered. `status` is None where a fault let nothing be answered."""

    vendor: str
    method: str
    path: str
    query: str
    agent: str
    request: Body
    status: int | None
    reply: Body
    ordered: bool


def read(directory: Path) -> Iterator[Exchange]:
    """Every exchange below *directory*. A last line that a killed process did not finish is left out."""
    for file in sorted(directory.rglob("*.jsonl")):
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield _exchange(json.loads(line))


def _exchange(line: dict[str, Any]) -> Exchange:
    return Exchange(
        vendor=line["vendor"],
        method=line["method"],
        path=line["path"],
        query=line["query"],
        agent=line["agent"],
        request=_body(line["request"]),
        status=line["status"],
        reply=_body(line["reply"] or {}),
        ordered=line["ordered"],
    )


def _body(told: dict[str, Any]) -> Body:
    return Body(
        media=(told.get("type") or "").partition(";")[0].strip().lower(),
        size=told.get("bytes", 0),
        json=told.get("body", NOTHING),
        kept="omitted" not in told and "streamed" not in told,
        events=tuple(told.get("streamed", ())),
    )
