"""The audit log, a page at a time, newest first; and to be carried off, oldest first. Synchronous database code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from staff.models import Entry
from staff.telling import iso

MOST = 200  # entries of one page
MOST_LINES = 10_000  # of one export
# An entry has its number before it is committed, so a later number may be there sooner. No transaction lasts this long.
_SETTLED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; an empty text is no condition."""

    session: str = ""
    who: str = ""
    action: str = ""


def told(entry: Entry) -> dict[str, Any]:
    """One entry."""
    return {
        "id": entry.pk,
        "at": iso(entry.at),
        "who": entry.who,
        "where": entry.where,
        "action": entry.action,
        "subject": entry.subject,
        "session": entry.session or None,
        "reason": entry.reason,
        "detail": entry.detail,
    }


def page(wanted: Wanted, *, before: int | None, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Entries below the number `before`, newest first, and the number to go on before; None where that was all."""
    limit = max(1, min(limit, MOST))
    rows = _chosen(wanted).order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    entries = list(rows[: limit + 1])
    return [told(one) for one in entries[:limit]], entries[limit - 1].pk if len(entries) > limit else None


def after(wanted: Wanted, *, number: int, limit: int) -> list[dict[str, Any]]:
    """Entries above a number, oldest first, for whoever keeps a copy and asks again with the last number they have.

    The newest come a minute late, so that none is passed over that was committed out of turn.
    """
    rows = _chosen(wanted).filter(pk__gt=number, at__lt=timezone.now() - _SETTLED).order_by("id")
    return [told(one) for one in rows[: max(1, min(limit, MOST_LINES))]]


def _chosen(wanted: Wanted) -> QuerySet[Entry]:
    conditions = {"session": wanted.session, "who": wanted.who, "action": wanted.action}
    if any("\0" in value for value in conditions.values()):  # no entry has one, and no query takes it
        return Entry.objects.none()
    return Entry.objects.filter(**{name: value for name, value in conditions.items() if value})
