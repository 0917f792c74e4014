"""Jobs of workers that died go to others, each for itself."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job

from provisioning import services as provisioning
from provisioning.models import Resource
from sessions_app import services, tasks


def _of_a_dead_worker(name: str, queueing_lock: str | None = None) -> int:
    """A job that a worker took before it died."""
    job_id: int = app.configure_task(name, queue="sweep", queueing_lock=queueing_lock).defer(timestamp=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [job_id])
    return job_id


def _states(*job_ids: int) -> list[str | None]:
    found = {job.pk: job.status for job in ProcrastinateJob.objects.filter(pk__in=job_ids)}
    return [found.get(job_id) for job_id in job_ids]


async def _recover() -> None:
    connector: Any = app.connector
    async with app.with_connector(connector.get_worker_connector()).open_async() as worker_app:
        await tasks.recover_stalled(SimpleNamespace(app=worker_app), 0)


@pytest.mark.django_db(transaction=True)
async def test_a_job_whose_like_waits_already_does_not_keep_others_from_being_put_back() -> None:
    def arrange() -> tuple[int, int, int]:
        first = _of_a_dead_worker("sessions_app.tasks.settle_late", "settle_late")
        waiting: int = app.configure_task(
            "sessions_app.tasks.settle_late", queue="sweep", queueing_lock="settle_late"
        ).defer(timestamp=0)
        return first, waiting, _of_a_dead_worker("sessions_app.tasks.close_expired")

    first, waiting, other = await database_sync_to_async(arrange)()
    await _recover()
    assert await database_sync_to_async(_states)(first, waiting, other) == [None, "todo", "todo"]


@pytest.mark.django_db
def test_i7_a_teardown_comes_back_when_its_next_delete_is_due_however_often_its_workers_died(ada: Any) -> None:
    session = services.session_begin(ada.visitor)
    services.session_end(session)
    due = timezone.now() + timedelta(seconds=40)
    Resource.objects.filter(session=session).update(state="deleting", next_at=due)
    raised = tasks.NotYetGone(str(session.pk), provisioning.teardown_due(session.pk))
    job = Job(id=1, queue="teardown", lock=None, queueing_lock=None, task_name=tasks.teardown.name, attempts=7)
    assert tasks.WhenDue().get_retry_decision(exception=raised, job=job).retry_at == due
