"""One of everything that staff look at or have something done to, as rows; and how each power is asked for on it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils import timezone

from provisioning.models import Credential, Ghost, Resource, Stray, SweepRun
from provisioning.secrets import Secret
from provisioning.sweep_report import Report
from sessions_app import events
from sessions_app.models import Session, Turn, Version
from sessions_app.slugs import slug_for
from staff.models import Entry, Errand, Undertaking

VALUE = "npg_canaryCANARY0123456789"
_FAILED = {"reason": "quota", "message": "Resend has no room for another audience.", "retryable": True, "next": ""}
_STUCK = {"reason": "busy", "message": "Neon is busy and did not delete it (423). It is tried again."}


@dataclass(frozen=True)
class Everything:
    """The rows, and the pages that show them by name."""

    open: Session
    ending: Session
    credential: Credential
    undertaking: Undertaking
    orders: dict[str, dict[str, str]] = field(default_factory=dict)  # by power: the fields of a form that uses it

    @property
    def pages(self) -> dict[str, str]:
        """Every page of the console on which something of it stands, but for those that some may not open."""
        lists = {
            "sessions": "sessions_app_session", "events": "sessions_app_event", "turns": "sessions_app_turn",
            "versions": "sessions_app_version", "resources": "provisioning_resource",
            "credentials": "provisioning_credential", "sweeps": "provisioning_sweeprun",
            "strays": "provisioning_stray", "ghosts": "provisioning_ghost", "alerts": "provisioning_alert",
            "calls": "gateway_modelcall", "audit": "staff_entry", "orders": "staff_undertaking",
        }  # fmt: skip
        return {
            "dashboard": reverse("admin:index"),
            **{name: reverse(f"admin:{model}_changelist") for name, model in lists.items()},
            "session": reverse("admin:session", args=[self.open.slug]),
            "ending": reverse("admin:session", args=[self.ending.slug]),
            "repositories": reverse("admin:repositories"),
            "repository": reverse("admin:repository", args=[self.open.slug]),
            "orphans": reverse("admin:orphans"),
            "vendors": reverse("admin:vendors"),
            "undertaking": reverse("admin:undertaking", args=[self.undertaking.pk]),
            "row": reverse("admin:provisioning_credential_change", args=[self.credential.pk]),
        }

    @property
    def reveal(self) -> str:
        """The page that shows a value to those who may."""
        return reverse("admin:reveal", args=[self.credential.pk])


def everything() -> Everything:
    """Write it all."""
    opened, ending, lost = _session("A guest book"), _session("A poll", state="closing"), _session("A choir")
    rows = _legs(opened)
    rows["audience"].state, rows["audience"].error = "failed", _FAILED
    rows["audience"].external_id = ""
    rows["audience"].save()
    held = Credential(resource=rows["project"], name="NEON_ROLE_PASSWORD", expires_at=opened.expires_at)
    held.seal(Secret(VALUE))
    held.save()
    turn = Turn.objects.create(session=opened, number=1, prompt="a guest book", state="queued")
    Version.objects.create(session=opened, number=1, sha="a" * 40, tree="b" * 40, message="a guest book")
    events.append(opened.pk, "notice", {"level": "info", "text": "Hello."})
    stuck = _legs(ending)["project"]
    later = timezone.now() + timedelta(minutes=41)
    Resource.objects.filter(pk=stuck.pk).update(state="stuck", error=_STUCK, delete_attempts=6, next_at=later)
    lost_row = _legs(lost)["project"]
    Resource.objects.filter(pk=lost_row.pk).update(
        state="failed", error={"reason": "lost", "message": "It is lost."}, external_id=""
    )
    found = _swept(lost, rows["repository"])
    made = Undertaking.objects.create(power="teardown", by_name="sam", where="shell", reason="spam")
    Errand.objects.create(undertaking=made, number=1, key="1", label=ending.slug, state="working", words="1 left")
    Entry.objects.create(who="sam", where="shell", action="teardown", subject=ending.slug, session=ending.slug)
    orders: dict[str, dict[str, Any]] = {
        "teardown": {"key": opened.pk},
        "extend": {"key": opened.pk, "option.hours": "1"},
        "end_turn": {"key": turn.pk},
        "retry": {"key": rows["audience"].pk},
        "delete_now": {"key": stuck.pk},
        "forget": {"key": stuck.pk},
        "revoke": {"key": held.pk},
        "rotate": {"key": held.pk},
        "archive": {"key": rows["repository"].pk, "option.archived": "yes"},
        "transfer": {"key": rows["repository"].pk, "option.new_owner": "choir"},
        "sweep": {"key": "all", "option.dry": "true"},
        "pause_vendor": {"key": "neon", "option.stopped": "true"},
        **found,
    }
    told = {power: {name: str(value) for name, value in fields.items()} for power, fields in orders.items()}
    return Everything(opened, ending, held, made, told)


def _session(title: str, **fields: Any) -> Session:
    key = uuid.uuid4()
    return Session.objects.create(id=key, slug=slug_for(key), title=title, **fields)


def _legs(session: Session) -> dict[str, Resource]:
    """Its rows by kind, each as live as its vendor would have it."""
    now = timezone.now()
    legs = (("posthog", "group"), ("github", "repository"), ("resend", "audience"), ("e2b", "sandbox"),
            ("neon", "project"))  # fmt: skip
    return {
        kind: Resource.objects.create(
            session=session, provider=provider, kind=kind, name=f"mk0r-{session.slug}", state="ready", attempt=1,
            external_id=f"{kind}-{session.slug}", started_at=now, settled_at=now + timedelta(seconds=1),
        )
        for provider, kind in legs
    }  # fmt: skip


def _swept(lost: Session, missed: Resource) -> dict[str, dict[str, Any]]:
    """What a sweep has found, and how its powers are asked for."""
    now = timezone.now()
    seen = {"made_at": now - timedelta(hours=1), "first_seen": now, "last_seen": now, "sightings": 3}

    def stray(slug: str, **fields: Any) -> Stray:
        return Stray.objects.create(
            provider="neon", kind="project", external_id=f"bird-{uuid.uuid4().hex[:8]}", name=f"mk0r-{slug}",
            **seen, **fields,
        )  # fmt: skip

    adoptable = stray(lost.slug, why="its row has nothing else and may take it up")
    provable = stray(slug_for(uuid.uuid4()), provable=True, why="its row owns another or has ended")
    asked = stray(slug_for(uuid.uuid4()), why="this ledger never meant to make it")
    stray(slug_for(uuid.uuid4()), dismissed_at=now, dismissed_by="eve", dismissed_reason="The other office has a copy.")
    ghost = Ghost.objects.create(resource=missed, external_id=missed.external_id, first_seen=now, last_seen=now)
    report = Report(listed=40, owned=31, unknown=4, foreign=2, ghosts=1, foreign_names=["mk0r-theirs", "mk0r-old"])
    run = SweepRun.objects.create(
        ended_at=now, state="asking", reason="neon: this ledger never meant to make it",
        report={"neon": report.stored()}, asked={"strays": [asked.pk], "ghosts": []},
    )  # fmt: skip
    return {
        "adopt": {"key": adoptable.pk}, "delete_stray": {"key": provable.pk}, "dismiss": {"key": asked.pk},
        "repair": {"key": ghost.pk}, "approve": {"key": run.pk},
    }  # fmt: skip


def all_rows() -> dict[str, list[str]]:
    """Every table with each of its rows as text: what nothing has changed is the same as before."""
    with connection.cursor() as cursor:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        found = {}
        for table in sorted(tables):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found[table] = sorted(str(row[0]) for row in cursor.fetchall())
    return found
