"""A web process of the product whose backend is played: legs settle as a test says, over real rows and events.

Run as `python stage.py <port>` with DATABASE_URL set. Everything but provisioning's facade is the product's own: pages,
WebSocket, REST, event log. `POST /_stage/<what>` with JSON prepares a scene and is no part of the product.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mk0r.settings")

KINDS = [
    ("posthog", "group"), ("github", "repository"), ("resend", "audience"), ("resend", "api_key"),
    ("e2b", "sandbox"), ("neon", "project"),
]  # fmt: skip
PASSWORD = "canary-password-0123456789"
NAMES = ["DATABASE_URL", "NEON_HOST", "NEON_ROLE_PASSWORD", "GITHUB_REPO", "VITE_POSTHOG_KEY"]
PROBLEM = {
    "reason": "rate_limited", "retryable": True,
    "message": "Resend refused a sending key: too many requests (429). The app works, but sends no mail.",
    "next": "Press Retry in a minute; the other services stay as they are.", "reference": "a1b2",
}  # fmt: skip
ORIGINS = {"posthog": "", "github": "https://github.invalid/mk0r", "neon": "", "resend": "", "e2b": ""}


class Played:
    """Provisioning's facade, played with real rows. `delays` are seconds by provider."""

    def __init__(self) -> None:
        self.delays: dict[str, float] = {}
        self.failing: set[str] = set()
        self.queued: dict[str, float] = {}  # seconds until the place comes of a leg that is left waiting for it
        self.preview = ""

    def move(self, row: Any, state: str, error: dict[str, Any] | None = None) -> None:
        from django.db import transaction
        from django.utils import timezone

        from provisioning import chips, ledger
        from provisioning.models import Resource

        now = timezone.now()
        with transaction.atomic():
            before = chips.visible(chips.fold(self._of(Resource, row)))
            row.state, row.error = state, error
            row.external_id = row.external_id or (row.name if state == "ready" else "")
            if state == "creating":
                row.started_at, row.settled_at, row.attempt = now, None, row.attempt + 1
            if state in {"ready", "failed"}:
                row.started_at, row.settled_at = row.started_at or now, now
            if state == "gone":
                row.deleted_at = row.verified_at = now
            row.save()
            ledger.announce(self._of(Resource, row), before)

    def queue(self, row: Any) -> None:
        from provisioning import ledger

        ledger.queue(row, self.queued[row.provider])

    def _of(self, model: Any, row: Any) -> list[Any]:
        return list(model.objects.filter(session_id=row.session_id, provider=row.provider).order_by("id"))

    def plan(self, session: Any) -> None:
        from provisioning import ledger
        from provisioning.models import Resource

        for provider, kind in KINDS:
            row = Resource.objects.create(session=session, provider=provider, kind=kind, name=f"mk0r-{session.slug}")
            if provider == "posthog":
                self.move(row, "ready")
            else:
                ledger.announce(self._of(Resource, row))

    async def converge(self, session_id: uuid.UUID) -> None:
        from channels.db import database_sync_to_async as db

        rows = await db(self._rows)(session_id)
        await asyncio.gather(*[self._leg([row for row in rows if row.provider == each]) for each in dict(KINDS)])
        await db(self._settle)(session_id)

    def _rows(self, session_id: uuid.UUID) -> list[Any]:
        from provisioning.models import Resource

        return list(Resource.objects.filter(session_id=session_id, state__in=["planned", "deleting"]).order_by("id"))

    async def _leg(self, rows: list[Any]) -> None:
        from channels.db import database_sync_to_async as db

        for row in rows:
            if row.state == "deleting":
                await db(self.move)(row, "gone")
                continue
            if row.provider in self.queued:
                await db(self.queue)(row)
                return
            await db(self.move)(row, "creating")
            await asyncio.sleep(self.delays.get(row.provider, 0.02) / len(rows))
            failed = row.provider in self.failing and row is rows[-1]
            await db(self.move)(row, "failed" if failed else "ready", PROBLEM if failed else None)

    def settle_now(self, session_id: uuid.UUID) -> None:
        """Bring every leg to rest without waiting."""
        for row in self._rows(session_id):
            self.move(row, "creating")
            failed = row.provider in self.failing and row.kind != "audience"
            self.move(row, "failed" if failed else "ready", PROBLEM if failed else None)
        self._settle(session_id)

    def _settle(self, session_id: uuid.UUID) -> None:
        from django.db import transaction

        from provisioning import signals
        from sessions_app import services
        from sessions_app.models import Session

        session = Session.objects.get(pk=session_id)
        if session.state == "closing":
            services.session_settle(session_id)
            return
        with transaction.atomic():
            signals.env_written.send(None, session_id=session_id, names=list(self.env_entries(session)))
        if self.preview:
            with transaction.atomic():
                signals.sandbox_changed.send(None, session_id=session_id, state="running")
                signals.preview_ready.send(None, session_id=session_id, url=self.preview)

    async def sandbox(self, session_id: uuid.UUID) -> None:
        """Asked to wake a sandbox, it sleeps on until the log is told otherwise."""

    def retry(self, session: Any, provider: str) -> bool:
        rows = list(session.resources.filter(provider=provider, state="failed"))
        for row in rows:
            self.move(row, "planned")
        return bool(rows)

    def request_teardown(self, session: Any) -> None:
        for row in session.resources.select_for_update().order_by("id"):
            self.move(row, "deleting")

    def env_entries(self, session: Any) -> dict[str, Any]:
        from provisioning.secrets import Secret

        names = NAMES + (
            [] if session.resources.filter(provider="resend", state="failed").exists() else ["RESEND_API_KEY"]
        )
        ready = session.resources.filter(provider="neon", state="ready").exists()
        return {name: Secret(PASSWORD) for name in names} if ready else {}

    def env_text(self, session: Any) -> str:
        return "".join(f'{name}="{PASSWORD}"\n' for name in self.env_entries(session))

    def preview_url(self, session: Any) -> str | None:
        from sessions_app.models import Event

        last = Event.objects.filter(session=session, type="preview.ready").order_by("-seq").first()
        return last.data["url"] if last else None


played = Played()


def scene_session(data: dict[str, Any]) -> dict[str, Any]:
    """A session of the visitor with this secret, every leg settled at once unless `bare`."""
    from django.core.signing import Signer

    from sessions_app import services, visitors

    visitor = visitors._visitor(data["secret"])
    session = services.session_begin(visitor)
    if not data.get("bare"):
        played.settle_now(session.pk)
    return {
        "slug": session.slug,
        "name": visitors.cookie_name(),
        "value": Signer(salt="mk0r.visitor").sign(data["secret"]),
    }


def scene_play(data: dict[str, Any]) -> dict[str, Any]:
    """Append to the log of a session: [type, data] pairs, with the rows that go with a turn or a version."""
    from django.utils import timezone

    from sessions_app import events, services
    from sessions_app.models import Session, Turn, Version

    session = Session.objects.get(slug=data["slug"])
    for kind, body in data["steps"]:
        if kind == "prompt":
            services.turn_submit(session, body)
            session.turns.filter(state="queued").update(state=Turn.State.RUNNING, started_at=timezone.now())
            continue
        if kind == "version.created":
            restores = body.pop("restores", None)
            Version.objects.create(
                session=session, number=body["number"], sha=body["sha"], tree=body["sha"], message=body["message"],
                turn=None if restores else session.turns.order_by("-number").first(), restores=restores,
                kind="restore" if restores else "turn",
            )  # fmt: skip
            Session.objects.filter(pk=session.pk).update(head=body["number"])
        if kind == "turn.finished":
            turn = session.turns.get(number=body["turn"])
            turn.state, turn.summary, turn.finished_at = body["state"], body["summary"], timezone.now()
            turn.save()
        events.append(session.pk, kind, body)
    session.refresh_from_db()
    return {"seq": session.last_seq}


def scene_legs(data: dict[str, Any]) -> dict[str, Any]:
    """How the legs of sessions to come behave."""
    played.delays, played.failing = data.get("delays", {}), set(data.get("failing", []))
    played.queued = data.get("queued", {})
    played.preview = data.get("preview", played.preview)
    return {}


def scene_rules(data: dict[str, Any]) -> dict[str, Any]:
    """How many sessions may be begun from one network, and turns taken in a day; any number, unless told."""
    from django.conf import settings

    from provisioning import rates

    settings.MK0R_SESSIONS_PER_NETWORK = rates.parse(data.get("per_network", ""))
    settings.MK0R_TURN_LIMIT = data.get("turns", 0)
    return {}


def scene_set(data: dict[str, Any]) -> dict[str, Any]:
    """Change fields of a session that no event carries."""
    from django.utils import timezone

    from sessions_app.models import Session

    session = Session.objects.get(slug=data["slug"])
    if "expires_in" in data:
        session.expires_at = timezone.now() + timedelta(seconds=data["expires_in"])
    if "title" in data:
        session.title = data["title"]
    session.save()
    return {}


def scene_end(data: dict[str, Any]) -> dict[str, Any]:
    """End a session and have its resources be as told, `{"<provider> <kind>": {field: value}}`; others are gone."""
    from django.utils import timezone

    from sessions_app import services
    from sessions_app.models import Session

    session = Session.objects.get(slug=data["slug"])
    services.session_end(session)
    for row in session.resources.order_by("id"):
        wanted = {"state": "gone", **data.get("lines", {}).get(f"{row.provider} {row.kind}", {})}
        if "next_in" in wanted:
            row.next_at = timezone.now() + timedelta(seconds=wanted.pop("next_in"))
        row.attempt = max(row.attempt, 1)
        for name, value in wanted.items():
            setattr(row, name, value)
        played.move(row, wanted["state"], wanted.get("error"))
    services.session_settle(session.pk)
    return {}


SCENES = {
    "session": scene_session,
    "play": scene_play,
    "legs": scene_legs,
    "rules": scene_rules,
    "set": scene_set,
    "end": scene_end,
}


def main(port: int) -> None:
    """Serve until SIGTERM."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    settings.ROOT_URLCONF = "stage_urls"
    django.setup()
    from provisioning import services as provisioning

    for name in (
        "plan",
        "converge",
        "sandbox",
        "retry",
        "request_teardown",
        "env_entries",
        "env_text",
        "preview_url",
    ):
        setattr(provisioning, name, getattr(played, name))
    provisioning.secret_values = lambda session: [PASSWORD]
    call_command("migrate", verbosity=0)

    from mk0r.serving import serve  # isort: skip (it installs the reactor)
    from mk0r.asgi import application  # isort: skip

    async def nothing() -> None:
        """There are no vendors to open or close."""

    serve(application, bind="127.0.0.1", port=port, opening=nothing, closing=nothing)


if __name__ == "__main__":
    sys.modules["stage"] = sys.modules["__main__"]
    main(int(sys.argv[1]))
