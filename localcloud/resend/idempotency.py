"""At most one mail per `Idempotency-Key`, within a day: replayed, refused when it differs, refused while in flight."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from localcloud.resend import bodies
from localcloud.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS resend_idempotency (
  key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at TEXT NOT NULL
);
"""
REMEMBERED = timedelta(hours=24)
LONGEST_KEY = 256


class Idempotency:
    """Which keys were used for what, and which are being worked on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_flight: set[str] = set()
        store.script(SCHEMA)

    @contextmanager
    def key_of(self, request: web.Request) -> Iterator[str | None]:
        """The request's key, taken from its arrival to its answer. Raises `RefusedError` when it is bad or taken."""
        key = request.headers.get("Idempotency-Key")
        if key is None:
            yield None
            return
        if not 1 <= len(key) <= LONGEST_KEY:
            raise bodies.RefusedError(
                400,
                "invalid_idempotency_key",
                f"Idempotency keys, if present, must have between 1 and {LONGEST_KEY} characters.",
            )
        if key in self._in_flight:
            raise bodies.RefusedError(
                409,
                "concurrent_idempotent_requests",
                "Same idempotency key used while original request is still in progress.",
            )
        self._in_flight.add(key)
        try:
            yield key
        finally:
            self._in_flight.discard(key)

    def once(self, key: str | None, path: str, wished: Any, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do it, or answer as before when this key did just this within a day. Raises `RefusedError`.

        What *do* refuses is not remembered: the key can be used again with a better body.
        """
        with self._store.transaction():
            if key is None:
                return do()
            now = datetime.now(UTC)
            digest = hashlib.sha256(f"{path} {json.dumps(wished, sort_keys=True)}".encode()).hexdigest()
            self._store.execute("DELETE FROM resend_idempotency WHERE at < ?", ((now - REMEMBERED).isoformat(),))
            found = self._store.query("SELECT * FROM resend_idempotency WHERE key = ?", (key,))
            if found and found[0]["digest"] != digest:
                raise bodies.RefusedError(
                    409,
                    "invalid_idempotent_request",
                    "Same idempotency key used with a different request payload.",
                )
            if found:
                before: dict[str, Any] = json.loads(found[0]["answer"])
                return before
            made = do()
            values = (key, digest, json.dumps(made), now.isoformat())
            self._store.execute("INSERT INTO resend_idempotency VALUES (?, ?, ?, ?)", values)
            return made
