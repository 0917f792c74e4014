"""The console's pages over a month of a busy installation: 50,000 sessions, 300,000 resources, 2,000,000 events.

Runs a Postgres of its own and answers in this process, as a worker thread of the web process does. Prints the 95th
percentile of each page, and what multiple that is of the plainest page of the console in the same run. Fails when a
page takes longer than 300 ms.
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


def p95(client: Any, address: str, runs: int) -> float:
    """Seconds; the first answer, unmeasured, warms what a process does once."""
    took = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        answer = client.get(address, headers={"host": "localhost"})
        took.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
    return statistics.quantiles(took[1:], n=20)[-1]


def main() -> int:
    """Run it; 1 when a page is too slow."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, default=50_000)
    options.add_argument("--runs", type=int, default=40)
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch, tables(Path(scratch)):
        from django.contrib.auth.models import User
        from django.test import Client

        from tests.staff import scale

        began = time.perf_counter()
        scale.load(told.sessions)
        print(f"loaded {told.sessions:,} sessions in {time.perf_counter() - began:.0f} s")
        client = Client()
        client.force_login(User.objects.create_superuser("sam"))
        plain = p95(client, PLAIN, told.runs)
        print(f"{plain * 1000:7.1f} ms  1.0  {PLAIN}")
        found = {address: p95(client, address, told.runs) for address in scale.ADDRESSES}
        for address, took in found.items():
            print(f"{took * 1000:7.1f} ms {took / plain:4.1f}  {address}")
    return 0 if max(found.values()) <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
