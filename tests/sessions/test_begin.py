"""Beginning a session: once per intent, whoever asks and however often."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient
from procrastinate.contrib.django.models import ProcrastinateJob

from sessions_app import services, slugs
from sessions_app.models import Event, Session

pytestmark = pytest.mark.django_db(transaction=True)


def _in_threads(count: int, call: Any) -> list[Any]:
    def once(_: int) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(once, range(count)))


def test_a_session_has_its_rows_its_first_event_and_its_safety_net_in_one_commit(ada: Any) -> None:
    session = services.session_begin(ada.visitor)
    assert session.resources.count() == 5
    assert Event.objects.get(session=session).type == "session.opened"
    job = ProcrastinateJob.objects.get(args__session_id=str(session.pk))
    assert (job.task_name, job.status) == ("sessions_app.tasks.converge_session", "todo")


def test_when_planning_fails_nothing_of_the_session_is_left(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioning import services as provisioning

    def broken(session: Session) -> None:
        raise RuntimeError("planning broke")

    monkeypatch.setattr(provisioning, "plan", broken)
    before = ProcrastinateJob.objects.count()
    with pytest.raises(RuntimeError):
        services.session_begin(ada.visitor)
    assert not Session.objects.exists()
    assert ProcrastinateJob.objects.count() == before


def test_eight_begins_at_once_with_one_idempotency_key_make_one_session(ada: Any) -> None:
    made = _in_threads(8, lambda: services.session_begin(ada.visitor, "the-key").pk)
    assert len(set(made)) == 1
    assert Session.objects.count() == 1


def test_eight_tabs_that_begin_at_once_share_one_session(ada: Any) -> None:
    assert len(set(_in_threads(8, lambda: services.session_join(ada.visitor).pk))) == 1


def test_the_same_key_of_another_visitor_is_another_session(ada: Any, ben: Any) -> None:
    assert services.session_begin(ada.visitor, "k") != services.session_begin(ben.visitor, "k")


def test_after_a_prompt_begin_makes_a_new_session(ada: Any) -> None:
    first = services.session_join(ada.visitor)
    services.turn_submit(first, "a guest book")
    assert services.session_join(ada.visitor) != first


def test_a_slug_that_is_taken_is_drawn_again(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = uuid.uuid4(), uuid.uuid4()
    draws = iter([taken, taken, free])
    monkeypatch.setattr(services.uuid, "uuid4", lambda: next(draws))
    assert services.session_begin(ada.visitor).pk == taken
    assert services.session_begin(ada.visitor).slug == slugs.slug_for(free)


async def test_rest_begins_a_session_and_drives_its_provisioning() -> None:
    client = AsyncClient()
    response = await client.post("/api/sessions")
    assert response.status_code == 201
    body = response.json()
    assert slugs.verify(body["slug"])
    headers = {"Authorization": f"Bearer {body['key']}"}
    for _ in range(1200):
        state = (await client.get(f"/api/sessions/{body['slug']}", headers=headers)).json()
        if all(each["state"] == "ready" for each in state["resources"]):
            break
        await asyncio.sleep(0.05)
    assert [each["state"] for each in state["resources"]] == ["ready"] * 5
    assert "key" not in state


async def test_an_idempotent_replay_over_rest_returns_the_same_session_and_key() -> None:
    replies = [await AsyncClient().post("/api/sessions", headers={"Idempotency-Key": "mine"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].json()["slug"] == replies[1].json()["slug"]
    assert replies[0].json()["key"] == replies[1].json()["key"]


async def test_on_a_public_address_a_guessable_key_of_a_caller_without_cookie_is_refused(settings: Any) -> None:
    settings.IS_PUBLIC = True
    response = await AsyncClient().post("/api/sessions", headers={"Idempotency-Key": "1"})
    assert response.status_code == 422
    assert "UUID" in response.json()["message"]


async def test_a_control_character_in_the_idempotency_key_is_refused() -> None:
    response = await AsyncClient().post("/api/sessions", headers={"Idempotency-Key": "x" * 300})
    assert response.status_code == 422
