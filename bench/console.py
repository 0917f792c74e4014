"""The console's pages over a month of a busy installation: 50,000 sessions, 300,000 resources, 2,000,000 events.

Runs a Postgres of its own and answers in this process, as a thread of the web process does. Prints for each page the
95th percentile of the wait, what multiple that is of the plainest page of the console in the same run, and the
processor time of one answer. Fails when a page takes longer than 300 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from embedded.postgres import Cluster
from tests.fixtures.ground import QUICK_POSTGRES, SECRETS

MOST = 0.300  # seconds
PLAIN = "/admin/password_change/"


@contextlib.contextmanager
def tables(scratch: Path) -> Iterator[None]:
    """Django set up on a Postgres of our own with the product's tables; no vendor is asked, so none is there."""
    cluster = Cluster(scratch / "postgres", 0, QUICK_POSTGRES)
    cluster.start()
    try:
        where = {"DATABASE_URL": cluster.dsn(), "MK0R_VAR": str(scratch)}
        os.environ |= SECRETS | where | {"DJANGO_SETTINGS_MODULE": "mk0r.settings"}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield
    finally:
        from django.db import connection

        connection.close()
        connection.close_pool()
        cluster.stop()


def worked() -> float:
    """Seconds of processor time so far, of this process and of the database's for it: what the wait is on an idle
    machine, whatever else this one does. Where /proc does not tell of the database, this process's alone.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type IN ('client backend', 'parallel worker')")
        told = [Path(f"/proc/{pid}/schedstat") for (pid,) in cursor.fetchall()]
    return time.process_time() + sum(int(one.read_text().split()[0]) for one in told if one.exists()) / 1e9


def measured(client: Any, address: str, runs: int) -> tuple[float, float]:
    """Seconds an answer takes at the 95th percentile, and the median of what was worked for it.

    The first answer, unmeasured, warms what a process does once.
    """
    took, work = [], []
    for _ in range(runs + 1):
        before, began = worked(), time.perf_counter()
        answer = client.get(address, headers={"host": "localhost"})
        took.append(time.perf_counter() - began)
        work.append(worked() - before)
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
    return statistics.quantiles(took[1:], n=20)[-1], statistics.median(work[1:])


def main() -> int:
    """Run it; 1 when a page is too slow."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, default=50_000)
    options.add_argument("--runs", type=int, default=40)
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch, tables(Path(scratch)):
        from django.contrib.auth.models import User
        from django.db import connection
        from django.test import Client

        from tests.staff import scale

        began = time.perf_counter()
        scale.load(told.sessions)
        print(f"loaded {told.sessions:,} sessions in {time.perf_counter() - began:.0f} s")
        with connection.cursor() as cursor:  # what a helper of a query works is gone from /proc with it
            cursor.execute("ALTER ROLE CURRENT_USER SET max_parallel_workers_per_gather = 0")
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        client = Client()
        client.force_login(User.objects.create_superuser("sam"))
        found = {address: measured(client, address, told.runs) for address in (PLAIN, *scale.ADDRESSES)}
        plain, _ = found[PLAIN]
        print("      p95   times     work")
        for address, (took, work) in found.items():
            print(f"{took * 1000:6.0f} ms {took / plain:7.1f} {work * 1000:5.0f} ms  {address}")
    return 0 if max(took for took, _ in found.values()) <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
