"""No leg waits for another: the whole takes as long as its slowest leg, and little more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from provisioning import services
from provisioning.models import Resource


@pytest.mark.usefixtures("without_sandbox")
async def test_the_total_is_the_slowest_leg_by_the_rows_own_times(vendor_settings: Any, begin: Any, rows: Any) -> None:
    vendor_settings.set_faults(
        [
            {"vendor": "github", "operation": "create_repository", "fault": "latency", "seconds": 0.5},
            {"vendor": "resend", "operation": "create_audience", "fault": "latency", "seconds": 1.0},
            {"vendor": "neon", "operation": "create_project", "fault": "latency", "seconds": 2.5},
        ]
    )
    session = await begin()
    await services.converge(session.pk)
    legs: dict[str, list[Resource]] = {}
    for row in (await rows(session)).values():
        if row.provider in {"github", "resend", "neon"}:
            legs.setdefault(row.provider, []).append(row)
    took = {provider: its[-1].settled_at - its[0].started_at for provider, its in legs.items()}
    first = min(row.started_at for its in legs.values() for row in its)
    last = max(row.settled_at for its in legs.values() for row in its)
    # Side by side, not one after another; `bench/fanout.py` holds the strict figure of 100 ms, on a quiet machine.
    assert last - first < sum(took.values(), timedelta())
    assert took["github"] < took["neon"] - timedelta(seconds=0.5)
    assert took["resend"] < took["neon"] - timedelta(seconds=0.3)


async def test_a_planned_session_is_announced_leg_by_leg_before_any_call(begin: Any, heard: Any, settings: Any) -> None:
    settings.POSTHOG_PROJECT_KEY = "phc_0"
    session = await begin()
    assert heard.states(session, "posthog") == ["ready"]
    assert all(heard.states(session, provider) == ["planned"] for provider in ("github", "resend", "e2b", "neon"))
