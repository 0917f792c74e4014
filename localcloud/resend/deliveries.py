"""Webhook deliveries: a queue that survives a restart, and the one task that empties it.

An event is queued for every enabled webhook that asked for its type, in the transaction of what it tells about, so that
no event is lost and none is told that did not happen. Each is tried at once and then by Resend's schedule until the
endpoint answers 2xx. Before every try the webhook is looked up again: one that is gone or disabled is called no more.
Webhooks are served side by side, each of them one event at a time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from localcloud.keys import token
from localcloud.resend import endpoints, signing
from localcloud.store import Object, Store, now, stamp

log = logging.getLogger("localcloud.resend")

SCHEMA = """
CREATE TABLE IF NOT EXISTS resend_webhook_events (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, webhook TEXT NOT NULL, type TEXT NOT NULL, created_at TEXT NOT NULL,
  payload TEXT NOT NULL, status TEXT NOT NULL, tries INTEGER NOT NULL, next_at TEXT, UNIQUE (webhook, id)
);
CREATE INDEX IF NOT EXISTS resend_webhook_events_due ON resend_webhook_events (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS resend_webhook_attempts (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, event INTEGER NOT NULL, http_status_code INTEGER NOT NULL,
  response TEXT NOT NULL, sent_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS resend_webhook_attempts_by_event ON resend_webhook_attempts (event);
"""
WAITS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)  # after each failed try; then no more
LAST_TRY = 1_000  # where an event that is replayed counts on from: whatever comes of it, it is not tried again
ANSWER_SECONDS = 15
MOST_KEPT = 2000  # characters of an endpoint's answer


class Deliveries:
    """The queue. `run` is the task; `announce` fills it."""

    def __init__(self, store: Store, allowed: Collection[str], waits: Sequence[float] = WAITS) -> None:
        self._store, self._allowed, self._waits = store, allowed, waits
        self._news = asyncio.Event()
        self._busy: set[str] = set()
        store.script(SCHEMA)

    # Filling

    def announce(self, kind: str, data: dict[str, Any]) -> None:
        """Queue an event for every webhook that asked for it. Joins the transaction it is called in."""
        asking = [
            hook
            for hook in self._store.all("resend", "webhook")
            if hook.data["status"] == "enabled" and kind in hook.data["events"]
        ]
        if not asking:
            return
        at = now()
        payload = json.dumps({"type": kind, "created_at": at, "data": data}, separators=(",", ":"))
        identity = f"msg_{token(27)}"
        for hook in asking:
            self._store.execute(
                "INSERT INTO resend_webhook_events (id, webhook, type, created_at, payload, status, tries, next_at)"
                " VALUES (?, ?, ?, ?, ?, 'pending', 0, ?)",
                (identity, hook.id, kind, at, payload, at),
            )
        self._news.set()

    def replay(self, number: int) -> None:
        """Deliver an event once more, whatever became of it."""
        self._store.execute(
            "UPDATE resend_webhook_events SET status = 'pending', tries = max(tries, ?) + 1, next_at = ?"
            " WHERE number = ?",
            (LAST_TRY, now(), number),
        )
        self._news.set()

    def forget(self, webhook: str) -> None:
        """Remove what was queued for a webhook and what it was told."""
        with self._store.transaction():
            self._store.execute(
                "DELETE FROM resend_webhook_attempts WHERE event IN"
                " (SELECT number FROM resend_webhook_events WHERE webhook = ?)",
                (webhook,),
            )
            self._store.execute("DELETE FROM resend_webhook_events WHERE webhook = ?", (webhook,))

    # Reading

    def events(self, webhook: str) -> list[sqlite3.Row]:
        """The events of a webhook, newest first."""
        return self._store.query(
            "SELECT * FROM resend_webhook_events WHERE webhook = ? ORDER BY number DESC", (webhook,)
        )

    def recent(self, most: int) -> list[sqlite3.Row]:
        """The newest events of all webhooks that are there."""
        return self._store.query("SELECT * FROM resend_webhook_events ORDER BY number DESC LIMIT ?", (most,))

    def event(self, webhook: str, identity: str) -> sqlite3.Row | None:
        rows = self._store.query(
            "SELECT * FROM resend_webhook_events WHERE webhook = ? AND id = ?", (webhook, identity)
        )
        return rows[0] if rows else None

    def attempts(self, number: int) -> list[sqlite3.Row]:
        """The attempts to deliver an event, newest first."""
        return self._store.query(
            "SELECT * FROM resend_webhook_attempts WHERE event = ? ORDER BY number DESC", (number,)
        )

    # Emptying

    async def run(self) -> None:
        """Deliver until cancelled. An attempt that a kill interrupted is made again."""
        connector = aiohttp.TCPConnector(resolver=endpoints.Resolver(), use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client, asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                waiting = [row for row in self._waiting() if row["webhook"] not in self._busy]
                for row in (row for row in waiting if row["next_at"] <= now()):
                    self._busy.add(row["webhook"])
                    group.create_task(self._deliver(client, row), name=f"webhook {row['webhook']}")
                soonest = min((row["next_at"] for row in waiting if row["webhook"] not in self._busy), default=None)
                await self._rest(soonest)

    def _waiting(self) -> list[sqlite3.Row]:
        """For each webhook the event that is to be delivered first."""
        return self._store.query(
            "SELECT *, min(next_at || printf('%020d', number)) FROM resend_webhook_events"
            " WHERE next_at IS NOT NULL GROUP BY webhook"
        )

    async def _rest(self, until: str | None) -> None:
        seconds = None
        if until is not None:
            seconds = max(0.0, (datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _deliver(self, client: aiohttp.ClientSession, row: sqlite3.Row) -> None:
        try:
            hook = self._store.get("resend", "webhook", row["webhook"])
            if hook is None or hook.data["status"] != "enabled":
                self._settle(row, "failed", None)
                return
            status, said = await self._call(client, hook, row)
            self._record(row, status, said)
        finally:
            self._busy.discard(row["webhook"])
            self._news.set()

    async def _call(self, client: aiohttp.ClientSession, hook: Object, row: sqlite3.Row) -> tuple[int, str]:
        """The endpoint's status and the beginning of its answer; 0 and the reason when there was none."""
        endpoint = hook.data["endpoint"]
        keys = [hook.data["secret"]]
        if hook.data.get("previous_until", "") > now():
            keys.append(hook.data["previous_secret"])
        signed = signing.headers(keys, row["id"], int(datetime.now(UTC).timestamp()), row["payload"])
        sent = signed | {"Content-Type": "application/json", "User-Agent": "Svix-Webhooks/1 (localcloud)"}
        try:
            endpoints.check(endpoint, self._allowed)
            async with client.post(endpoint, data=row["payload"], headers=sent, allow_redirects=False) as answer:
                said = await answer.content.read(MOST_KEPT)
                return answer.status, said.decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return 0, f"{type(error).__name__}: {error}"

    def _record(self, row: sqlite3.Row, status: int, said: str) -> None:
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO resend_webhook_attempts (id, event, http_status_code, response, sent_at)"
                " SELECT ?, number, ?, ?, ? FROM resend_webhook_events WHERE number = ? AND id = ?",
                (f"atmpt_{token(27)}", status, said, now(), row["number"], row["id"]),
            )
            if 200 <= status < 300:
                self._settle(row, "success", None)
            elif row["tries"] < len(self._waits):
                wait = timedelta(seconds=self._waits[row["tries"]])
                self._settle(row, "attempting", stamp(datetime.now(UTC) + wait))
            else:
                self._settle(row, "failed", None)
        log.info("webhook %s: %s answered %s", row["webhook"], row["type"], status or said)

    def _settle(self, row: sqlite3.Row, status: str, next_at: str | None) -> None:
        """Note what came of a try, unless the event was replayed meanwhile, or is gone and its number another's."""
        self._store.execute(
            "UPDATE resend_webhook_events SET status = ?, next_at = ?, tries = tries + 1"
            " WHERE number = ? AND id = ? AND tries = ?",
            (status, next_at, row["number"], row["id"], row["tries"]),
        )
