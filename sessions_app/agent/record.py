"""What a turn writes of itself to the database, each step one transaction. Lock order is session, then turn."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from provisioning import clock
from provisioning import services as provisioning
from provisioning.models import Provider
from sessions_app import events
from sessions_app.clipping import clean
from sessions_app.models import Session, Turn
from sessions_app.redaction import redact

ACTIVE = (Turn.State.QUEUED, Turn.State.RUNNING)
_UNSETTLED = {"planned", "creating", "unknown"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What has been asked of a turn meanwhile."""

    over: bool  # somebody else ended it
    stop: bool  # stop was pressed, or the session is ending


def load(turn_id: int) -> Turn:
    """The turn with its session."""
    return Turn.objects.select_related("session").get(pk=turn_id)


def wish(turn: Turn) -> Wish:
    """Look again at what is wanted."""
    now = Turn.objects.select_related("session").get(pk=turn.pk)
    return Wish(now.state not in ACTIVE, now.cancel_requested or now.session.state != Session.State.OPEN)


def session_ending(turn: Turn) -> bool:
    """Whether the turn's session is no longer open."""
    return Session.objects.values_list("state", flat=True).get(pk=turn.session_id) != Session.State.OPEN


def touch(turn: Turn) -> None:
    """Note that the session is in use, so that it is neither paused nor counted as abandoned."""
    Session.objects.filter(pk=turn.session_id).update(last_active_at=clock.now())


def waiting_for(turn: Turn) -> list[str]:
    """Names of the services that have not settled."""
    state = provisioning.resources_state(turn.session)
    return [str(Provider(each["provider"]).label) for each in state if each["state"] in _UNSETTLED]


def notice(turn: Turn, level: str, text: str) -> None:
    """Tell the visitor something."""
    events.append(turn.session_id, "notice", {"level": level, "text": text})


def earlier(turn: Turn) -> list[tuple[str, str]]:
    """Prompts and summaries of the turns before this one."""
    before = Turn.objects.filter(session=turn.session, number__lt=turn.number).order_by("number")
    return [(each.prompt, each.summary) for each in before]


def begin(turn: Turn, sandbox_id: str) -> bool:
    """Mark a queued turn as running in this sandbox. False when it is no longer queued."""
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=turn.session_id)
        begun = Turn.objects.filter(pk=turn.pk, state=Turn.State.QUEUED, cancel_requested=False).update(
            state=Turn.State.RUNNING, started_at=timezone.now(), sandbox_id=sandbox_id
        )
    turn.refresh_from_db(fields=["state", "started_at", "sandbox_id"])
    return bool(begun)


def remember_pid(turn: Turn, pid: int) -> None:
    """Keep the agent's process group."""
    Turn.objects.filter(pk=turn.pk).update(pid=pid)
    turn.pid = pid


def starter(turn: Turn) -> str:
    """Tree of the files before the session's first turn; empty when no turn has begun."""
    first = Turn.objects.filter(session=turn.session).exclude(base_tree="").order_by("number").first()
    return first.base_tree if first else ""


def remember_base(turn: Turn, tree: str) -> None:
    """Keep the tree of the files as this turn found them."""
    Turn.objects.filter(pk=turn.pk, base_tree="").update(base_tree=tree)


def conversation(session: Session, *, fresh: bool) -> uuid.UUID:
    """The id of the agent's conversation; a new one when there is none or `fresh` is asked for."""
    if fresh or session.agent_session_id is None:
        session.agent_session_id = uuid.uuid4()
        Session.objects.filter(pk=session.pk).update(agent_session_id=session.agent_session_id)
    return session.agent_session_id


def finish(turn: Turn, state: Turn.State, summary: str, *, lines: int = 0, uuids: list[str] | None = None) -> bool:
    """End the turn and say so. `lines` more lines of the log are thereby accounted for, named by `uuids`.

    False when the turn had ended already.
    """
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(pk=turn.session_id)
        now = Turn.objects.get(pk=turn.pk)
        if now.state not in ACTIVE:
            return False
        summary = clean(redact(summary, events.secrets_of(session))).strip()[:4000]
        ended = timezone.now()
        Turn.objects.filter(pk=turn.pk).update(
            state=state, finished_at=ended, summary=summary, log_lines=now.log_lines + lines
        )
        Session.objects.filter(pk=session.pk).update(last_active_at=clock.now())
        data = {
            "turn": turn.number,
            "state": state.value,
            "duration_ms": round((ended - (now.started_at or now.created_at)).total_seconds() * 1000),
            "cost_usd": float(now.cost_usd),
            "summary": summary,
            "uuids": uuids or None,
        }
        events.append(turn.session_id, "turn.finished", data)
    return True
