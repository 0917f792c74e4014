"""The power over turns: stop one that is under way."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Model

from sessions_app import events, services
from sessions_app.database import db
from sessions_app.models import Turn
from sessions_app.turns import ACTIVE
from staff.powers.base import Came, Order, Power, State
from staff.powers.subjects import numbers, session_page


class EndTurn(Power):
    """Stop the agent at a turn; what it did until then stays in the sandbox, and the visitor is told."""

    name = "end_turn"
    title = "Stop the turn"
    noun = ("turn", "turns")
    link_words = "session"
    warning = "What the agent did until then stays as it is, without a version of its own."

    def find(self, keys: Sequence[str]) -> list[Model]:
        return list(Turn.objects.select_related("session").filter(pk__in=numbers(keys)).order_by("-id"))

    def slug(self, subject: Model) -> str:
        return str(subject.session.slug) if isinstance(subject, Turn) else ""

    def about(self, subject: Model) -> str:
        return str(subject.state) if isinstance(subject, Turn) else ""

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        return await db(_stop, int(key))

    def followed(self, key: str) -> Came:
        turn = Turn.objects.get(pk=key)
        link = session_page(turn.session_id)
        if turn.state in ACTIVE:
            return Came(State.WORKING, "the agent has been told to stop", link)
        words = "stopped" if turn.state == Turn.State.CANCELLED else f"ended by itself before that: {turn.state}"
        return Came(State.DONE, words, link)


def _stop(pk: int) -> Came:
    with transaction.atomic():
        turn = Turn.objects.select_related("session").get(pk=pk)
        link = session_page(turn.session_id)
        if turn.state not in ACTIVE:
            return Came(State.NOTHING, f"had ended before: {turn.state}", link)
        stopped = services.turn_cancel(turn.session, turn.number)
        if stopped is None:
            return Came(State.NOTHING, "had ended before", link)
        if not turn.cancel_requested:
            events.append(turn.session_id, "notice", {"level": "info", "text": "Staff of mk0r stopped this turn."})
    return Came(State.WORKING, "the agent has been told to stop", link)
