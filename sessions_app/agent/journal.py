"""From lines of the agent's log to rows of the event log, each line exactly once.

Lines wait here until they are written. One transaction writes the events of a run of lines and moves the turn's count
of lines on, by compare-and-set: whoever else follows the same log loses, and a crash before the commit leaves the lines
to be read again. Running text is held back while it ends like the beginning of a secret, so that a
secret is never cut in two and thereby missed by redaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from sessions_app import events
from sessions_app.agent.stream import Step
from sessions_app.models import Session, Turn
from sessions_app.redaction import spellings

_MAX_UUIDS = 90  # named by one event; the event log keeps lists of a hundred


class Superseded(Exception):
    """Somebody else follows this turn's log, or has ended the turn."""


@dataclass(slots=True)
class Draft:
    """One event not yet written."""

    type: str
    data: dict[str, Any]
    uuids: list[str] = field(default_factory=list)


class Journal:
    """The lines of one turn that are read but not yet written. `written` counts those that are."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._steps: list[Step] = []
        self.written = turn.log_lines

    @property
    def read(self) -> int:
        """Lines taken in so far, written or not."""
        return self.written + len(self._steps)

    def add(self, step: Step) -> None:
        """Take in the next line."""
        self._steps.append(step)

    def write(self, secrets: Iterable[str], *, last: bool = False) -> bool:
        """Write what may be written now; `last` keeps nothing back. Synchronous database code.

        Returns whether there was anything to write.

        Raises:
            Superseded: the turn's count of lines is not what it was left at, or the turn has ended.
        """
        count = len(self._steps) if last else _settled(self._steps, spellings(secrets))
        drafts = drafted(self._steps[:count])
        if not drafts:
            return False
        with transaction.atomic():
            self._advance(count)
            for draft in drafts:
                data = {"turn": self._turn.number, **draft.data} if draft.type != "notice" else draft.data
                events.append(self._turn.session_id, draft.type, {**data, "uuids": draft.uuids or None})
        self._done(count)
        return True

    def close(self) -> tuple[int, list[str]]:
        """Lines that made no event, for whoever writes the turn's end: their count and their names."""
        return len(self._steps), [step.uuid for step in self._steps if step.uuid][-_MAX_UUIDS:]

    def _advance(self, count: int) -> None:
        # The session first, as everybody locks it first.
        Session.objects.select_for_update(no_key=True).get(pk=self._turn.session_id)
        moved = Turn.objects.filter(pk=self._turn.pk, state=Turn.State.RUNNING, log_lines=self.written).update(
            log_lines=self.written + count
        )
        if not moved:
            raise Superseded

    def _done(self, count: int) -> None:
        del self._steps[:count]
        self.written += count


def drafted(steps: Iterable[Step]) -> list[Draft]:
    """The events of these lines: adjoining text is one event, and every named line is named by the nearest event."""
    drafts: list[Draft] = []
    waiting: list[str] = []
    joinable = False
    for step in steps:
        if step.text:
            if not joinable:
                drafts.append(Draft("agent.text", {"text": ""}, waiting))
                waiting, joinable = [], True
            drafts[-1].data["text"] += step.text
        for kind, data in step.events:
            drafts.append(Draft(kind, data, waiting))
            waiting, joinable = [], False
        if step.uuid:
            crowded = not drafts or len(drafts[-1].uuids) >= _MAX_UUIDS
            (waiting if crowded else drafts[-1].uuids).append(step.uuid)
    if waiting and drafts:
        drafts.append(Draft("agent.text", {"text": ""}, waiting))
    return drafts


def _settled(steps: list[Step], known: list[str]) -> int:
    """How many of the steps may be written: all, but for text at the end that could be the beginning of a secret."""
    run = len(steps)
    while run and not steps[run - 1].ends_text and not steps[run - 1].events:
        run -= 1
    text = "".join(step.text for step in steps[run:])
    held = _held(text, known)
    if not held:
        return len(steps)
    safe, count = len(text) - held, run
    for step in steps[run:]:
        if len(step.text) > safe:
            break
        safe -= len(step.text)
        count += 1
    return count


def _held(text: str, known: list[str]) -> int:
    """Length of the longest end of `text` that one of the known spellings begins with."""
    longest = 0
    for spelling in known:
        for length in range(min(len(spelling) - 1, len(text)), longest, -1):
            if text.endswith(spelling[:length]):
                longest = length
                break
    return longest
