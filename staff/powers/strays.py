"""Powers over what sweeps have found: give a stray to its session, delete it, leave it alone, repair a ghost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone

from provisioning import ghosts, strays, sweep_rows
from provisioning.answers import Answer, Said
from provisioning.models import Ghost, Stray, SweepRun
from provisioning.names import slug_in
from sessions_app.database import db
from staff.powers.base import Came, Effect, Order, Power, State
from staff.powers.legs import leg
from staff.powers.subjects import effect_of, kind, numbers, session_page, vendor

RUN, GHOST = "run-", "ghost-"  # before the number of what is left alone with, or beside, strays
_STATES = {
    Said.DONE: State.DONE,
    Said.NOTHING: State.NOTHING,
    Said.LATER: State.WORKING,
    Said.REFUSED: State.FAILED,
}


def effect_of_stray(stray: Stray) -> Effect:
    """What an order says it will change, of one stray."""
    made = f"made {stray.made_at:%Y-%m-%d %H:%M}" if stray.made_at else "made at an unknown time"
    return Effect(vendor(stray.provider), kind(stray.kind), f"{stray.name} ({stray.external_id})", made)


def effect_of_ghost(ghost: Ghost) -> Effect:
    """What an order says it will change, of one ghost: nothing at its vendor."""
    row = ghost.resource
    return Effect(vendor(row.provider), kind(row.kind), row.name, "its row is repaired", exists=False)


def _came(answer: Answer, link: str = "") -> Came:
    return Came(_STATES[answer.said], answer.words, link or reverse("admin:orphans"))


class _OverStrays(Power):
    """What powers over strays share: found by number, known by vendor, kind and name."""

    permission = "approve"
    noun = ("stray", "strays")
    link_words = "orphans"

    def find(self, keys: Sequence[str]) -> list[Model]:
        return list(Stray.objects.filter(pk__in=numbers(keys)).order_by("provider", "id"))

    def about(self, subject: Model) -> str:
        return str(subject.why) if isinstance(subject, Stray) else ""

    def slug(self, subject: Model) -> str:
        return slug_in(subject.name) or "" if isinstance(subject, Stray) else ""

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        return {self.key(one): [effect_of_stray(one)] for one in subjects if isinstance(one, Stray)}


class DeleteStray(_OverStrays):
    """Delete strays at their vendor; what cannot be done at once is seen to by the next sweeps."""

    name = "delete_stray"
    title = "Delete at the vendor"
    heading: ClassVar[str] = "What is destroyed"
    warning = (
        "This cannot be undone. Your word stands in for what the sweep cannot know: that what is listed belongs to no "
        "other copy of this installation, and to no session that a restored backup has forgotten."
    )
    destroys = True

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        return _came(await strays.delete(int(key), timezone.now()))

    def followed(self, key: str) -> Came:
        stray, link = Stray.objects.get(pk=key), reverse("admin:orphans")
        if stray.deleted_at is not None:
            return Came(State.DONE, "deleted, and not found when looked for again", link)
        if stray.cleared_at is not None:
            return Came(State.NOTHING, stray.why, link)
        if stray.approved_at is None:
            return Came(State.FAILED, "is not what was seen any more, or was left alone meanwhile: decide anew", link)
        return Came(State.WORKING, f"{stray.why or 'not deleted yet'}; the sweep tries again", link)


class Adopt(_OverStrays):
    """Give strays to the sessions under whose names they were made; done when the leg is live."""

    name = "adopt"
    title = "Give to its session"
    heading: ClassVar[str] = "What is given to its session"

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        answer = await strays.adopt(int(key), timezone.now())
        return _came(answer, await db(_page_of, int(key)))

    def followed(self, key: str) -> Came:
        row = sweep_rows.row_of(Stray.objects.get(pk=key))
        return leg(row) if row else Came(State.FAILED, "no session bears its name", reverse("admin:orphans"))


def _page_of(stray_id: int) -> str:
    stray = Stray.objects.filter(pk=stray_id).first()
    row = sweep_rows.row_of(stray) if stray else None
    return session_page(row.session_id) if row else ""


class Dismiss(_OverStrays):
    """Leave alone strays, ghosts, or all that a run asks about: kept as they are, and not asked about again."""

    name = "dismiss"
    title = "Leave alone"
    heading: ClassVar[str] = "What is left as it is"
    needs_reason = True

    def find(self, keys: Sequence[str]) -> list[Model]:
        runs = SweepRun.objects.filter(pk__in=numbers(keys, RUN)).order_by("-id")
        found = Ghost.objects.select_related("resource__session").filter(pk__in=numbers(keys, GHOST)).order_by("-id")
        return [*super().find(keys), *found, *runs]

    def key(self, subject: Model) -> str:
        prefixes: dict[type[Model], str] = {SweepRun: RUN, Ghost: GHOST}
        return f"{prefixes.get(type(subject), '')}{subject.pk}"

    def label(self, subject: Model) -> str:
        return f"sweep {subject}" if isinstance(subject, SweepRun) else str(subject)

    def slug(self, subject: Model) -> str:
        return str(subject.resource.session.slug) if isinstance(subject, Ghost) else super().slug(subject)

    def about(self, subject: Model) -> str:
        return str(subject.reason) if isinstance(subject, SweepRun) else super().about(subject)

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        chosen = list(subjects)
        found = super().effects(chosen)
        found |= {self.key(one): [effect_of_ghost(one)] for one in chosen if isinstance(one, Ghost)}
        return found | {self.key(one): [] for one in chosen if isinstance(one, SweepRun)}

    async def act(self, order: Order, key: str) -> Came:
        return _came(await db(_dismiss, order, key))


def _dismiss(order: Order, key: str) -> Answer:
    now, by, reason = timezone.now(), order.by, order.reason
    if key.startswith(GHOST):
        return strays.dismiss_ghost(int(key.removeprefix(GHOST)), by=by, reason=reason, now=now)
    if not key.startswith(RUN):
        return strays.dismiss(int(key), by=by, reason=reason, now=now)
    try:
        left, kept = sweep_rows.dismiss_run(int(key.removeprefix(RUN)), by=by, reason=reason, now=now)
    except sweep_rows.NothingToApprove as error:
        return Answer.nothing(str(error))
    return Answer.done(f"{left} strays and {kept} ghosts are left alone and not asked about again")


class Repair(Power):
    """Tell sessions what they have lost, once their vendor has said again that it is gone."""

    name = "repair"
    permission = "approve"
    title = "Repair"
    noun = ("ghost", "ghosts")
    heading: ClassVar[str] = "Whose row is repaired"
    link_words = "session"
    warning = "The row counts as failed from then on. A sandbox is made anew by itself, anything else by a retry."

    def find(self, keys: Sequence[str]) -> list[Model]:
        found = Ghost.objects.select_related("resource__session").filter(pk__in=numbers(keys))
        return list(found.order_by("-id"))

    def slug(self, subject: Model) -> str:
        return str(subject.resource.session.slug) if isinstance(subject, Ghost) else ""

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        return {self.key(one): [effect_of(one.resource)] for one in subjects if isinstance(one, Ghost)}

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        page = await db(_page_of_ghost, int(key))
        return _came(await ghosts.repair_one(int(key)), page)


def _page_of_ghost(ghost_id: int) -> str:
    ghost = Ghost.objects.select_related("resource").filter(pk=ghost_id).first()
    return session_page(ghost.resource.session_id) if ghost else ""
