"""One job per session that brings it to rest: deferred with every change of intent, in that change's transaction.

The job is `sessions_app.tasks.converge_session`. At most one waits and one runs for a session: jobs of a session share
a lock, so two workers never converge the same one, and a queueing lock, so wishes made while one waits add nothing. A
wish that is nearer in time than the job that waits brings that job forward.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued

CONVERGE = "sessions_app.tasks.converge_session"
UP, DOWN = "provision", "teardown"  # queues: a flood of endings must not hold up beginnings
_TRIES = 5


def lock_of(session_id: UUID) -> str:
    """What the jobs that converge one session share."""
    return f"converge.{session_id}"


def converge_soon(session_id: UUID, *, seconds: float = 0.0, queue: str = UP, failures: int = 0) -> None:
    """Have a worker converge the session in `seconds`, or sooner where that was wished for already.

    Part of the caller's transaction. `failures` counts the runs in a row that broke, for the next pause.
    """
    task = app.configure_task(
        CONVERGE,
        queue=queue,
        lock=lock_of(session_id),
        queueing_lock=lock_of(session_id),
        schedule_in={"seconds": seconds} if seconds else None,
    )
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                task.defer(session_id=str(session_id), failures=failures)
        except AlreadyEnqueued:
            if _bring_forward(session_id, seconds, queue):
                return
            # It was taken by a worker meanwhile, which may have looked at the rows before we changed them: once more.
        else:
            return
    raise RuntimeError(f"the job of session {session_id} could neither be deferred nor found")


def _bring_forward(session_id: UUID, seconds: float, queue: str) -> bool:
    """Have the waiting job run at that time if it would run later; False when none waits any more.

    One without a time runs as soon as a worker is free, and keeps none.
    """
    due = timezone.now() + timedelta(seconds=seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET queue_name = %s, scheduled_at = CASE WHEN scheduled_at > %s THEN %s"
            " ELSE scheduled_at END WHERE queueing_lock = %s AND status = 'todo'",
            [queue, due, due, lock_of(session_id)],
        )
        return bool(cursor.rowcount)


def without_job(session_ids: Iterable[UUID]) -> list[UUID]:
    """Those of the sessions that no job waits or runs for."""
    wanted = {lock_of(session_id): session_id for session_id in session_ids}
    alive = ProcrastinateJob.objects.filter(lock__in=wanted, status__in=["todo", "doing"])
    for lock in alive.values_list("lock", flat=True):
        wanted.pop(lock, None)
    return list(wanted.values())
