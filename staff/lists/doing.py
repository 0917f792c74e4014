"""The filter behind the dashboard's figures of what open sessions do: the same words, found the same way."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from sessions_app.models import Session
from staff.counts import sessions
from staff.lists.filters import Choice


class Doing(Choice):
    """Open sessions by what they do."""

    title = "doing"
    parameter_name = "doing"
    choices_ = tuple((word, word) for word in (sessions.BUILDING, sessions.IDLE, sessions.ASLEEP))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those sessions."""
        return sessions.doing(queryset.filter(state=Session.State.OPEN)).filter(doing=value)
