"""The WebSocket: snapshot, then the log in order; what a client says wrong is answered and never closes the socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from mk0r.asgi import application
from sessions_app import events, services, tokens
from sessions_app.models import Session

from .conftest import open_socket

pytestmark = pytest.mark.django_db(transaction=True)
append = database_sync_to_async(events.append)


async def _handshake(**headers: str) -> bool:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    communicator = WebsocketCommunicator(application, "/ws/session/", raw)
    accepted, _ = await communicator.connect(timeout=60)
    await communicator.disconnect(timeout=60)
    return bool(accepted)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:8001",
        "https://localhost:8000",
        "http://5173-abc.localhost:8000",
        "http://localhost:8000.evil.example",
        "http://localhost:8000/path",
        "http://user@localhost:8000",
        "http://localhost:99999999",
        "",
    ],
)
async def test_a_page_of_another_origin_is_refused_the_handshake(origin: str) -> None:
    assert not await _handshake(host="localhost:8000", origin=origin)


async def test_this_very_site_and_programs_without_origin_are_let_in() -> None:
    assert await _handshake(host="localhost:8000", origin="http://localhost:8000")
    assert await _handshake(host="127.0.0.1:8000", origin="http://127.0.0.1:8000")
    assert await _handshake(host="localhost:8000")


async def test_a_host_that_is_not_ours_is_refused_even_when_the_origin_agrees() -> None:
    assert not await _handshake(host="evil.example", origin="http://evil.example")
    assert not await _handshake()


async def test_a_new_visitor_gets_an_empty_snapshot_and_begins(ada: Any) -> None:
    async with ada.socket() as socket:
        assert await socket.hear() == {"type": "snapshot", "session": None, "seq": 0}
        await socket.say("begin")
        snapshot = await socket.until("snapshot")
        assert snapshot["session"]["state"] == "open"
        log = await socket.log(6)
        assert [event["seq"] for event in log] == [1, 2, 3, 4, 5, 6]
        assert log[0]["type"] == "session.opened"


async def test_begin_drives_every_leg_to_ready_and_closing_the_socket_cancels_nothing(ada: Any, backend: Any) -> None:
    backend.gate = asyncio.Event()
    async with ada.socket() as socket:
        await socket.say("begin")
        await socket.until("session.opened")
    backend.gate.set()
    async with ada.socket() as socket:
        ready = set()
        while len(ready) < 5:
            frame = await socket.until("resource.changed", lambda f: f["data"]["state"] == "ready")
            ready.add(frame["data"]["provider"])


async def test_a_cookieless_client_is_told_why_it_cannot_begin() -> None:
    async with open_socket() as socket:
        await socket.hear()
        await socket.say("begin")
        error = await socket.hear()
        assert error["code"] == "forbidden"
        assert "cookie" in error["message"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("not json", "bad_frame"),
        ("[]", "bad_frame"),
        ("null", "bad_frame"),
        ('"begin"', "bad_frame"),
        ("{}", "bad_frame"),
        ('{"type": 7}', "bad_frame"),
        ('{"type": "launch"}', "unknown_type"),
        (r'{"type": "\ud800"}', "unknown_type"),
        ('{"type": "prompt"}', "bad_frame"),
        ('{"type": "prompt", "text": 5}', "bad_frame"),
        ('{"type": "prompt", "text": "x", "more": 1}', "bad_frame"),
        ('{"type": "restore", "number": -1}', "bad_frame"),
        ('{"type": "restore", "number": "1"}', "bad_frame"),
        ('{"type": "retry", "provider": "stripe"}', "bad_frame"),
        ("[" * 30_000, "bad_frame"),
        (json.dumps({"type": "prompt", "text": "x" * 100_000}), "not_begun"),
        ("x" * 300_000, "bad_frame"),
        (b"\x00\x01", "bad_frame"),
        ('{"type": "prompt", "text": "hello"}', "not_begun"),
        ('{"type": "cancel"}', "not_begun"),
        ('{"type": "end"}', "not_begun"),
    ],
)
async def test_a_frame_that_makes_no_sense_is_answered_and_the_socket_stays_open(
    ada: Any, sent: str | bytes, code: str
) -> None:
    async with ada.socket() as socket:
        await socket.hear()
        await socket.raw.send_to(**({"bytes_data": sent} if isinstance(sent, bytes) else {"text_data": sent}))
        error = await socket.hear()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["message"].encode()  # what cannot be sent would end the socket
        await socket.say("begin")
        assert (await socket.until("snapshot"))["session"]


@pytest.mark.parametrize("text", ["", "   \n", "x" * 20_001, "a\x00b", "ring \x07 bell"])
async def test_a_prompt_that_cannot_be_taken_is_refused_with_a_reason(ada: Any, session: Session, text: str) -> None:
    async with ada.socket() as socket:
        await socket.say("prompt", text=text)
        error = await socket.until("error")
        assert "prompt" in error["message"]
    assert not await session.turns.aexists()


async def test_a_prompt_while_one_runs_is_busy_and_a_cancel_frees_the_session(ada: Any, session: Session) -> None:
    async with ada.socket() as socket:
        await socket.say("prompt", text="a guest book")
        assert (await socket.until("turn.started"))["data"] == {"turn": 1, "prompt": "a guest book"}
        await socket.say("prompt", text="and another")
        assert (await socket.until("error"))["code"] == "busy"
        await socket.say("cancel")
        assert (await socket.until("turn.finished"))["data"]["state"] == "cancelled"
        await socket.say("prompt", text="and another")
        assert (await socket.until("turn.started"))["data"]["turn"] == 2


async def test_after_resumes_exactly_and_two_tabs_see_the_same_log(ada: Any, session: Session) -> None:
    for number in range(2, 131):
        await append(session.pk, "notice", {"level": "info", "text": str(number)})
    last = (await database_sync_to_async(services.session_state)(session))["last_seq"]
    async with ada.socket() as first, ada.socket("?after=60") as second:
        whole, rest = await first.log(last), await second.log(last)
    assert [event["seq"] for event in whole] == list(range(1, last + 1))
    assert rest == whole[60:]


async def test_a_bogus_after_replays_everything(ada: Any, session: Session) -> None:
    for after in ("99999", "-1", "x", "9" * 40):
        async with ada.socket(f"?after={after}") as socket:
            assert (await socket.until("session.opened"))["seq"] == 1


async def test_an_event_arrives_at_once_by_the_doorbell(
    ada: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for looks in ("POLL_SECONDS", "IDLE_SECONDS"):  # by itself the consumer would see it long after the test gave up
        monkeypatch.setattr(f"sessions_app.consumers.{looks}", 3600)
    async with ada.socket() as socket:
        await socket.until("resource.changed", lambda frame: frame["seq"] == 6)
        await asyncio.sleep(0.2)
        await append(session.pk, "notice", {"level": "info", "text": "now"})
        assert (await socket.hear())["data"]["text"] == "now"


async def test_with_the_doorbell_broken_the_log_still_arrives_while_something_is_in_flight(
    ada: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ring", lambda slug: None)
    async with ada.socket() as socket:
        await socket.say("prompt", text="hello")
        assert (await socket.until("turn.started"))["data"]["turn"] == 1
        await append(session.pk, "notice", {"level": "info", "text": "unheard"})
        assert (await socket.until("notice"))["data"]["text"] == "unheard"


async def test_a_reader_that_breaks_ends_the_socket_so_that_the_client_comes_back(
    ada: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(session_id: Any, seq: int, limit: int) -> None:
        raise ValueError("a fault of our own")

    monkeypatch.setattr(events, "after", broken)
    async with ada.socket() as socket:
        await socket.until("snapshot")
        assert await socket.raw.receive_output(60) == {"type": "websocket.close", "code": 1011}


async def test_another_visitors_slug_is_not_found_and_shows_nothing(ada: Any, ben: Any, session: Session) -> None:
    async with ben.socket(f"?slug={session.slug}") as socket:
        assert (await socket.hear())["code"] == "not_found"
        assert await socket.hear() == {"type": "snapshot", "session": None, "seq": 0}
        await append(session.pk, "notice", {"level": "info", "text": "private"})
        assert await socket.raw.receive_nothing(0.3)


async def test_a_key_opens_its_session_and_no_other(ada: Any, session: Session) -> None:
    key = tokens.session_key(session)
    async with open_socket(authorization=f"Bearer {key}") as socket:
        assert (await socket.hear())["session"]["slug"] == session.slug
    async with open_socket("?slug=aaaaaaaaaaaa", authorization=f"Bearer {key}") as socket:
        assert (await socket.hear())["code"] == "not_found"
    async with open_socket(authorization=f"Bearer {key[:-1]}x") as socket:
        assert (await socket.hear())["code"] == "forbidden"


async def test_retry_brings_a_failed_leg_in(ada: Any, backend: Any) -> None:
    backend.failing = {"resend"}
    async with ada.socket() as socket:
        await socket.say("begin")
        failed = await socket.until("resource.changed", lambda f: f["data"]["state"] == "failed")
        assert failed["data"]["provider"] == "resend"
        assert failed["data"]["error"]["message"] == "Resend does not answer."
        backend.failing = set()
        await socket.say("retry", provider="resend")
        await socket.until(
            "resource.changed", lambda f: f["data"]["provider"] == "resend" and f["data"]["state"] == "ready"
        )
        await socket.say("retry", provider="resend")
        assert (await socket.until("error"))["code"] == "not_found"


async def test_end_destroys_everything_and_says_so(ada: Any, session: Session) -> None:
    async with ada.socket() as socket:
        await socket.say("end")
        await socket.until("session.closing")
        await socket.until("session.closed")
        await socket.say("prompt", text="too late")
        assert (await socket.until("error"))["code"] == "closed"
        await socket.say("begin")
        snapshot = await socket.until("snapshot")
        assert snapshot["session"]["slug"] != session.slug


async def test_undo_with_nothing_behind_is_not_found(ada: Any, session: Session) -> None:
    async with ada.socket() as socket:
        for kind, fields in (("undo", {}), ("redo", {}), ("restore", {"number": 3})):
            await socket.say(kind, **fields)
            assert (await socket.until("error"))["code"] == "not_found"


async def test_a_limit_says_which_and_until_when(
    ada: Any, session: Session, settings: Any, finish: Callable[..., Any]
) -> None:
    settings.MK0R_TURN_LIMIT = 1
    async with ada.socket() as socket:
        await socket.say("prompt", text="one")
        await socket.until("turn.started")
        await sync_to_async(finish)(session)
        await socket.say("prompt", text="two")
        error = await socket.until("error")
        assert (error["code"], error["limit"]) == ("limit", "turns")
        assert error["until"]
