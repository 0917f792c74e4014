"""Doing a thing one at a time across all processes, where no single row stands for it."""

from __future__ import annotations

import hashlib

from django.db import connection


def serialise(what: str) -> None:
    """Let only one transaction at a time do `what`; the others wait and then see what it did."""
    key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
