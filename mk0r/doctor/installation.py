"""What is ours: the database, and on one machine how its sandboxes are kept apart."""

from __future__ import annotations

import json

import psycopg
from django.conf import settings
from django.db import connection

from mk0r.doctor.looking import printable
from mk0r.doctor.report import Part
from mk0r.vendors import VENDORS, configured, is_local, isolation_refusal, isolation_words


def database(seconds: float) -> Part:
    """Whether the database answers, by a connection of its own: the pool's may wait longer."""
    part = Part("database", "Database")
    wishes = connection.get_connection_params() | {"connect_timeout": max(2, round(seconds))}
    try:
        with psycopg.connect(**wishes) as own:
            row = own.execute("SHOW server_version").fetchone()
    except psycopg.Error as error:
        said = printable(str(error).strip() or type(error).__name__)
        part.wrong("reachable", said, "Check DATABASE_URL; `make run` starts a database.")
    else:
        part.well("reachable", f"PostgreSQL {row[0] if row else '?'}")
    return part


def sandboxes() -> list[Part]:
    """How the sandboxes of this machine are kept apart, as localcloud found out; nothing where they are E2B's."""
    if not any(vendor.name == "e2b" and is_local(vendor, settings) for vendor in VENDORS):
        return []
    try:
        cloud = json.loads((settings.MK0R_VAR / "cloud.json").read_text())
        mode = str(cloud["isolation"])
    except (OSError, ValueError, KeyError, TypeError):
        return []  # localcloud does not run, which its vendors' lines say, or is still finding out
    part = Part("sandboxes", "Sandboxes", "local")
    environment = {**configured(settings), "MK0R_ALLOW_UNISOLATED": "1" if settings.MK0R_ALLOW_UNISOLATED else ""}
    problem = isolation_refusal(environment, mode) or str(cloud.get("isolation_trouble", ""))
    if problem:
        part.wrong("isolation", isolation_words(mode), problem)
    else:
        part.well("isolation", isolation_words(mode))
    return [part]
