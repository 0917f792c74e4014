"""Jobs of sessions, run by the worker on Postgres. Each may run again after a crash and must then end the same way.

Queues: `provision` and `teardown` (bringing a session to rest, up and down), `turn` (agent and restores; the jobs of
one session share a lock and run in order), `sweep` (periodic). A job of a killed worker is put back by
`recover_stalled`.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from channels.db import database_sync_to_async
from django.conf import settings
from procrastinate import JobContext, RetryDecision, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status

from provisioning.exceptions import VendorError
from sessions_app import events, jobs, services, sweeps
from sessions_app.models import Session, Version
from sessions_app.process import sessions
from sessions_app.turns import turns_take_up

log = logging.getLogger(__name__)

_TURN_ATTEMPTS = 4
_RESTORE_ATTEMPTS = 3
_SUSPECT_ATTEMPTS = 6  # of a job whose worker died each time; fewer is bad luck in bad times


class _Tries(RetryStrategy):
    """A job that breaks is tried again until it was taken up so many times; one whose worker stops under it is put back
    however many those were.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision()
        return super().get_retry_decision(exception=exception, job=job)


@app.task(queue=jobs.UP, name=jobs.CONVERGE)
async def converge_session(session_id: str, failures: int = 0) -> None:
    """Bring a session to rest, on its way up or down. Finds little to do when the process that asked for it lived.

    A session that breaks it is tried again after a pause that grows to an hour, by a job of its own: it holds up no
    other session, and its lock is not kept meanwhile.
    """
    try:
        await sessions.converge(UUID(session_id))
    except Exception:  # the task's boundary: whatever one session breaks, the queue goes on
        log.exception("session.converge_broke session=%s failures=%s", session_id, failures + 1)
        pause = min(3600.0, 5.0 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.5)  # noqa: S311
        again = functools.partial(jobs.converge_soon, UUID(session_id), seconds=pause, failures=failures + 1)
        await database_sync_to_async(again)()


@app.task(
    queue="turn",
    name="sessions_app.tasks.run_turn",
    pass_context=True,
    retry=_Tries(max_attempts=_TURN_ATTEMPTS, linear_wait=2),
)
async def run_turn(context: JobContext, turn_id: int) -> None:
    """Run a turn, or take up again one whose worker died. A turn that breaks every time is given up, saying so."""
    from sessions_app.agent import turn

    try:
        await turn.run(turn_id)
    except Exception:
        if context.job.attempts + 1 >= _TURN_ATTEMPTS:
            log.exception("turn.given_up turn=%s", turn_id)
            await database_sync_to_async(services.turn_fail)(
                turn_id, "mk0r itself failed at this turn, several times. The files are as they were; send it again."
            )
            return
        raise


@app.task(
    queue="turn",
    name="sessions_app.tasks.restore_version",
    pass_context=True,
    retry=_Tries(max_attempts=_RESTORE_ATTEMPTS, linear_wait=2),
)
async def restore_version(context: JobContext, session_id: str, number: int, newest: int) -> None:  # noqa: ARG001
    """Put the app back to the tree of a version, as a new commit. One that fails every time says so.

    `newest` was the newest version when this was asked for; whoever looks at the job knows by it whether it has made
    its.
    """
    from sessions_app.agent import versions

    session, version = await database_sync_to_async(_session_and_version)(session_id, number)
    if session.state != Session.State.OPEN:
        return
    try:
        await versions.restore(session, version)
    except Exception:
        if context.job.attempts + 1 < _RESTORE_ATTEMPTS:
            raise
        log.exception("restore.given_up session=%s number=%s", session.slug, number)
        text = f"Version {number} could not be restored. The app is as it was; please try again."
        await database_sync_to_async(events.append)(session.pk, "notice", {"level": "error", "text": text})


def _session_and_version(session_id: str, number: int) -> tuple[Session, Version]:
    version = Version.objects.select_related("session").get(session_id=session_id, number=number)
    return version.session, version


@app.periodic(cron="* * * * *")
@app.task(queue="sweep", name="sessions_app.tasks.close_expired", queueing_lock="close_expired")
async def close_expired(timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """End sessions past their time and those nobody prompted or looked at."""
    await database_sync_to_async(sweeps.close_due)()


@app.periodic(cron="* * * * *")
@app.task(queue="sweep", name="sessions_app.tasks.pause_idle", queueing_lock="pause_idle")
async def pause_idle(timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Put the sandboxes to sleep that nobody looks at and no agent works in. They wake when somebody comes back."""
    from sessions_app.agent import sightings

    for session_id in await database_sync_to_async(sweeps.sessions_idle)():
        try:
            await sightings.put_to_sleep(session_id)
        except VendorError as error:
            log.warning("session.pause_failed session=%s error=%s", session_id, error)
        except Exception:  # the loop's boundary: one session keeps no other awake
            log.exception("session.pause_broke session=%s", session_id)


@app.periodic(cron="* * * * * */20")
@app.task(queue="sweep", name="sessions_app.tasks.take_up", queueing_lock="take_up")
async def take_up(timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Give every session and turn with work to do and no job a new one: what everybody has forgotten is gone on
    with.
    """
    await database_sync_to_async(sweeps.forgotten_resume)()
    await database_sync_to_async(turns_take_up)()


@app.periodic(cron="* * * * * */10")
@app.task(queue="sweep", name="sessions_app.tasks.recover_stalled", queueing_lock="recover_stalled", pass_context=True)
async def recover_stalled(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Put back the jobs of workers that died; a job that may have killed several is put back later each time."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=settings.MK0R_WORKER_SILENCE):
        log.warning("job.recovered task=%s id=%s attempts=%s", job.task_name, job.id, job.attempts)
        suspicion = job.attempts - _SUSPECT_ATTEMPTS
        pause = min(3600.0, 5.0 * 1.5 ** min(suspicion, 20)) if suspicion >= 0 else 0.0
        try:
            await manager.retry_job(job, retry_at=datetime.now(UTC) + timedelta(seconds=pause))
        except UniqueViolation:
            # Another job of the same queueing lock waits already, and waits for this one: it will do the work.
            await manager.finish_job(job, status=Status.FAILED, delete_job=True)
        except ConnectorException as error:  # somebody else was quicker; the others still have to be put back
            log.warning("job.not_recovered id=%s cause=%s", job.id, type(error).__name__)
