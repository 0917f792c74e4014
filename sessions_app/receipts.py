"""What the receipt page shows of a session that is ending or has ended: what it owned, and what is proved of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from provisioning import giving
from provisioning.models import Provider, Resource
from provisioning.providers.registry import step_for
from sessions_app import pages
from sessions_app.models import Session

State = Resource.State


@dataclass(frozen=True, slots=True)
class Line:
    """One resource. `proved` is empty until a second look found nothing; `note` then says what there is to know."""

    vendor: str
    local: bool
    kind: str
    name: str
    state: str
    glyph: str
    word: str
    made: datetime | None
    deleted: datetime | None
    proved: datetime | None
    note: str
    until: datetime | None  # of the note: when it is tried again, or when it was given up


@dataclass(frozen=True, slots=True)
class Receipt:
    """All lines of a session, and what they come to."""

    session: Session
    lines: list[Line]
    title: str
    heading: str
    summary: str

    @property
    def closed(self) -> bool:
        """Whether the session has come to its end."""
        return self.session.state == Session.State.CLOSED

    @property
    def state(self) -> str:
        """The state of a resource that is drawn beside the heading."""
        states = {line.state for line in self.lines}
        return "gone" if states <= {"gone"} else "stuck" if "stuck" in states else "deleting"


def receipt_of(session: Session) -> Receipt:
    """The receipt of a session as it stands now."""
    rows = list(session.resources.order_by("id"))
    local = pages.localities()
    lines = [_line(row, local=local[row.provider]) for row in rows]
    first = session.turns.order_by("number").first()
    title = session.title or (first.prompt.split("\n")[0] if first else "New app")
    return Receipt(session, lines, title, *_words(session, rows))


def _line(row: Resource, *, local: bool) -> Line:
    gone = row.state == State.GONE
    step = step_for(row.provider, row.kind)
    asked = step.remote and bool(row.attempt or row.external_id)
    forgotten: datetime | None = getattr(row, "forgotten_at", None)
    given = bool(giving.offered_to(row) or giving.taken_by(row))
    note, until = _note(row, asked=asked, forgotten=forgotten)
    unproved = (row.state == State.STUCK or forgotten is not None) and not given
    return Line(
        vendor=str(Provider(row.provider).label),
        local=local,
        kind=step.thing.partition(" ")[2],
        name=row.name,
        state="stuck" if unproved else str(row.state),
        glyph="stuck" if unproved else "gone",
        word=_word(row, given=given, forgotten=forgotten),
        made=(row.settled_at or row.started_at or row.created_at) if asked else None,
        deleted=row.deleted_at if asked and not forgotten else None,
        proved=row.verified_at if gone and asked and not forgotten else None,
        note=note,
        until=until,
    )


def _word(row: Resource, *, given: bool, forgotten: datetime | None) -> str:
    if given:
        return "given away" if row.state == State.GONE else "being given away"
    if forgotten:
        return "given up"
    return {State.GONE: "gone", State.STUCK: "stuck"}.get(State(row.state), "being deleted")


def _note(row: Resource, *, asked: bool, forgotten: datetime | None) -> tuple[str, datetime | None]:
    if owner := giving.taken_by(row):
        return f"Staff gave it to {owner} at {Provider(row.provider).label}, so it was not deleted.", forgotten
    if owner := giving.offered_to(row):
        return f"Offered to {owner}. It is deleted here if they do not accept it within a day.", None
    if forgotten is not None:
        reason = str(getattr(row, "forgotten_reason", "")).strip().rstrip(".")
        return f"Not proved gone. Staff gave it up{f': {reason}' if reason else ''}.", forgotten
    if row.state == State.GONE and not asked:
        if step_for(row.provider, row.kind).remote:
            return "Never asked for, so there was nothing to delete.", None
        return "A name in a shared project, so there was nothing to delete. Events that were sent stay there.", None
    if row.state == State.GONE or not row.delete_attempts:
        return "", None
    tries = "One try" if row.delete_attempts == 1 else f"{row.delete_attempts} tries"
    why, _, _ = str((row.error or {}).get("message", "")).partition(". ")
    return f"{tries} so far. {why.rstrip('.')}.".replace(" .", ""), row.next_at


def _words(session: Session, rows: list[Resource]) -> tuple[str, str]:
    """The heading, and in one sentence what is proved."""
    proved = [row for row in rows if row.state == State.GONE and getattr(row, "forgotten_at", None) is None]
    given = [row for row in rows if giving.taken_by(row)]
    open_still = len(rows) - len(proved) - len(given)
    if session.state == Session.State.CLOSED and not open_still:
        said = "Whatever this session had made at a vendor was deleted there, then looked for again by its name and by "
        said += "its own id, and not found."
        if given:
            return "Everything is gone or given away", f"{said} What was given to another owner is theirs."
        return "Everything is gone", said
    if session.state == Session.State.CLOSED:
        left = "one is" if open_still == 1 else f"{open_still} are"
        return (
            f"{len(proved)} of {len(rows)} are gone",
            f"This session has ended, but {left} not proved gone: see below.",
        )
    said = "Each is deleted at its vendor and then looked for again; only when it is not found does it count as gone."
    if any(row.state == State.STUCK for row in rows):
        said += " What is stuck is tried again every hour until it is gone."
    return f"{len(proved)} of {len(rows)} are gone", said
