"""Orders of staff and what has come of them so far. Synchronous database code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings

from staff.models import Errand, Undertaking
from staff.refusals import NotFound
from staff.telling import iso


def found(key: UUID) -> Undertaking:
    """The order of that number.

    Raises:
        NotFound: there is none.
    """
    made = Undertaking.objects.filter(pk=key).first()
    if made is None:
        raise NotFound(f"There is no order {key}.")
    return made


def told(made: Undertaking) -> dict[str, Any]:
    """The order, and each of its errands."""
    errands = list(made.errands.order_by("number"))
    states = [one.state for one in errands]
    return {
        "id": str(made.pk),
        "power": made.power,
        "by": made.by_name,
        "where": made.where,
        "reason": made.reason,
        "options": made.options,
        "begun_at": iso(made.begun_at),
        "finished_at": iso(made.finished_at),
        "tally": {state: states.count(state) for state in Errand.State.values},
        "errands": [_errand(one) for one in errands],
    }


def _errand(one: Errand) -> dict[str, Any]:
    return {
        "number": one.number,
        "label": one.label,
        "state": one.state,
        "words": one.words,
        "link": f"{settings.PUBLIC_URL}{one.link}" if one.link.startswith("/") else one.link or None,
        "settled_at": iso(one.settled_at),
    }
