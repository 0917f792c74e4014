"""The power over credentials that takes them away: their vendor is told, and nobody reads them from then on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar
from uuid import UUID

from django.db.models import Model

from provisioning import clock, services
from provisioning.models import Credential, Resource
from sessions_app import jobs
from sessions_app.database import db
from staff.powers.base import Came, Effect, Order, Power, State
from staff.powers.sessions import uuids
from staff.powers.subjects import numbers, session_page, vendor

Stage = Resource.State


class Revoke(Power):
    """Revoke every credential a session has of one vendor, chosen by one of them or by the resource it belongs to."""

    name = "revoke"
    title = "Revoke"
    noun = ("credential", "credentials")
    heading: ClassVar[str] = "What is revoked"
    link_words = "session"
    warning = (
        "The app loses what is listed, and everything else of the same vendor, at once. A database keeps its data. A "
        "retry of the leg brings new credentials."
    )

    def find(self, keys: Sequence[str]) -> list[Model]:
        chosen = Credential.objects.select_related("resource__session").filter(pk__in=uuids(keys))
        rows = Resource.objects.select_related("session").filter(pk__in=numbers(keys))
        return [*chosen.order_by("-created_at"), *rows.order_by("id")]

    def slug(self, subject: Model) -> str:
        row = _row(subject)
        return str(row.session.slug) if row else ""

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        of = {self.key(one): row for one in subjects if (row := _row(one))}
        held = Credential.objects.filter(
            resource__session_id__in={row.session_id for row in of.values()}, revoked_at=None
        ).select_related("resource")
        by_leg: dict[tuple[UUID, str], list[Effect]] = {}
        for one in held.order_by("resource_id", "name"):
            leg = by_leg.setdefault((one.resource.session_id, one.resource.provider), [])
            leg.append(Effect(vendor(one.resource.provider), "credential", one.name, one.resource.name))
        return {key: by_leg.get((row.session_id, row.provider), []) for key, row in of.items()}

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        return await db(_revoke, key)

    def followed(self, key: str) -> Came:
        row = _row_of(key)
        if row is None:
            return Came(State.DONE, "its vendor takes it no more; others have come in its place")
        link = session_page(row.session_id)
        lapsed = Credential.objects.filter(
            resource__session_id=row.session_id,
            resource__provider=row.provider,
            revoked_at=None,
            expires_at__lte=clock.now(),
        )
        left = lapsed.select_related("resource").order_by("resource_id").first()
        name = vendor(row.provider)
        if left is None:
            return Came(State.DONE, f"{name} takes it no more; a retry brings a new one", link)
        if left.resource.state in {Stage.DELETING, Stage.STUCK}:
            return Came(State.WORKING, "goes with its session, which is ending", link)
        if left.resource.next_at is not None and left.resource.next_at > clock.now():
            again = f"{left.resource.next_at:%H:%M:%S} UTC"
            return Came(State.WORKING, f"nobody is given it any more; {name} has not confirmed, next try {again}", link)
        return Came(State.WORKING, f"nobody is given it any more; {name} is being told", link)


def _row(subject: Model) -> Resource | None:
    if isinstance(subject, Credential):
        return subject.resource
    return subject if isinstance(subject, Resource) else None


def _row_of(key: str) -> Resource | None:
    """The resource a key leads to; None where that was a credential another has replaced."""
    rows = Resource.objects.select_related("session")
    if key.isdecimal():
        return rows.get(pk=key)
    return rows.filter(credentials__pk=key).first()


def _revoke(key: str) -> Came:
    row = _row_of(key)
    if row is None:
        return Came(State.NOTHING, "is revoked already")
    link = session_page(row.session_id)
    if not services.revoke(row.session, row.provider):
        return Came(State.NOTHING, f"has no credential of {vendor(row.provider)} that is still taken", link)
    jobs.converge_soon(row.session_id)
    return Came(State.WORKING, f"nobody is given it any more; {vendor(row.provider)} is being told", link)
