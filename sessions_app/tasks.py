"""Jobs of sessions, run by the worker on Postgres. Each may run again after a crash and must then end the same way.

Queues: `provision` (finishing what a web process began), `turn` (agent and restores; the jobs of one session share a
lock and run in order), `teardown`, `sweep` (periodic). A job of a killed worker is put back by `recover_stalled`.
"""

from __future__ import annotations

import logging
from uuid import UUID

from channels.db import database_sync_to_async
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from provisioning.exceptions import VendorError
from sessions_app import events, services, sweeps
from sessions_app.models import Session, Version
from sessions_app.process import sessions

log = logging.getLogger(__name__)

STALLED_SECONDS = 15.0  # three heartbeats missed: the worker is dead, its jobs go to another
_TURN_ATTEMPTS = 4
_RESTORE_ATTEMPTS = 3


class NotYetGone(Exception):
    """Something the session owns is not proven gone; the job tries again later."""


@app.task(queue="provision", name="sessions_app.tasks.converge_session", retry=RetryStrategy(max_attempts=5, wait=5))
async def converge_session(session_id: str) -> None:
    """Finish provisioning of a session. Finds nothing to do when the process that began it lived."""
    await sessions.converge(UUID(session_id))


@app.task(
    queue="turn",
    name="sessions_app.tasks.run_turn",
    pass_context=True,
    retry=RetryStrategy(max_attempts=_TURN_ATTEMPTS, linear_wait=2),
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
    retry=RetryStrategy(max_attempts=_RESTORE_ATTEMPTS, linear_wait=2),
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


@app.task(
    queue="teardown",
    name="sessions_app.tasks.teardown",
    retry=RetryStrategy(max_attempts=8, exponential_wait=3, retry_exceptions=[NotYetGone]),
)
async def teardown(session_id: str) -> None:
    """Destroy what a closing session owns and close it when all of it is proven gone."""
    await sessions.converge(UUID(session_id))
    if not await database_sync_to_async(services.session_settle)(UUID(session_id)):
        raise NotYetGone(session_id)


@app.periodic(cron="* * * * *")
@app.task(queue="sweep", name="sessions_app.tasks.close_expired", queueing_lock="close_expired")
async def close_expired(timestamp: int) -> None:
    """End sessions past their time and those nobody prompted or looked at; take up teardowns whose job gave up."""
    await database_sync_to_async(sweeps.close_due)(float(timestamp))
    await database_sync_to_async(sweeps.teardowns_resume)()


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


@app.periodic(cron="* * * * * */20")
@app.task(queue="sweep", name="sessions_app.tasks.settle_late", queueing_lock="settle_late")
async def settle_late(timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Look after legs that are slow or whose next try is due, when nobody has their session open any more."""
    await database_sync_to_async(sweeps.provisioning_resume)()


@app.periodic(cron="* * * * * */10")
@app.task(queue="sweep", name="sessions_app.tasks.recover_stalled", queueing_lock="recover_stalled", pass_context=True)
async def recover_stalled(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Put back the jobs of workers that died."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        log.warning("job.recovered task=%s id=%s", job.task_name, job.id)
        await manager.retry_job(job)
