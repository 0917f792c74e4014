"""F24: a vendor that refuses our key is asked three times, then by one probe now and then, and comes back by itself.

Sessions begin one after the other; a door in front of localcloud records every call. The other vendors go on as ever.
A crowd that is already calling when the first refusal comes cannot be called back, so it is counted and not judged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.fixtures.ground import Ground, begin, ground
from tests.fixtures.recorder import Recorder, record

TITLE = "401 from a vendor: three calls, one alert, the others untouched, and back by itself when the key is"
SMALL, FULL = 5, 20  # sessions per vendor
VENDORS = {"github": "/github", "resend": "/resend", "neon": "/neon"}


def run(size: int, scratch: Path) -> dict[str, object]:
    """`size` sessions under refusal for each of three vendors, and as many probes as it takes to come back."""
    with ground(scratch, E2B_API_KEY="") as here, record(here.cloud.base_url) as recorder:
        from django.conf import settings

        from provisioning import standing

        if size <= SMALL:
            standing.PROBE_SECONDS = 2
        settings.GITHUB_API_URL = f"{recorder.base_url}/github"
        settings.RESEND_API_URL = f"{recorder.base_url}/resend"
        settings.NEON_API_URL = f"{recorder.base_url}/neon/api/v2"
        return {vendor: asyncio.run(_refuse(here, recorder, vendor, size)) for vendor in VENDORS}


class _Alerts(logging.Handler):
    """When each alert was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("alert.key_refused"):
            self.given.append(time.monotonic())


async def _refuse(here: Ground, recorder: Recorder, vendor: str, size: int) -> dict[str, object]:
    from provisioning import http, standing

    alerts = _Alerts()
    logging.getLogger("provisioning.alerts").addHandler(alerts)
    here.cloud.set_faults([{"vendor": vendor, "operation": "*", "fault": "status:401", "probability": 1}])
    for _ in range(size):
        states = await _provision()
        failed = states.pop(vendor)
        assert failed == "failed", failed
        assert set(states.values()) == {"ready"}, states
    refused = _refused(recorder, vendor)
    assert len(alerts.given) == 1, "one alert"
    opening = [at for at in refused if at <= alerts.given[0]]
    assert len(opening) <= standing.OPENS_AFTER, f"{len(opening)} calls were refused before the breaker opened"
    # On a slow machine probes come due meanwhile; each leaves twice the time to the next.
    _few_and_far([alerts.given[0], *refused[len(opening) :]], standing.PROBE_SECONDS)
    here.cloud.clear_faults()
    began, failed = time.monotonic(), 0
    async with asyncio.timeout(120):
        while (await _provision())[vendor] != "ready":
            failed += 1
            await asyncio.sleep(0.2)
    assert (await _provision())[vendor] == "ready", "it came back and went again"
    assert _refused(recorder, vendor) == refused, "somebody was refused after the key was right"
    logging.getLogger("provisioning.alerts").removeHandler(alerts)
    await http.close_clients()
    back = round(time.monotonic() - began, 1)
    return {"opened_after": len(opening), "probes": len(refused) - len(opening), "back_s": back, "failed": failed}


def _refused(recorder: Recorder, vendor: str) -> list[float]:
    """When each call that was refused arrived."""
    return sorted(one.at for one in recorder.seen if one.path.startswith(VENDORS[vendor]) and one.status == 401)


def _few_and_far(moments: list[float], apart: float) -> None:
    for number, (one, other) in enumerate(pairwise(moments)):
        assert other - one > apart * 2**number * 0.8, f"probe {number + 1} came after {other - one:.1f} s"


async def _provision() -> dict[str, Any]:
    """One session, taken as far as it goes: the state of each vendor that has a key."""
    from channels.db import database_sync_to_async

    from provisioning import services

    session = await database_sync_to_async(begin)()
    await services.converge(session.pk)
    state = await database_sync_to_async(services.resources_state)(session)
    return {chip["provider"]: chip["state"] for chip in state if chip["provider"] != "e2b"}
