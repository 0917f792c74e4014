"""One job per session brings it to rest, whoever dies and whatever one session breaks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from provisioning.models import Credential
from provisioning.secrets import Secret
from sessions_app import jobs, services, sweeps, tasks
from sessions_app.models import Session, Version

pytestmark = pytest.mark.django_db(transaction=True)


def _jobs(session: Session, **fields: Any) -> Any:
    return ProcrastinateJob.objects.filter(lock=jobs.lock_of(session.pk), **fields)


def _set(session: Session, **fields: Any) -> None:
    columns = ", ".join(f"{name} = %s" for name in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE procrastinate_jobs SET {columns} WHERE lock = %s",  # names are this file's own
            [*fields.values(), jobs.lock_of(session.pk)],
        )


def test_wishes_made_while_a_job_waits_add_none_and_the_nearest_time_wins(session: Session) -> None:
    (waiting,) = _jobs(session)
    assert waiting.scheduled_at > timezone.now()
    jobs.converge_soon(session.pk, seconds=3600)
    assert _jobs(session).get().scheduled_at == waiting.scheduled_at
    jobs.converge_soon(session.pk, queue=jobs.DOWN)
    job = _jobs(session).get()
    assert job.scheduled_at <= timezone.now()
    assert job.queue_name == "teardown"


def test_a_wish_for_later_puts_off_none_that_was_for_now(session: Session) -> None:
    _set(session, status="succeeded")
    jobs.converge_soon(session.pk)
    jobs.converge_soon(session.pk, seconds=3600)
    scheduled_at = _jobs(session, status="todo").get().scheduled_at
    assert scheduled_at is None or scheduled_at <= timezone.now()


def test_a_wish_that_comes_while_the_job_runs_is_kept_for_afterwards(session: Session) -> None:
    _set(session, status="doing")
    jobs.converge_soon(session.pk)
    jobs.converge_soon(session.pk)
    assert sorted(_jobs(session).values_list("status", flat=True)) == ["doing", "todo"]


def test_the_job_and_the_change_it_follows_are_one_commit(session: Session) -> None:
    _set(session, status="succeeded")

    def change_that_breaks() -> None:
        with transaction.atomic():
            jobs.converge_soon(session.pk)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_that_breaks()
    assert not _jobs(session, status="todo").exists()


async def test_a_session_that_breaks_its_job_is_tried_again_later_and_keeps_no_lock(
    session: Session, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(session_id: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(tasks.sessions, "converge", broken)
    for failures in (0, 3, 50):
        await database_sync_to_async(_set)(session, status="succeeded")
        began = timezone.now()
        await tasks.converge_session(str(session.pk), failures=failures)
        job = await database_sync_to_async(lambda: _jobs(session, status="todo").get())()
        assert job.args == {"session_id": str(session.pk), "failures": failures + 1}
        assert job.scheduled_at < timezone.now() + timedelta(hours=1.6)
        assert job.scheduled_at > began + timedelta(seconds=1 if failures == 0 else 15)


def test_what_was_put_off_gets_a_job_at_its_time(session: Session) -> None:
    _set(session, status="succeeded")
    due = timezone.now() + timedelta(minutes=7)
    session.resources.filter(provider="neon").update(next_at=due)
    session.resources.filter(provider="github").update(next_at=due + timedelta(hours=1))
    services.session_settle(session.pk)
    job = _jobs(session, status="todo").get()
    assert abs(job.scheduled_at - due) < timedelta(seconds=2)


def test_a_session_that_everybody_forgot_is_given_a_job_and_others_are_left(session: Session) -> None:
    assert sweeps.forgotten_resume() == 0
    _set(session, status="failed")
    assert sweeps.forgotten_resume() == 0  # too young: whoever began it may be at work
    Session.objects.filter(pk=session.pk).update(created_at=timezone.now() - timedelta(minutes=2))
    session.resources.filter(provider="neon").update(next_at=timezone.now() + timedelta(minutes=5))
    session.resources.exclude(provider="neon").update(state="ready", external_id="x")
    assert sweeps.forgotten_resume() == 0  # not due
    session.resources.filter(provider="neon").update(next_at=None)
    assert sweeps.forgotten_resume() == 1
    assert sweeps.forgotten_resume() == 0
    assert _jobs(session, status="todo").count() == 1


def test_a_step_that_waits_for_a_retry_of_the_one_before_it_is_nothing_to_go_on_with(session: Session) -> None:
    _set(session, status="failed")
    Session.objects.filter(pk=session.pk).update(created_at=timezone.now() - timedelta(minutes=2))
    session.resources.exclude(provider="resend").update(state="ready", external_id="x")
    session.resources.filter(provider="resend").update(kind="audience")
    audience = session.resources.get(provider="resend")
    session.resources.create(provider="resend", kind="api_key", name=audience.name)
    assert services.session_unsettled(session.pk)
    session.resources.filter(pk=audience.pk).update(state="failed", error={"reason": "quota"})
    assert not services.session_unsettled(session.pk)
    assert sweeps.forgotten_resume() == 0
    session.resources.filter(pk=audience.pk).update(state="ready", external_id="y", error=None)
    assert services.session_unsettled(session.pk)
    assert sweeps.forgotten_resume() == 1


def test_i13_a_credential_that_is_still_to_be_revoked_is_not_forgotten(session: Session) -> None:
    session.resources.update(state="ready", external_id="x")
    row = session.resources.get(provider="neon")
    credential = Credential(resource=row, name="DATABASE_URL", expires_at=session.expires_at)
    credential.seal(Secret("postgresql://u:p@host/db"))
    credential.save()
    _set(session, status="failed")
    assert sweeps.forgotten_resume() == 0
    Credential.objects.update(expires_at=timezone.now() - timedelta(minutes=2))
    session.resources.filter(pk=row.pk).update(next_at=timezone.now() + timedelta(seconds=30))
    assert sweeps.forgotten_resume() == 0  # its next try lies ahead
    session.resources.filter(pk=row.pk).update(next_at=timezone.now())
    assert sweeps.forgotten_resume() == 1


def test_an_offer_that_somebody_may_have_taken_is_not_forgotten(session: Session) -> None:
    session.resources.update(state="ready", external_id="x")
    _set(session, status="failed")
    its = session.resources.filter(provider="github")
    its.update(meta={"given": {"to": "ada"}}, next_at=timezone.now() + timedelta(seconds=30))
    assert sweeps.forgotten_resume() == 0
    its.update(next_at=timezone.now())
    assert sweeps.forgotten_resume() == 1


def test_an_ending_that_everybody_forgot_is_gone_on_with(session: Session) -> None:
    services.session_end(session)
    Session.objects.filter(pk=session.pk).update(created_at=timezone.now() - timedelta(minutes=2))
    assert sweeps.forgotten_resume() == 0
    _set(session, status="failed")
    assert sweeps.forgotten_resume() == 1
    _set(session, status="failed")
    now = timezone.now()
    session.resources.update(state="gone", deleted_at=now, verified_at=now)
    assert sweeps.forgotten_resume() == 1  # nothing left to destroy, but it has to be closed


def _dead_worker_with(session: Session, *, attempts: int) -> None:
    """The job of the session is in the hands of a worker that stopped beating a minute ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute') RETURNING id"
        )
        (worker,) = cursor.fetchone()
    _set(session, status="doing", worker_id=worker, attempts=attempts)


@pytest.mark.parametrize("work", ["a turn", "a restore"])
def test_a_worker_that_stops_puts_its_job_back_however_often_that_has_happened(
    session: Session, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    with connection.cursor() as cursor:  # other tests leave jobs behind
        cursor.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'turn'")
    if work == "a turn":
        services.turn_submit(session, "A guest book")
    else:
        Version.objects.create(session=session, number=1, sha="a" * 40, tree="b" * 40, message="A guest book")
        services.version_restore(session, 1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET attempts = 7 WHERE queue_name = 'turn'")
    _stopped_at_work(monkeypatch)
    job = ProcrastinateJob.objects.get(queue_name="turn")
    assert (job.status, job.attempts) == ("todo", 8)


@async_to_sync
async def _stopped_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a worker take the job of a turn or a restore, and stop it while it is at it."""
    from sessions_app.agent import turn, versions
    from sessions_app.worker import worker_app

    begun = asyncio.Event()

    async def work_on(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(turn, "run", work_on)
    monkeypatch.setattr(versions, "restore", work_on)
    async with worker_app() as opened:
        at_once = {"install_signal_handlers": False, "shutdown_graceful_timeout": 0.1}
        worker = asyncio.create_task(opened.run_worker_async(queues=["turn"], **at_once))
        await asyncio.wait_for(begun.wait(), 20)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


@async_to_sync
async def _recover() -> None:
    from sessions_app.worker import worker_app

    async with worker_app() as opened:

        class Context:
            app = opened

        await tasks.recover_stalled(Context, 0)


@pytest.mark.parametrize(("attempts", "at_once"), [(0, True), (9, False)])
def test_a_dead_workers_job_goes_on_and_one_that_may_kill_workers_goes_on_later(
    session: Session, attempts: int, at_once: bool
) -> None:
    _dead_worker_with(session, attempts=attempts)
    _recover()
    job = _jobs(session).get()
    assert (job.status, job.attempts) == ("todo", attempts + 1)
    assert (job.scheduled_at <= timezone.now()) is at_once


def test_a_dead_workers_job_that_another_waits_behind_gives_way_to_it(session: Session, ada: Any) -> None:
    """Putting it back would break the queueing lock, and everything that waits would wait for ever."""
    other = services.session_begin(ada.visitor)
    for each in (session, other):
        _dead_worker_with(each, attempts=0)
    jobs.converge_soon(session.pk)
    _recover()
    assert list(_jobs(session).values_list("status", flat=True)) == ["todo"]
    assert list(_jobs(other).values_list("status", flat=True)) == ["todo"]


def test_only_one_of_a_sessions_jobs_is_ever_fetched(session: Session) -> None:
    with connection.cursor() as cursor:  # other tests leave jobs behind: their table is not one of Django's
        cursor.execute("DELETE FROM procrastinate_jobs WHERE lock <> %s", [jobs.lock_of(session.pk)])
    _set(session, status="doing")
    jobs.converge_soon(session.pk)

    @async_to_sync
    async def fetched() -> Any:
        from sessions_app.worker import worker_app

        async with worker_app() as opened:
            manager = opened.job_manager
            worker = await manager.register_worker()
            job = await manager.fetch_job(queues=[jobs.UP], worker_id=worker)
            await manager.unregister_worker(worker)
            return job

    assert fetched() is None
    with connection.cursor() as cursor:
        running = [jobs.lock_of(session.pk)]
        cursor.execute("DELETE FROM procrastinate_jobs WHERE lock = %s AND status = 'doing'", running)
    assert fetched() is not None
