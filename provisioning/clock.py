"""The clock that leases and intents are judged by: the database's, which all processes share.

A process's own clock may run ahead, be set back, or be an hour wrong for a while. Judged by it, a credential would be
refused early or kept too long, and what a lost reply left behind would seem older than the wish for it and be taken for
a stranger's. Durations within a process are measured by `time.monotonic`, which is never set.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import connection

_FRESH = 10.0  # seconds until the database is asked again

_read: tuple[float, datetime] | None = None  # when, by this process's monotonic clock, and what the database said


def now() -> datetime:
    """The database's time, at most a moment off; synchronous database code, though it seldom asks."""
    global _read
    read = _read
    if read is None or time.monotonic() - read[0] > _FRESH:
        with connection.cursor() as cursor:
            cursor.execute("select clock_timestamp()")
            row = cursor.fetchone()
        assert row is not None  # noqa: S101 (a select without a table has one row)
        _read = read = time.monotonic(), row[0]
    return read[1] + timedelta(seconds=time.monotonic() - read[0])
