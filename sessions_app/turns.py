"""Prompts, and moving between the versions they made. Called through `sessions_app.services`.

Everything here first locks the session's row, so that two requests cannot both find the session idle. The jobs of one
session carry one lock and so run one after the other in the order they were asked for.
"""

from __future__ import annotations

import logging
import unicodedata
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from provisioning import clock
from sessions_app import events, history, limits
from sessions_app.errors import BadPrompt, Busy, Closed, NotFound
from sessions_app.locks import serialise
from sessions_app.models import Session, Turn, Version
from sessions_app.redaction import redact

log = logging.getLogger(__name__)

MAX_PROMPT = 20_000  # characters
ACTIVE = (Turn.State.QUEUED, Turn.State.RUNNING)


def turn_submit(session: Session, prompt: str) -> Turn:
    """Take a prompt: the turn, its `turn.started` event and the job that runs it, in one commit.

    Raises:
        BadPrompt: empty, longer than 20 000 characters, or with control characters other than tab and line ends.
        Closed: the session is not open. Busy: a turn or a restore is under way. Limit: turns or budget are used up.
    """
    # What is kept holds no secret that is known by now; a title cut from it could no longer be redacted (I-15).
    prompt = redact(_checked_prompt(prompt), events.secrets_of(session))
    with transaction.atomic():
        if session.visitor_hash:  # whose turns count together, over all their sessions
            serialise(f"turns|{session.visitor_hash}")
        session = _locked(session)
        _require_idle(session)
        limits.check(session)
        last = session.turns.order_by("-number").first()
        turn = Turn.objects.create(session=session, number=last.number + 1 if last else 1, prompt=prompt)
        session.last_active_at = clock.now()
        session.prompted_at = session.prompted_at or session.last_active_at
        session.title = session.title or prompt.splitlines()[0][:80]
        session.save(update_fields=["last_active_at", "prompted_at", "title"])
        _run_soon(turn)
        events.append(session.pk, "turn.started", {"turn": turn.number, "prompt": prompt})
    return turn


def turn_cancel(session: Session, number: int | None = None) -> Turn | None:
    """Ask the turn under way to stop; one that has not begun is cancelled at once. None when there is no such turn.

    `number`: that one only, if it is still under way.
    """
    with transaction.atomic():
        session = _locked(session)
        turn = session.turns.filter(state__in=ACTIVE).first()
        if turn is None or number not in {None, turn.number}:
            return None
        Turn.objects.filter(pk=turn.pk).update(cancel_requested=True)
        if turn.state == Turn.State.QUEUED:
            turn_cancelled(turn, "Stopped before the agent began.")
        return turn


def turn_fail(turn_id: int, summary: str) -> None:
    """Give up a turn whose job cannot finish it, so that the session takes prompts again.

    Does nothing to an ended turn.
    """
    with transaction.atomic():
        _turn_finish(Turn.objects.get(pk=turn_id), Turn.State.FAILED, summary)


def turns_take_up() -> int:
    """Give every turn under way that has no job a new one; returns how many there were.

    A job may have been ended by hand, or have failed at telling that its turn had: without one the session would take
    no prompt for the rest of its life.
    """
    taken = 0
    going_on = set(_turn_jobs().values_list("args__turn_id", flat=True))
    for turn in Turn.objects.filter(state__in=ACTIVE, session__state=Session.State.OPEN).exclude(pk__in=going_on):
        with transaction.atomic():
            session = _locked(turn.session)
            has_job = _turn_jobs().filter(args__turn_id=turn.pk).exists()
            if not has_job and Turn.objects.filter(pk=turn.pk, state__in=ACTIVE).exists():
                log.warning("turn.taken_up session=%s", session.slug)
                _run_soon(turn)
                taken += 1
    return taken


def version_restore(session: Session, number: int) -> Version:
    """Have the app put back to the tree of version `number`, as a new commit. Returns the version that will be
    repeated.

    Raises:
        Closed, Busy; NotFound: there is no such version.
    """
    from sessions_app import tasks

    with transaction.atomic():
        session = _locked(session)
        _require_idle(session)
        version = session.versions.filter(number=number).first()
        if version is None:
            raise NotFound(f"There is no version {number}.")
        tasks.restore_version.configure(lock=_lock(session.pk)).defer(
            session_id=str(session.pk), number=number, newest=_newest(session)
        )
        Session.objects.filter(pk=session.pk).update(last_active_at=clock.now())
    return version


def undo(session: Session) -> Version:
    """Restore the version before the current one; refuses like `version_restore`, NotFound at the beginning."""
    target = history.fold(session.versions.order_by("number")).undo
    if target is None:
        raise NotFound("There is nothing to undo.")
    return version_restore(session, target)


def redo(session: Session) -> Version:
    """Restore the version that the last undo left; refuses like `version_restore`, NotFound when nothing was undone."""
    target = history.fold(session.versions.order_by("number")).redo
    if target is None:
        raise NotFound("There is nothing to redo.")
    return version_restore(session, target)


def turn_cancelled(turn: Turn, summary: str) -> None:
    """Record that a turn was cancelled; the caller holds the session's lock."""
    _turn_finish(turn, Turn.State.CANCELLED, summary)


def require_open(session: Session) -> None:
    """Refuse with `Closed` what only an open session does."""
    if session.state != Session.State.OPEN:
        raise Closed("This session has ended. Begin a new one to go on.")


def _turn_finish(turn: Turn, state: Turn.State, summary: str) -> None:
    now = timezone.now()
    ended = Turn.objects.filter(pk=turn.pk, state__in=ACTIVE).update(state=state, finished_at=now, summary=summary)
    if not ended:
        return
    began = turn.started_at or now
    data = {
        "turn": turn.number,
        "state": state.value,
        "duration_ms": round((now - began).total_seconds() * 1000),
        "cost_usd": float(turn.cost_usd),
        "summary": summary,
    }
    events.append(turn.session_id, "turn.finished", data)
    turn.state, turn.finished_at, turn.summary = state, now, summary


def _run_soon(turn: Turn) -> None:
    from sessions_app import tasks

    tasks.run_turn.configure(lock=_lock(turn.session_id)).defer(turn_id=turn.pk)


def _turn_jobs() -> QuerySet[ProcrastinateJob]:
    """Jobs of turns that wait or run."""
    return ProcrastinateJob.objects.filter(task_name="sessions_app.tasks.run_turn", status__in=["todo", "doing"])


def _lock(session_id: UUID) -> str:
    return f"session.{session_id}"


def _locked(session: Session) -> Session:
    """The session as it is now, its row locked until the transaction ends."""
    return Session.objects.select_for_update(no_key=True).get(pk=session.pk)


def _require_idle(session: Session) -> None:
    require_open(session)
    if session.turns.filter(state__in=ACTIVE).exists():
        raise Busy("The agent is still at work. Stop it, or wait for the end of this turn.")
    # A restore whose version exists only pushes it: the next may be asked for, and the jobs' lock keeps their order.
    restores = ProcrastinateJob.objects.filter(
        lock=_lock(session.pk),
        status__in=["todo", "doing"],
        task_name="sessions_app.tasks.restore_version",
        args__newest__gte=_newest(session),
    )
    if restores.exists():
        raise Busy("A version is being restored. That takes a moment.")


def _newest(session: Session) -> int:
    """Number of the newest version, 0 without one."""
    return session.versions.aggregate(newest=Max("number"))["newest"] or 0


def _checked_prompt(prompt: str) -> str:
    prompt = prompt.replace("\r\n", "\n").strip()
    if not prompt:
        raise BadPrompt("The prompt is empty. Say in a sentence what to build.")
    if len(prompt) > MAX_PROMPT:
        raise BadPrompt(f"The prompt has {len(prompt):,} characters; at most {MAX_PROMPT:,} are taken.")
    for character in prompt:
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t":
            raise BadPrompt(f"The prompt holds a control character (U+{ord(character):04X}). Remove it and send again.")
    return prompt
