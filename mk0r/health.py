"""Whether mk0r and what it depends on are there.

The database, the channel layer and the worker are needed for anything to work: without one of them the answer is 503.
A vendor that cannot be reached makes one leg of new sessions fail and is told, but the service is up. Vendors are
looked at by opening a connection, at most every thirty seconds, however often somebody asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now
from django.http import HttpRequest
from ninja import Router, Schema, Status
from procrastinate.contrib.django.models import ProcrastinateWorker

from provisioning.models import Alert, Resource
from provisioning.unsettled import on_their_way

router = Router(tags=["health"])

_PATIENCE = 2.0  # seconds for each check
_VENDOR_CACHE = 30.0
_WORKER_SILENCE = timedelta(seconds=45)
_VENDORS = {
    "neon": "NEON_API_URL",
    "resend": "RESEND_API_URL",
    "github": "GITHUB_API_URL",
    "posthog": "POSTHOG_HOST",
    "e2b": "E2B_API_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
}
_seen: dict[str, tuple[float, dict[str, Any]]] = {}  # address -> when looked at, what was found


class HealthOut(Schema):
    """`ok`, `degraded` (a vendor is out of reach) or `down`, each dependency, and how the ledger stands."""

    status: str
    checks: dict[str, dict[str, Any]]
    vendors: dict[str, dict[str, Any]]
    ledger: dict[str, int]


@router.get("", response={200: HealthOut, 503: HealthOut}, auth=None, summary="Health of each dependency")
async def health(request: HttpRequest) -> Status[dict[str, Any]]:  # noqa: ARG001
    """200 while sessions can be served, 503 otherwise, with the state of each dependency."""
    names = ["database", "channel_layer", "worker", "ledger", *_VENDORS]
    vendors = [_vendor(str(getattr(settings, name))) for name in _VENDORS.values()]
    ours = [_timed(_database()), _timed(_channel_layer()), _timed(_worker())]
    found = await asyncio.gather(*ours, _ledger(), *vendors)
    results = dict(zip(names, found, strict=True))
    checks = {name: results[name] for name in names[:3]}
    seen = {name: results[name] for name in _VENDORS}
    down = not all(check["ok"] for check in checks.values())
    degraded = not all(vendor["ok"] for vendor in seen.values())
    status = "down" if down else "degraded" if degraded else "ok"
    body = {"status": status, "checks": checks, "vendors": seen, "ledger": results["ledger"]}
    return Status(503 if down else 200, body)


async def _timed(check: Awaitable[None]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE):
            await check
    except Exception as error:  # noqa: BLE001 (whatever breaks a dependency is the answer here)
        # The type alone: a driver's message may hold an address with a password.
        return {"ok": False, "error": str(error) if isinstance(error, _SilentError) else type(error).__name__}
    return {"ok": True, "ms": round((time.perf_counter() - began) * 1000, 1)}


async def _database() -> None:
    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await database_sync_to_async(ask)()


async def _channel_layer() -> None:
    layer = get_channel_layer()
    if layer is None:
        raise _SilentError("none configured")
    channel = await layer.new_channel("health")
    await layer.send(channel, {"type": "health"})
    await layer.receive(channel)


class _SilentError(Exception):
    """A dependency that does not answer; its text is fit to be shown."""


async def _worker() -> None:
    def alive() -> bool:
        return ProcrastinateWorker.objects.filter(last_heartbeat__gt=Now() - _WORKER_SILENCE).exists()

    if not await database_sync_to_async(alive)():
        raise _SilentError(f"no heartbeat for {_WORKER_SILENCE.seconds} s")


async def _ledger() -> dict[str, Any]:
    """What a monitor watches: resources on their way, those whose deletion is not proved, alerts nobody has closed."""

    def count() -> dict[str, Any]:
        states = Resource.objects.filter(state__in=[Resource.State.DELETING, Resource.State.STUCK]).values("state")
        counted = {row["state"]: row["many"] for row in states.annotate(many=Count("pk"))}
        return {
            "unsettled": on_their_way().count() + counted.get(Resource.State.DELETING, 0),
            "stuck": counted.get(Resource.State.STUCK, 0),
            "alerts": Alert.objects.filter(cleared_at=None).count(),
        }

    try:
        async with asyncio.timeout(_PATIENCE):
            return dict(await database_sync_to_async(count)())
    except Exception:  # noqa: BLE001 (the check of the database says what is wrong)
        return {}


async def _vendor(address: str) -> dict[str, Any]:
    at, known = _seen.get(address, (0.0, {}))
    if known and time.monotonic() - at < _VENDOR_CACHE:
        return known
    found = await _timed(_reach(address))
    _seen[address] = (time.monotonic(), found)
    return found


async def _reach(address: str) -> None:
    parts = urlsplit(address)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    writer.close()
