"""Rows without any vendor: a session as it begins, and very many, written by the database itself, so that its planner
takes an index where there is one; and what a page asks of the database.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from provisioning import services as provisioning
from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app.models import Session
from sessions_app.slugs import slug_for

_SESSIONS = """
INSERT INTO sessions_app_session (id, slug, state, visitor_hash, key_generation, title, last_seq, head, spent_usd,
                                  created_at, prompted_at, last_active_at, expires_at, ended_at)
SELECT gen_random_uuid(), lpad(to_hex(n), 12, 'z'), CASE WHEN n %% 50 = 0 THEN 'open' ELSE 'closed' END,
       '', 1, 'A guest book number ' || n, %(each)s, 0, 0, now() - n * interval '1 minute',
       CASE WHEN n %% 3 = 0 THEN NULL ELSE now() END, now(), now() + interval '1 day', NULL
FROM generate_series(1, %(sessions)s) AS n
"""
_RESOURCES = """
INSERT INTO provisioning_resource (session_id, provider, kind, name, state, attempt, external_id, url, meta, error,
                                   delete_attempts, created_at, started_at, settled_at, verified_at,
                                   forgotten_reason, forgotten_by{more})
SELECT s.id, leg.provider, leg.kind, 'mk0r-' || s.slug, CASE WHEN s.state = 'open' THEN 'ready' ELSE 'gone' END, 1,
       leg.kind || '-' || s.slug, '', '{{}}', NULL, 0, s.created_at, s.created_at, s.created_at + interval '1 second',
       s.created_at, '', ''{values}
FROM sessions_app_session s, (VALUES ('posthog', 'group'), ('github', 'repository'), ('resend', 'audience'),
     ('resend', 'api_key'), ('e2b', 'sandbox'), ('neon', 'project')) AS leg (provider, kind)
WHERE s.slug LIKE 'zz%%' ORDER BY s.created_at
"""
_EVENTS = """
INSERT INTO sessions_app_event (session_id, seq, type, data, at)
SELECT s.id, n, CASE WHEN n = 1 THEN 'session.opened' ELSE 'agent.text' END, '{"turn": 1, "text": "Hello"}',
       s.created_at + n * interval '1 second'
FROM sessions_app_session s, generate_series(1, %(each)s) AS n
WHERE s.slug LIKE 'zz%%' ORDER BY s.created_at
"""
_TURNS = """
INSERT INTO sessions_app_turn (session_id, number, prompt, state, cancel_requested, sandbox_id, base_tree, log_lines,
                               summary, cost_usd, created_at, started_at, finished_at)
SELECT s.id, n, 'a guest book', 'done', false, '', '', 0, 'Made it.', 0.25, s.created_at, s.created_at, s.created_at
FROM sessions_app_session s, generate_series(1, 2) AS n
WHERE s.slug LIKE 'zz%%' ORDER BY s.created_at
"""
_TABLES = ("sessions_app_session", "provisioning_resource", "sessions_app_event", "sessions_app_turn")


def new_session(**fields: Any) -> Session:
    """A session with its legs planned."""
    key = uuid.uuid4()
    session = Session.objects.create(id=key, slug=slug_for(key), **fields)
    provisioning.plan(session)
    return session


def sealed(session: Session, value: str = "canary-canary-canary", name: str = "NEON_ROLE_PASSWORD") -> Credential:
    """A credential of its database."""
    row = Resource.objects.get(session=session, provider="neon")
    made = Credential(resource=row, name=name, expires_at=timezone.now() + timedelta(hours=1))
    made.seal(Secret(value))
    made.save()
    return made


def queries(client: Client, page: str) -> list[str]:
    """What a page asks of the database."""
    with counting() as asked:
        assert client.get(page).status_code == 200
    return asked


@contextmanager
def counting() -> Iterator[list[str]]:
    """What is asked of the database in the block, once it is over; the clock, which asks now and then, is left out."""
    asked: list[str] = []
    with CaptureQueriesContext(connection) as caught:
        yield asked
    asked += [one["sql"] for one in caught.captured_queries if "clock_timestamp" not in one["sql"]]


def read_whole(sql: str) -> set[str]:
    """Tables that the database would read from end to end to answer this."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql)
        answer = cursor.fetchone()[0]
    found: set[str] = set()
    plans = [(json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]]
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        if plan["Node Type"] == "Seq Scan":
            found.add(plan["Relation Name"])
    return found


def plenty(sessions: int, events_each: int) -> None:
    """So many sessions, with six resources, two turns and so many events each."""
    numbers = {"sessions": sessions, "each": events_each}
    with connection.cursor() as cursor:
        cursor.execute(_SESSIONS, numbers)
        cursor.execute(_RESOURCES.format(**_unknown_columns()), numbers)
        cursor.execute(_EVENTS, numbers)
        cursor.execute(_TURNS, numbers)
        for table in _TABLES:
            cursor.execute(f"ANALYZE {table}")


def _unknown_columns() -> dict[str, str]:
    """Columns of the ledger that may not be empty and are not named above: all are short texts."""
    fields = [one for one in Resource._meta.fields if one.get_internal_type() == "CharField" and not one.null]
    more = [one.column for one in fields if one.column not in _RESOURCES]
    return {"more": "".join(f", {column}" for column in more), "values": ", ''" * len(more)}
