"""The rows of what is being rotated: wished for, claimed, stored, ended. Synchronous database code.

Fenced like everything in `ledger`: by the resource that has to be ready still, and by the rotation's own attempt, which
rises whenever somebody takes it up. New values and the old ones' further life are written in one commit, and announced
in it, so that who wanted this is on record wherever the new value is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from provisioning import clock, delivery, ledger
from provisioning.models import Credential, Resource, Rotation
from provisioning.providers.base import Made, Rotates
from provisioning.providers.registry import step_for
from provisioning.signals import credential_rotated, work_wanted

READY = frozenset({Resource.State.READY})
State = Rotation.State
OLD = ".old"  # after the name of a credential: the value before
LOOK_AGAIN = timedelta(seconds=30)  # for what waits for the sandbox to take its new `.env`


class NotRotatable(Exception):
    """The credentials of a resource cannot be replaced, or not now; the text says why."""


def begin(resource_id: int, *, by: str, where: str, reason: str = "", order: str = "") -> Rotation:
    """Wish for new credentials of a resource, and have a job bring them. The same `order` wishes once, and a wish made
    while another is under way joins it.

    Raises:
        NotRotatable: its vendor cannot do that, or the resource is not live.
    """
    row = ledger.row(resource_id)
    with ledger.changing(row.session_id, row.provider) as rows:
        current = rows[row.pk]
        same = Q(ended_at=None) | (Q(order=order) if order else Q(pk=None))
        known = Rotation.objects.filter(same, resource=current).first()
        if known is not None:
            return known
        _require_rotatable(current)
        made = Rotation.objects.create(
            resource=current, order=order, by=by[:150], where=where[:64], reason=reason[:500], asked_at=clock.now()
        )
        work_wanted.send(Resource, session_id=row.session_id)
    return made


def _require_rotatable(row: Resource) -> None:
    step = step_for(row.provider, row.kind)
    if step.rotates is Rotates.NOT:
        raise NotRotatable(step.rotates_not)
    if row.state != Resource.State.READY:
        raise NotRotatable(f"It is not live but {row.state}, so there is nothing to rotate.")
    if any(one.lapsed for one in row.credentials.filter(revoked_at=None)):
        raise NotRotatable("Its lease is over: it is being revoked. A retry of the leg brings new credentials.")


def last_of(resource_id: int) -> Rotation | None:
    """The resource's newest rotation."""
    return Rotation.objects.select_related("resource").filter(resource_id=resource_id).first()


def _open(session_id: UUID) -> QuerySet[Rotation]:
    ready = Rotation.objects.filter(ended_at=None, resource__state=Resource.State.READY)
    return ready.filter(resource__session_id=session_id).select_related("resource__session")


def due(session_id: UUID) -> list[Rotation]:
    """Rotations of a session that have something to do now.

    What is stored already waits until no sandbox holds an `.env` with the value before.
    """
    now = clock.now()
    found = list(_open(session_id).filter(Q(next_at=None) | Q(next_at__lte=now)))
    if any(one.state == State.MADE for one in found) and delivery.env_is_due(session_id):
        found = [one for one in found if one.state != State.MADE]
    return found


def due_of(row: Resource) -> Rotation | None:
    """What there is to do now about the credentials of this row."""
    if not Rotation.objects.filter(resource=row, ended_at=None).exists():
        return None
    return next((one for one in due(row.session_id) if one.resource_id == row.pk), None)


def next_at(session_id: UUID) -> datetime | None:
    """When a session's rotations are to be looked at again; None without one."""
    now = clock.now()
    times = [one.next_at or now + LOOK_AGAIN for one in _open(session_id)]
    return max(now, min(times)) if times else None


def unfinished(limit: int) -> list[UUID]:
    """Sessions whose rotations are due by their time, for whoever looks after what lost its job."""
    late = Rotation.objects.filter(ended_at=None, resource__state=Resource.State.READY, asked_at__lt=_a_while_ago())
    due_now = late.filter(Q(next_at=None) | Q(next_at__lte=clock.now()))
    return list(due_now.values_list("resource__session_id", flat=True).distinct()[:limit])


def _a_while_ago() -> datetime:
    return clock.now() - 2 * LOOK_AGAIN


def names_under_way(provider: str, kind: str) -> set[str]:
    """Names that two things of a vendor may bear just now, one of them without a row that says so."""
    rows = Rotation.objects.filter(ended_at=None, resource__provider=provider, resource__kind=kind)
    return set(rows.values_list("resource__name", flat=True))


def in_doubt(row: Resource) -> bool:
    """Whether a call of a rotation, sent and never answered, may still make a thing of its own."""
    if step_for(row.provider, row.kind).rotates is not Rotates.BESIDE:
        return False
    doubtful = Rotation.objects.filter(resource=row, ended_at=None, resource__doubt_until__gt=clock.now())
    return doubtful.filter(state=State.ASKED, calls__gt=0).exists()


def is_open(row: Resource) -> bool:
    """Whether the credentials of this row are being replaced."""
    return Rotation.objects.filter(resource=row, ended_at=None).exists()


@contextmanager
def _fenced(rotation: Rotation, state: Rotation.State) -> Iterator[tuple[Resource, Rotation] | None]:
    """Both rows locked, if the resource is ready still and the rotation as it was when it was read."""
    with ledger.fenced(rotation.resource, None, READY) as current:
        same = Rotation.objects.select_for_update().filter(pk=rotation.pk, attempt=rotation.attempt, state=state)
        mine = same.first() if current is not None else None
        yield (current, mine) if current is not None and mine is not None else None


def take(rotation: Rotation) -> Rotation | None:
    """Go on with it, under an attempt of ours; None when it has moved on."""
    with _fenced(rotation, State.ASKED) as both:
        if both is None:
            return None
        row, mine = both
        mine.attempt += 1
        mine.save(update_fields=["attempt"])
        mine.resource = row
    return mine


def send(rotation: Rotation, settles: float) -> bool:
    """Write down that the call leaves now, and for how long something may come of it. False when it has moved on."""
    with _fenced(rotation, State.ASKED) as both:
        if both is None:
            return False
        row, mine = both
        mine.calls += 1
        mine.save(update_fields=["calls"])
        row.doubt_until = clock.now() + timedelta(seconds=settles)
        row.save(update_fields=["doubt_until"])
        rotation.calls = mine.calls
    return True


def doubtful_for(rotation: Rotation) -> float:
    """Seconds in which something may still come of the last call."""
    until = rotation.resource.doubt_until
    return max(0.0, (until - clock.now()).total_seconds()) if until is not None else 0.0


def keep(rotation: Rotation, made: Made) -> bool:
    """Store the new credentials, the old ones beside them; False when somebody else has gone on with it (I-3, I-5)."""
    with _fenced(rotation, State.ASKED) as both:
        if both is None:
            return False
        row, mine = both
        row.external_id, row.meta = made.external_id, row.meta | dict(made.meta)
        row.url, row.doubt_until = made.url or row.url, None
        row.save(update_fields=["external_id", "meta", "url", "doubt_until"])
        for name, value in made.secrets.items():
            held = row.credentials.get(name=name)
            _keep_old(held)
            held.seal(value)
            held.created_at = clock.now()
            held.save(update_fields=["ciphertext", "fingerprint", "created_at"])
        mine.state, mine.made_at, mine.next_at, mine.words = State.MADE, clock.now(), None, ""
        mine.save(update_fields=["state", "made_at", "next_at", "words"])
        credential_rotated.send(
            Resource, slug=row.session.slug, provider=row.provider, kind=row.kind, name=row.name,
            names=sorted(made.secrets), by=mine.by, where=mine.where, reason=mine.reason,
        )  # fmt: skip
    return True


def _keep_old(held: Credential) -> None:
    old = Credential(resource=held.resource, name=held.name + OLD, expires_at=held.expires_at)
    old.created_at = held.created_at
    old.seal(held.reveal_to_redact())
    old.save()


def put_off(rotation: Rotation, seconds: float, words: str, *, certain: bool = False) -> None:
    """Try again later. `certain`: nothing can come of the last call any more."""
    with _fenced(rotation, State(rotation.state)) as both:
        if both is None:
            return
        row, mine = both
        mine.next_at, mine.words = clock.now() + timedelta(seconds=seconds), words[:500]
        mine.save(update_fields=["next_at", "words"])
        if certain:
            row.doubt_until = None
            row.save(update_fields=["doubt_until"])


def give_up(rotation: Rotation, words: str) -> None:
    """The vendor makes none; what was there before goes on."""
    with _fenced(rotation, State.ASKED) as both:
        if both is None:
            return
        row, mine = both
        row.doubt_until = None
        row.save(update_fields=["doubt_until"])
        _end(mine, State.GIVEN_UP, words)


def done(rotation: Rotation) -> bool:
    """The old credentials are dead at the vendor: keep nothing of them. False when it has moved on."""
    with _fenced(rotation, State.MADE) as both:
        if both is None:
            return False
        row, mine = both
        row.credentials.filter(name__endswith=OLD).delete()
        _end(mine, State.DONE, "")
    return True


def _end(mine: Rotation, state: Rotation.State, words: str) -> None:
    mine.state, mine.words, mine.ended_at, mine.next_at = state, words[:500], clock.now(), None
    mine.save(update_fields=["state", "words", "ended_at", "next_at"])


def look_again(row: Resource, calls: int) -> None:
    """A call came through after it had been given up: have its vendor asked what holds now, and nothing more made."""
    with ledger.fenced(row, None, READY) as current:
        if current is None or Rotation.objects.filter(resource=row, ended_at=None).exists():
            return
        Rotation.objects.create(
            resource=current, by="mk0r", reason="a call came through late", calls=calls, asked_at=clock.now()
        )
        work_wanted.send(Resource, session_id=row.session_id)
