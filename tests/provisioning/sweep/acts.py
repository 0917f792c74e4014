"""Sweeping at a time of one's choice, and what goes on at the vendors behind the ledger's back."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from channels.db import database_sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from provisioning import ledger, sweep
from provisioning.models import Credential, Resource
from provisioning.providers.base import Order, Step
from provisioning.providers.registry import step_for
from provisioning.sweep_models import Ghost, SweepRun
from sessions_app.models import Event, Session
from sessions_app.slugs import slug_for
from tests.fixtures.cloud import CloudUnderTest

AUDIENCE, KEY, PROJECT = ("resend", "audience"), ("resend", "api_key"), ("neon", "project")
LATER, LATEST = timedelta(minutes=11), timedelta(minutes=14)
DAY = timedelta(days=1)


def watched(since: datetime, until: datetime) -> None:
    """Runs of the sweep, every five minutes."""
    while since < until:
        SweepRun.objects.create(started_at=since, ended_at=since, state="done")
        since += timedelta(minutes=5)


async def at(moment: datetime, *, dry: bool = False) -> dict[str, Any]:
    """Sweep as if it were `moment`; the figures of all vendors added up, and the run."""
    run = await sweep.run(now=moment, dry=dry)
    figures: dict[str, Any] = {"run": run, "state": run.state}
    for report in run.report.values():
        for name in (
            "listed",
            "owned",
            "unknown",
            "foreign",
            "ghosts",
            "deleted",
            "held",
            "waiting",
            "due",
            "repaired",
        ):
            figures[name] = figures.get(name, 0) + report[name]
    return figures


async def twice(*, after: timedelta = LATER) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two passes that count as two, late enough for everything there is."""
    now = timezone.now()
    return await at(now + after), await at(now + after + timedelta(minutes=3))


async def extra(row: Resource, **changes: Any) -> str:
    """Make a second thing under a row's name, as a create does that succeeds when nobody waits for it; its id."""
    order = await database_sync_to_async(lambda: ledger.order_for(ledger.row(row.pk)))()
    fields = {name: getattr(order, name) for name in ("slug", "name", "attempt", "intended_at", "expires_at")}
    return (await step_for(row.provider, row.kind).create(Order(**fields | changes))).external_id


async def made_without_a_row(step: Step, slug: str = "") -> str:
    """Make a thing under a name of this installation that no row was ever written for; its id."""
    slug = slug or slug_for(uuid.uuid4())
    now = timezone.now()
    return (await step.create(Order(slug, f"mk0r-{slug}", 1, now, now + DAY))).external_id


def alive(cloud: CloudUnderTest, *ids: str) -> set[str]:
    """Which of these still live at their vendor."""
    return {one["id"] for one in cloud.live()} & set(ids)


def mine(cloud: CloudUnderTest, session: Session) -> set[str]:
    return {one["id"] for one in cloud.live() if session.slug in one["name"]}


@database_sync_to_async
def changed(row: Resource, **fields: Any) -> None:
    Resource.objects.filter(pk=row.pk).update(**fields)


@database_sync_to_async
def forget(*sessions: Session) -> None:
    """Take every word about these sessions out of the ledger, as an older backup would not have them."""
    pks = [session.pk for session in sessions]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # as a restore does: no trigger keeps a row
        Credential.objects.filter(resource__session__in=pks).delete()
        Ghost.objects.filter(resource__session__in=pks).delete()
        Resource.objects.filter(session__in=pks).delete()
        Event.objects.filter(session__in=pks).delete()
        Session.objects.filter(pk__in=pks).delete()
