"""Taking prompts, stopping them, and moving between versions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from sessions_app import events, services
from sessions_app.errors import BadPrompt, Busy, Closed, Limit, NotFound
from sessions_app.models import Session, Turn
from sessions_app.turns import turns_take_up

pytestmark = pytest.mark.django_db(transaction=True)


def _jobs(session: Session, name: str) -> list[dict[str, Any]]:
    jobs = ProcrastinateJob.objects.filter(task_name=f"sessions_app.tasks.{name}", lock=f"session.{session.pk}")
    return [job.args for job in jobs]


def test_a_prompt_becomes_turn_event_and_job_together(session: Session) -> None:
    turn = services.turn_submit(session, "  a guest book\r\nwith mail\n")
    assert (turn.number, turn.state, turn.prompt) == (1, "queued", "a guest book\nwith mail")
    assert events.after(session.pk, 1)[-1].type == "turn.started"
    assert _jobs(session, "run_turn") == [{"turn_id": turn.pk}]
    session.refresh_from_db()
    assert session.title == "a guest book"
    assert session.prompted_at


def test_of_eight_prompts_at_once_one_is_taken_and_seven_are_busy(session: Session) -> None:
    def submit(_: int) -> str:
        try:
            services.turn_submit(session, "me first")
        except Busy:
            return "busy"
        finally:
            connection.close()
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(submit, range(8)))
    assert sorted(outcomes) == ["busy"] * 7 + ["taken"]
    assert len(_jobs(session, "run_turn")) == 1


@pytest.mark.parametrize("prompt", ["", " \n\t ", "x" * 20_001, "nul \0", "escape \x1b[31m", "half \ud800"])
def test_what_is_no_prompt_is_refused(session: Session, prompt: str) -> None:
    with pytest.raises(BadPrompt):
        services.turn_submit(session, prompt)
    assert not session.turns.exists()


def test_twenty_thousand_characters_of_any_script_are_taken_whole(session: Session) -> None:
    prompt = ("家計簿アプリ 🍣 " * 2000)[:20_000].strip()
    services.turn_submit(session, prompt)
    assert events.after(session.pk, 1)[-1].data["prompt"] == prompt


def test_a_queued_turn_is_cancelled_at_once_and_a_running_one_is_asked_to_stop(session: Session) -> None:
    services.turn_submit(session, "one")
    assert services.turn_cancel(session).state == "cancelled"
    turn = services.turn_submit(session, "two")
    Turn.objects.filter(pk=turn.pk).update(state="running", started_at=timezone.now())
    assert services.turn_cancel(session).state == "running"
    turn.refresh_from_db()
    assert turn.cancel_requested
    Turn.objects.filter(pk=turn.pk).update(state="done")
    assert services.turn_cancel(session) is None


def test_a_turn_given_up_by_its_job_frees_the_session(session: Session) -> None:
    turn = services.turn_submit(session, "one")
    services.turn_fail(turn.pk, "mk0r itself failed.")
    services.turn_fail(turn.pk, "Twice.")
    ended = [event for event in events.after(session.pk, 0) if event.type == "turn.finished"]
    assert [event.data["state"] for event in ended] == ["failed"]
    assert services.turn_submit(session, "two").number == 2


@pytest.mark.parametrize("status", ["aborted", "failed"])
def test_a_turn_whose_job_is_gone_is_given_another(session: Session, status: str) -> None:
    """As when somebody ended the job by hand, or it failed at telling that its turn had."""
    turn = services.turn_submit(session, "go")
    Turn.objects.filter(pk=turn.pk).update(state="running")
    assert turns_take_up() == 0
    waiting = ProcrastinateJob.objects.filter(lock=f"session.{session.pk}")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE lock = %s", [status, f"session.{session.pk}"])
    assert turns_take_up() == 1
    assert turns_take_up() == 0
    assert waiting.get(status="todo").args == {"turn_id": turn.pk}
    services.turn_fail(turn.pk, "Over.")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE lock = %s", [f"session.{session.pk}"])
    assert turns_take_up() == 0


def test_the_turn_limit_counts_the_visitors_day_over_all_sessions(
    session: Session, ada: Any, settings: Any, finish: Callable[..., Turn]
) -> None:
    settings.MK0R_TURN_LIMIT = 2
    services.turn_submit(session, "one")
    first = finish(session)
    other = services.session_begin(ada.visitor)
    assert services.session_state(other)["limits"]["turns_left"] == 1
    services.turn_submit(other, "two")
    finish(other)
    with pytest.raises(Limit) as refused:
        services.turn_submit(other, "three")
    assert refused.value.until == first.created_at + timedelta(days=1)
    Turn.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(hours=25))
    services.turn_submit(other, "three")


def test_of_prompts_at_once_in_many_sessions_the_visitor_gets_no_more_than_the_limit(ada: Any, settings: Any) -> None:
    settings.MK0R_TURN_LIMIT = 2
    sessions = [services.session_begin(ada.visitor) for _ in range(8)]

    def submit(each: Session) -> str:
        try:
            services.turn_submit(each, "me too")
        except Limit:
            return "limit"
        finally:
            connection.close()
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(submit, sessions))
    assert sorted(outcomes) == ["limit"] * 6 + ["taken"] * 2


def test_a_session_that_used_its_money_takes_no_more_turns(session: Session, settings: Any) -> None:
    settings.MK0R_BUDGET_USD = 1.0
    Session.objects.filter(pk=session.pk).update(spent_usd=1)
    with pytest.raises(Limit) as refused:
        services.turn_submit(session, "one")
    assert refused.value.limit == "budget"


def test_undo_redo_and_restore_ask_for_the_right_version_one_at_a_time(
    session: Session, versions: Callable[..., Any]
) -> None:
    for tree in "abc":
        versions(session, tree)
    assert services.undo(session).number == 2
    with pytest.raises(Busy):
        services.undo(session)
    with pytest.raises(Busy):
        services.turn_submit(session, "during a restore")
    assert _jobs(session, "restore_version") == [{"session_id": str(session.pk), "number": 2, "newest": 3}]
    versions(session, "b", restores=2)  # the version is there; its job may still be pushing it
    state = services.session_state(session)
    assert (state["can_undo"], state["can_redo"]) == (True, True)
    assert [v["number"] for v in state["versions"] if v["current"]] == [4]
    assert services.redo(session).number == 3
    _done(session)
    versions(session, "c", restores=3)
    assert services.version_restore(session, 1).number == 1
    with pytest.raises(NotFound):
        services.redo(session)


def _done(session: Session) -> None:
    """The worker ran the restore."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE lock = %s", [f"session.{session.pk}"])


def test_a_version_that_does_not_exist_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        services.version_restore(session, 1)


def test_an_ended_session_takes_nothing(session: Session) -> None:
    services.session_end(session)
    for call in (lambda: services.turn_submit(session, "x"), lambda: services.version_restore(session, 1)):
        with pytest.raises(Closed):
            call()
    with pytest.raises(Closed):
        services.leg_retry(session, "neon")
