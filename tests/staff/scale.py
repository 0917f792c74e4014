"""A month of a busy installation, loaded by COPY: sessions with all they own, their events, turns, calls and sweeps.

Whoever measures a page takes `load()`, which may be called again to add more, and `ADDRESSES`, the pages that have to
stay quick. A session has six resources and about forty events, as a real one has.
"""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from sessions_app.slugs import slug_for

SESSIONS = 50_000  # with 300,000 resources and 2,000,000 events
EVENTS_EACH = 40
DAYS = 30
# Every page that must answer quickly whatever there is: path below the site. One a line, so that more can be added.
ADDRESSES = [
    "/admin/?range=1h",
    "/admin/",
    "/admin/?range=7d",
    "/admin/sessions_app/session/",
    "/admin/sessions_app/session/?state__exact=open",
    "/admin/sessions_app/session/?doing=idle",
    "/admin/sessions_app/session/?legs=failed",
    "/admin/sessions_app/session/?legs=live",
    "/admin/sessions_app/session/?q=guestbook",
    "/admin/sessions_app/session/?q=zebra",
    "/admin/sessions_app/event/",
    "/admin/sessions_app/event/?type=agent.text",
    "/admin/sessions_app/turn/",
    "/admin/sessions_app/turn/?state__exact=failed",
    "/admin/sessions_app/version/",
    "/admin/provisioning/resource/",
    "/admin/provisioning/resource/?state__exact=stuck",
    "/admin/provisioning/resource/?provider__exact=neon&state__exact=ready",
    "/admin/provisioning/resource/?q=mk0r-a",
    "/admin/provisioning/credential/",
    "/admin/provisioning/credential/?lease=running",
    "/admin/provisioning/alert/?open=yes",
    "/admin/provisioning/sweeprun/",
    "/admin/provisioning/stray/",
    "/admin/gateway/modelcall/",
    "/admin/staff/entry/",
    "/admin/staff/undertaking/",
    "/admin/repositories/",
    "/admin/orphans/",
    "/admin/vendors/",
    "/admin/sessions_app/session/?state__exact=closed",
    "/admin/provisioning/resource/?provider__exact=neon&state__exact=gone",
    "/admin/sessions_app/turn/?state__exact=done",
]

_STEPS = (("posthog", "group"), ("github", "repository"), ("resend", "audience"), ("resend", "api_key"),
          ("e2b", "sandbox"), ("neon", "project"))  # fmt: skip
_USUAL = {"group": 0.0, "repository": 0.36, "audience": 0.2, "api_key": 0.2, "sandbox": 1.17, "project": 2.3}  # seconds
_FAILS = {"repository": 0.002, "audience": 0.006, "api_key": 0.006, "sandbox": 0.005, "project": 0.007}
_REASONS = ("rate_limited", "rate_limited", "no_answer", "vendor_error", "quota")
_STUCK = 0.003  # of the sessions that end
_NULL = "\\N"
_COLUMNS = {
    "sessions_app_session": "id slug state visitor_hash key_generation title last_seq head spent_usd created_at"
    " prompted_at last_active_at expires_at ended_at",
    "provisioning_resource": "id session_id provider kind name state attempt external_id url meta error delete_attempts"
    " created_at started_at settled_at next_at deleted_at verified_at forgotten_reason forgotten_by failed_at"
    " failed_reason",
    "provisioning_credential": "id resource_id name ciphertext fingerprint created_at expires_at revoked_at",
    "sessions_app_turn": "id session_id number prompt state cancel_requested sandbox_id base_tree log_lines summary"
    " cost_usd created_at started_at finished_at",
    "sessions_app_version": "id session_id number kind sha tree message turn_id created_at",
    "gateway_modelcall": "id session_id turn_id model status complete input_tokens output_tokens cache_write_tokens"
    " cache_read_tokens cost_usd started_at duration_ms",
    "provisioning_alert": "id kind subject text raised_at cleared_at",
    "provisioning_sweeprun": "id started_at ended_at by_hand dry state reason report asked approved_by",
    "provisioning_stray": "id provider kind external_id name meta first_seen last_seen sightings why cleared_at",
    "staff_entry": "id at who where action subject session reason detail",
}
_NUMBERED = ("provisioning_resource", "sessions_app_turn", "sessions_app_version", "gateway_modelcall",
             "provisioning_alert", "provisioning_sweeprun", "provisioning_stray", "staff_entry")  # fmt: skip
_LOG = ("agent.text", "agent.tool", "agent.result", "agent.text", "notice")


@dataclass
class _Month:
    """Rows as lines of COPY, table by table; events are made while they are sent, for they are too many to hold."""

    now: datetime
    chance: random.Random
    first: dict[str, int]  # the next free id of each numbered table
    rows: dict[str, list[str]] = field(default_factory=lambda: {table: [] for table in _COLUMNS})
    talked: list[tuple[uuid.UUID, datetime, int]] = field(default_factory=list)  # session, since when, events

    def number(self, table: str) -> int:
        self.first[table] += 1
        return self.first[table]

    def add(self, table: str, *values: Any) -> None:
        self.rows[table].append(_line(values))


def load(sessions: int = SESSIONS, events_each: int = EVENTS_EACH) -> None:
    """Add so many sessions, spread over the last thirty days, and let Postgres know what it has now."""
    month = _Month(timezone.now(), random.Random(sessions), _first_free())
    for _ in range(sessions):
        _session(month, events_each)
    _around(month, sessions)
    with connection.cursor() as cursor:
        # A look at new rows by Postgres itself would hold a snapshot, and with one held the VACUUM below could not mark
        # their pages as seen by all: plans would then be those of a table that is never vacuumed.
        for table in (*_COLUMNS, "sessions_app_event"):
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        # What is copied fits together already; a look at each of two million references would take minutes.
        cursor.execute("SET session_replication_role = replica")
        try:
            for table, rows in month.rows.items():
                _copy(cursor, table, _COLUMNS[table].split(), rows)
            _copy(cursor, "sessions_app_event", ["session_id", "seq", "type", "data", "at"], _events(month))
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")
        for table in _NUMBERED:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {month.first[table]})")
        for table in (*_COLUMNS, "sessions_app_event"):
            cursor.execute(f"VACUUM ANALYZE {table}")
            cursor.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


def _copy(cursor: Any, table: str, columns: list[str], rows: Iterable[str]) -> None:
    """Send the rows; a column that they do not name and that must not be empty gets its model's default."""
    fields = next(model for model in apps.get_models() if model._meta.db_table == table)._meta.concrete_fields
    more = {each.column: each.get_default() for each in fields if not (each.null or each.primary_key)}
    more = {column: value for column, value in more.items() if column not in columns}
    named = ", ".join(f'"{column}"' for column in [*columns, *more])
    end = "".join(f"\t{_text(value)}" for value in more.values()) + "\n"
    with cursor.copy(f"COPY {table} ({named}) FROM STDIN") as copy:
        for row in rows:
            copy.write(row + end)


def _first_free() -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for table in _NUMBERED:
            cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
            found[table] = cursor.fetchone()[0]
    return found


def _line(values: Iterable[Any]) -> str:
    return "\t".join(map(_text, values))


def _text(value: Any) -> str:
    if value is None:
        return _NULL
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, (dict, list)):
        return json.dumps(value).replace("\\", "\\\\")
    return str(value)


def _session(month: _Month, events_each: int) -> None:
    chance = month.chance
    key = uuid.UUID(int=chance.getrandbits(128), version=4)
    age = timedelta(days=DAYS * chance.random() ** 1.1)  # a little more of late
    begun = month.now - age
    prompted = chance.random() < 0.6
    lives = timedelta(hours=24) if prompted else timedelta(minutes=20)
    ending = age > lives and age < lives + timedelta(minutes=5)
    state = "open" if age < lives else "closing" if ending or chance.random() < _STUCK / 10 else "closed"
    slug, ended = slug_for(key), begun + lives + timedelta(seconds=20)
    spent, count, busy = _turns(month, key, begun, prompted, state == "open" and age < timedelta(minutes=6))
    events = max(8, round(events_each * chance.uniform(0.5, 1.5)))
    month.talked.append((key, begun, events))
    active = min(month.now, begun + timedelta(minutes=10 * (count + 1)))
    month.add(
        "sessions_app_session",
        key, slug, state, f"{chance.getrandbits(128):064x}", 1, "A guestbook for our mountain hut" if prompted else "",
        events, count, f"{spent:.6f}", begun, begun + timedelta(seconds=20) if prompted else None, active,
        begun + lives, ended if state == "closed" else None,
    )  # fmt: skip
    asleep = state == "open" and not busy and active < month.now - timedelta(minutes=20)
    for provider, kind in _STEPS:
        _resource(month, key, slug, begun, ended, state, provider, kind, asleep=asleep)


def _turns(month: _Month, key: uuid.UUID, begun: datetime, prompted: bool, fresh: bool) -> tuple[float, int, bool]:
    """The session's turns with their versions and calls: what they cost, how many, and whether the last one runs."""
    chance, spent, count = month.chance, 0.0, 0
    if not prompted:
        return spent, count, False
    wanted = min(6, 1 + int(chance.expovariate(0.7)))
    for number in range(1, wanted + 1):
        at = begun + timedelta(minutes=10 * number - 9)
        if at > month.now:
            break
        count, running = number, fresh and number == 1
        turn, took = month.number("sessions_app_turn"), timedelta(seconds=chance.lognormvariate(4.5, 0.5))
        outcome = "running" if running else chance.choices(("done", "failed", "cancelled"), (94, 4, 2))[0]
        cost = 0.0
        for call in range(3):
            price = chance.lognormvariate(-3.2, 0.6)
            cost += price
            month.add(
                "gateway_modelcall",
                month.number("gateway_modelcall"), key, turn, "claude-sonnet-5-5", 200, True, 900, 700, 4000, 20_000,
                f"{price:.6f}", at + call * timedelta(seconds=9), 8000,
            )  # fmt: skip
        spent += cost
        month.add(
            "sessions_app_turn",
            turn, key, number, "Add a page that lists who came and when", outcome, False, "", "", 120,
            "" if running else "Done and checked.", f"{cost:.6f}", at, at, None if running else at + took,
        )  # fmt: skip
        if outcome == "done":
            sha = f"{chance.getrandbits(160):040x}"
            month.add(
                "sessions_app_version",
                month.number("sessions_app_version"), key, number, "turn", sha, sha, "Add a page", turn, at + took,
            )  # fmt: skip
    return spent, count, fresh and count == 1


def _resource(
    month: _Month, key: uuid.UUID, slug: str, begun: datetime, ended: datetime, session: str, provider: str, kind: str,
    *, asleep: bool,
) -> None:  # fmt: skip
    chance, number = month.chance, month.number("provisioning_resource")
    usual = _USUAL[kind]
    took = timedelta(seconds=chance.lognormvariate(math.log(usual), 0.35)) if usual else timedelta()
    failed = chance.random() < _FAILS.get(kind, 0.0)
    healed = failed and chance.random() < 0.7
    began = begun + timedelta(seconds=30 * healed)  # by a retry, where the first try failed
    settled = began + took
    reason = chance.choice(_REASONS) if failed else ""
    stuck = session == "closing"
    state = {"open": "failed" if failed and not healed else "ready", "closing": "stuck", "closed": "gone"}[session]
    if stuck and kind not in {"project", "api_key"}:
        state = "gone"
    error = {"reason": reason or "busy", "message": f"{provider} is busy and did not delete it. It is tried again."}
    gone_at = ended if state == "gone" else None
    failed_at = (begun + timedelta(seconds=2) if healed else settled) if failed else None
    meta: dict[str, Any] = {"paused": asleep, "preview": "https://5173-x.example"} if kind == "sandbox" else {}
    month.add(
        "provisioning_resource",
        number, key, provider, kind, f"mk0r-{slug}", state, 1, "" if failed and not healed else f"{kind}-{number}", "",
        meta, error if state in {"failed", "stuck"} else None, 6 if state == "stuck" else 0, begun, began,
        settled, month.now + timedelta(minutes=40) if state == "stuck" else None, gone_at, gone_at, "", "",
        failed_at, reason,
    )  # fmt: skip
    if kind in {"api_key", "project"} and (not failed or healed):
        open_still = state == "ready"
        month.add(
            "provisioning_credential",
            uuid.UUID(int=chance.getrandbits(128), version=4), number,
            "RESEND_API_KEY" if kind == "api_key" else "DATABASE_URL", "t1:sealed" if open_still else "",
            f"{number:064x}" if open_still else "", settled, ended, None if open_still else ended,
        )  # fmt: skip


def _around(month: _Month, sessions: int) -> None:
    """What goes on beside the sessions: sweeps, strays, alerts and what staff did, as much as fits their number."""
    chance, share = month.chance, sessions / SESSIONS
    figures = {"listed": 60, "owned": 60, "unknown": 0, "deleted": 0}
    report = dict.fromkeys(("github", "resend", "e2b", "neon"), figures)
    for number in range(max(2, round(DAYS * 288 * share)), 0, -1):
        at = month.now - timedelta(minutes=5 * number)
        month.add(
            "provisioning_sweeprun",
            month.number("provisioning_sweeprun"), at, at + timedelta(seconds=3), False, False, "done", "", report, {},
            "",
        )  # fmt: skip
    for number in range(max(2, round(400 * share))):
        pk, at = month.number("provisioning_stray"), month.now - timedelta(days=DAYS * chance.random())
        month.add(
            "provisioning_stray",
            pk, "neon", "project", f"stray-{pk}", f"mk0r-stray{pk}", {}, at, at, 1, "",
            None if number < 2 else at + timedelta(minutes=10),
        )  # fmt: skip
    for number in range(max(2, round(600 * share))):
        pk, at = month.number("provisioning_alert"), month.now - timedelta(days=DAYS * chance.random())
        month.add(
            "provisioning_alert",
            pk, "resource_stuck", f"neon/project/{pk}", "cannot be deleted", at,
            None if number < 2 else at + timedelta(hours=1),
        )  # fmt: skip
    for _ in range(max(2, round(5000 * share))):
        pk, at = month.number("staff_entry"), month.now - timedelta(days=DAYS * chance.random())
        month.add("staff_entry", pk, at, "sam", "192.0.2.7", "teardown", "a session", "", "spam", {})


def _events(month: _Month) -> Iterator[str]:
    """The logs, the oldest session first, as they came to be written."""
    body = json.dumps({"turn": 1, "text": "I will add a page that lists the guests."})
    legs = [
        json.dumps({"provider": provider, "kind": kind, "name": "mk0r-x", "state": state, "elapsed_ms": 400})
        for provider, kind in _STEPS
        for state in ("creating", "ready")
    ]
    for key, begun, count in sorted(month.talked, key=lambda one: one[1]):
        yield f"{key}\t1\tsession.opened\t{{}}\t{begun}"
        for seq in range(2, count + 1):
            at = begun + timedelta(seconds=3 * seq)
            if seq <= len(legs):
                yield f"{key}\t{seq}\tresource.changed\t{legs[seq - 2]}\t{at}"
            else:
                yield f"{key}\t{seq}\t{_LOG[seq % 5]}\t{body}\t{at}"


def queries_of(ask: Callable[[], Any]) -> list[str]:
    """The SQL that answering takes."""
    from tests.staff.rows import counting

    with counting() as asked:
        ask()
    return asked


def read_whole(sql: str) -> set[str]:
    """Tables that a query reads from one end to the other, as Postgres plans it; empty for what is no query."""
    if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
        return set()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"), [])
        plan = cursor.fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    found, left = set(), [plan[0]["Plan"]]
    while left:
        node = left.pop()
        if node["Node Type"] == "Seq Scan":
            found.add(node["Relation Name"])
        left += node.get("Plans", [])
    return found
