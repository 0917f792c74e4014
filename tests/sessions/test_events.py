"""The event log: numbered without gaps, redacted and cut before it is written, announced after the commit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from pydantic import ValidationError

from sessions_app import events, services, tokens
from sessions_app.models import Event, Session

pytestmark = pytest.mark.django_db(transaction=True)


def test_seq_is_gapless_under_eight_concurrent_writers_some_of_whom_roll_back(session: Session) -> None:
    class Change(Exception):
        pass

    def write(writer: int) -> None:
        try:
            for turn in range(25):
                try:
                    with transaction.atomic():
                        events.append(session.pk, "agent.text", {"turn": writer, "text": str(turn)})
                        if turn % 5 == 4:
                            raise Change
                except Change:
                    continue
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    log = events.after(session.pk, 0, limit=1000)
    assert [event.seq for event in log] == list(range(1, 1 + 1 + 8 * 20))
    for writer in range(8):
        mine = [int(each.data["text"]) for each in log if each.type == "agent.text" and each.data["turn"] == writer]
        assert mine == sorted(mine)


def test_after_gives_exactly_what_was_missed(session: Session) -> None:
    for number in range(10):
        events.append(session.pk, "notice", {"level": "info", "text": str(number)})
    assert [event.data["text"] for event in events.after(session.pk, 6)] == ["5", "6", "7", "8", "9"]
    assert [event.seq for event in events.after(session.pk, 6, limit=2)] == [7, 8]
    assert events.after(session.pk, 11) == []


@pytest.mark.parametrize("spell", [str, lambda text: quote(text, safe=""), json.dumps], ids=["raw", "url", "json"])
def test_a_known_secret_is_dots_however_it_is_spelled(session: Session, spell: Any) -> None:
    from provisioning import services as provisioning

    (password,) = provisioning.secret_values(session)
    data = {"turn": 1, "id": "t", "name": "Bash", "summary": f"PGPASSWORD={spell(password)}"}
    data["input"] = {"command": ["psql", {spell(password): f"a{spell(password)}b"}]}
    event = events.append(session.pk, "agent.tool", data)
    assert password not in json.dumps(Event.objects.get(pk=event.pk).data)
    assert spell(password).strip('"') not in json.dumps(Event.objects.get(pk=event.pk).data, ensure_ascii=False)
    assert "•••" in event.data["summary"]


def test_the_sessions_own_tokens_are_redacted_in_log_and_state(session: Session) -> None:
    prompt = f"use {tokens.gateway_token(session)} and {tokens.session_key(session)}"
    services.turn_submit(session, prompt)
    shown = json.dumps([events.frame(event) for event in events.after(session.pk, 0)])
    shown += json.dumps(services.session_state(session))
    assert tokens.gateway_token(session) not in shown
    assert tokens.session_key(session) not in shown


def test_a_secret_across_the_cut_leaves_no_half_behind(session: Session) -> None:
    from provisioning import services as provisioning

    (password,) = provisioning.secret_values(session)
    text = "x" * (events.MAX_TEXT * 3 // 4 - 5) + password + "y" * 9000
    event = events.append(session.pk, "agent.result", {"turn": 1, "id": "t", "ok": True, "output": text})
    assert password[:5] not in event.data["output"]
    assert "characters left out" in event.data["output"]
    assert len(event.data["output"]) < events.MAX_TEXT + 100


def test_nul_lone_surrogates_nesting_and_huge_inputs_are_stored_in_a_bounded_form(session: Session) -> None:
    deep: Any = "leaf"
    for _ in range(50):
        deep = {"down": deep}
    data = {"turn": 1, "id": "a\0b", "name": "Write\ud800", "summary": "é", "input": {"n": float("nan"), "deep": deep}}
    data["input"] |= {f"file{n}": "z" * 50_000 for n in range(300)}
    event = Event.objects.get(pk=events.append(session.pk, "agent.tool", data).pk)
    assert "\0" not in event.data["id"]
    assert len(json.dumps(event.data)) < events.MAX_EVENT


def test_an_unknown_type_or_field_is_refused(session: Session) -> None:
    with pytest.raises(KeyError):
        events.append(session.pk, "made.up", {})
    with pytest.raises(ValidationError):
        events.append(session.pk, "notice", {"level": "info", "text": "x", "extra": 1})


def test_no_doorbell_rings_for_what_was_rolled_back(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(events, "ring", rung.append)
    with transaction.atomic():
        events.append(session.pk, "notice", {"level": "info", "text": "x"})
        transaction.set_rollback(True)
    assert rung == []
    events.append(session.pk, "notice", {"level": "info", "text": "x"})
    assert rung == [session.slug]


def test_a_channel_layer_that_is_down_loses_no_event(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        async def group_send(self, group: str, message: object) -> None:
            raise ConnectionError("no redis")

    monkeypatch.setattr(events, "get_channel_layer", Down)
    events.append(session.pk, "notice", {"level": "info", "text": "still here"})
    assert events.after(session.pk, 1)[0].data["text"] == "still here"
