"""What shell and API mean when they name a session or a vendor: the power, and the keys of its things.

Synchronous database code. What is refused here has words for the one who asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from provisioning.ledger import UNWANTED
from provisioning.models import Credential, Resource
from sessions_app.models import Session
from staff.powers import POWERS, Power
from staff.refusals import NotFound, Refused
from staff.telling.vendors import named as vendor

EVERYTHING = "all"  # the one thing that a sweep sweeps


def power(name: str) -> Power:
    """The power of that name.

    Raises:
        Refused: this installation has none.
    """
    if name not in POWERS:
        raise Refused(f"This installation has no power {name}: it has {', '.join(sorted(POWERS))}.")
    return POWERS[name]


def sessions(slugs: Sequence[str]) -> list[Session]:
    """The sessions of these slugs, each once.

    Raises:
        NotFound: one does not exist; then nothing is done to the others either.
    """
    found = {one.slug: one for one in Session.objects.filter(slug__in=[slug[:20] for slug in slugs])}
    if missing := [slug[:20] for slug in slugs if slug not in found]:
        raise NotFound(f"There is no session {', '.join(missing[:5])}{' …' * (len(missing) > 5)}.")
    return list(found.values())


def failed(session: Session, providers: Iterable[str] = ()) -> list[str]:
    """Legs to retry: what failed, of these vendors or of all."""
    return _keys(_resources(session, providers).filter(state=Resource.State.FAILED), "has failed")


def undeletable(session: Session, providers: Iterable[str] = ()) -> list[str]:
    """What can be forgotten: what is being deleted, or stuck."""
    return _keys(_resources(session, providers).filter(state__in=UNWANTED), "is being deleted or stuck")


def with_credentials(session: Session, providers: Iterable[str] = ()) -> list[str]:
    """What has credentials that were not revoked yet."""
    held = Credential.objects.filter(resource__session=session, revoked_at=None).values("resource_id")
    return _keys(_resources(session, providers).filter(pk__in=held), "has a credential that could be revoked")


def credential(session: Session, name: str) -> Credential:
    """The credential that the session's `.env` has under that name.

    Raises:
        NotFound: it has none.
    """
    rows = Credential.objects.filter(resource__session=session)
    found = rows.filter(name=name).order_by("-created_at").first()
    if found is None:
        names = ", ".join(sorted(rows.values_list("name", flat=True)))
        raise NotFound(f"{session.slug} has no credential {name[:40]}: it has {names or 'none'}.")
    return found


def _resources(session: Session, providers: Iterable[str]) -> QuerySet[Resource]:
    rows = Resource.objects.filter(session=session).order_by("id")
    chosen = [vendor(one) for one in providers]
    return rows.filter(provider__in=chosen) if chosen else rows


def _keys(rows: QuerySet[Resource], what: str) -> list[str]:
    keys = [str(key) for key in rows.values_list("pk", flat=True)]
    if not keys:
        raise Refused(f"Nothing of that {what}.")
    return keys
