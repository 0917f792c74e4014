"""The WebSocket of a session: says who it is, sends a snapshot, then the log, and hands what the client says to
services.

A socket is bound to one session at a time. While it is, one task reads the log after the last number sent and sends
what is new: when the doorbell rings, every two seconds while anything is in flight, and now and then anyway, so a
lost ring costs time only. Replay after a reconnect is that same task. Closing the socket stops this task and nothing
else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from sessions_app import addresses, events, frames, origin, services, tokens, visitors
from sessions_app.errors import Closed, Forbidden, NotFound, Refused
from sessions_app.models import Event, Session
from sessions_app.process import sessions
from sessions_app.state import sandbox_state

log = logging.getLogger(__name__)

BATCH = 50  # events read and sent at once
POLL_SECONDS = 2.0
IDLE_SECONDS = 30.0
PRESENT_SECONDS = 60.0

P = ParamSpec("P")
T = TypeVar("T")


class NotBegun(Refused):
    """The socket has no session yet."""

    code = "not_begun"


class SessionConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One client's socket. `begin`, an open session of the cookie, `?slug=` or a Bearer key bind it to a session."""

    visitor: visitors.Visitor | None = None
    session: Session | None = None
    fixed = False  # bound by slug or key: `begin` never moves it to another session

    async def connect(self) -> None:
        """Refuse a foreign page; otherwise accept, bind to what the caller may see, and send the snapshot."""
        self._bell = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._sent = 0
        self._present_at = time.monotonic()
        if not origin.allowed(self.scope):
            await self.close()
            return
        await self.accept()
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        try:
            found = await _db(self._identify, query.get("slug", [""])[0])
        except Refused as refusal:
            await self._refuse(refusal)
            found = None
        after = query.get("after", ["0"])[0]
        await self._bind(found, int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 (given by channels)
        """Stop reading the log for this socket. What goes on in the session goes on."""
        await self._unbind()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        """Carry out one client frame; whatever is wrong with it is answered, and the socket stays open."""
        try:
            await self._obey(frames.parse(text_data))
        except Refused as refusal:
            await self._refuse(refusal)
        except DatabaseError:
            log.exception("socket.frame_failed session=%s", self.session.slug if self.session else None)
            await self._error("busy", "mk0r cannot reach its database at the moment. Please try again.")

    async def bell(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        """The session's log has news."""
        self._bell.set()

    # --- frames
    async def _obey(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.Begin):
            await self._begin()
            return
        if self.session is None:
            raise NotBegun("There is no session on this connection yet. Send “begin” first.")
        converge = await _db(_carry_out, self.session, frame)
        self._bell.set()  # whether or not the doorbell works: from now on something is in flight
        if converge:
            sessions.ensure(self.session.pk)

    async def _begin(self) -> None:
        if self.fixed and self.session is not None:
            session = await _db(_touched, self.session)
            if session.state != Session.State.OPEN:
                raise Closed("This session has ended. Begin a new one on the home page.")
        else:
            session = await _db(_joined, self.visitor, addresses.socket_address(self.scope))
        sessions.ensure(session.pk)
        joined = self.session is not None and self.session.pk == session.pk
        await self._bind(session, self._sent if joined else 0)

    # --- binding
    def _identify(self, slug: str) -> Session | None:
        """Find out who is there and which session this socket is for.

        Raises:
            Forbidden: the key is not valid. NotFound: no such session, or not theirs.
        """
        headers = self.scope["headers"]
        self.visitor = visitors.from_headers(headers)
        if (key := bearer(headers)) is not None:
            session = tokens.resolve_session_key(key)
            if session is None:
                raise Forbidden("This key is not valid.")
            self.fixed = True
            return session if slug in {"", session.slug} else _missing()
        if slug:
            session = services.session_for(self.visitor, slug)
            self.fixed = session is not None
            return session or _missing()
        return services.session_current(self.visitor)

    async def _bind(self, session: Session | None, after: int) -> None:
        """Send the snapshot of `session` and then every event of it after number `after`."""
        await self._unbind()
        self.session = session
        if session is None:
            await self._send({"type": "snapshot", "session": None, "seq": 0})
            return
        # The doorbell first: what is written between snapshot and reading then rings.
        await self.channel_layer.group_add(events.group_of(session.slug), self.channel_name)
        state, unsettled = await _db(_snapshot, session)
        if unsettled:
            sessions.ensure(session.pk)
        self._wake(state["sandbox"])
        await self._send({"type": "snapshot", "session": state, "seq": state["last_seq"]})
        self._sent = after if after <= state["last_seq"] else 0
        self._pump = asyncio.create_task(self._follow(session), name=f"socket {session.slug}")

    async def _unbind(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
            self._pump = None
        if self.session is not None:
            await self.channel_layer.group_discard(events.group_of(self.session.slug), self.channel_name)

    # --- the log
    async def _follow(self, session: Session) -> None:
        try:
            await self._read_log(session)
        except Exception:
            # The task's boundary. The client comes back by itself and gets what it missed.
            log.exception("socket.reader_failed session=%s", session.slug)
            await self.close(code=1011)

    async def _read_log(self, session: Session) -> None:
        while True:
            self._bell.clear()
            try:
                batch, in_flight = await _db(_read, session.pk, self._sent)
                if time.monotonic() - self._present_at > PRESENT_SECONDS:
                    await self._be_present(session)
            except DatabaseError as error:
                log.warning("socket.read_failed session=%s error=%s", session.slug, type(error).__name__)
                batch, in_flight = [], True
            for event in batch:
                await self._send(events.frame(event))
                self._sent = event.seq
            if len(batch) == BATCH:
                await asyncio.sleep(0)  # a long replay leaves room for the other sockets
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS if in_flight else IDLE_SECONDS):
                    await self._bell.wait()

    async def _be_present(self, session: Session) -> None:
        """While somebody looks, the session is not abandoned and its sandbox does not sleep."""
        self._present_at = time.monotonic()
        self._wake(await _db(_presence, session))

    def _wake(self, sandbox: dict[str, str] | None) -> None:
        state = (sandbox or {}).get("state")
        if self.session is not None and state in {"running", "paused", "lost"}:
            sessions.wake(self.session.pk, now=state != "running")

    # --- sending
    async def _send(self, content: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(content, ensure_ascii=False, separators=(",", ":")))

    async def _refuse(self, refusal: Refused) -> None:
        await self._error(refusal.code, str(refusal), **refusal.details())

    async def _error(self, code: str, message: str, **details: Any) -> None:
        await self._send({"type": "error", "code": code, "message": message, **details})


def bearer(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key of an `Authorization: Bearer …` header, or None without one."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
    return None


async def _db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    result: T = await database_sync_to_async(function)(*args, **kwargs)
    return result


def _missing() -> Session:
    raise NotFound("There is no such session.")


def _joined(visitor: visitors.Visitor | None, address: str) -> Session:
    return services.session_join(visitor, address=address)


def _touched(session: Session) -> Session:
    services.session_touch(session.pk)
    session.refresh_from_db()
    return session


def _snapshot(session: Session) -> tuple[dict[str, Any], bool]:
    services.session_touch(session.pk)
    return services.session_state(session), services.session_unsettled(session.pk)


def _presence(session: Session) -> dict[str, str] | None:
    services.session_touch(session.pk)
    return sandbox_state(session)


def _read(session_id: UUID, after: int) -> tuple[list[Event], bool]:
    batch = events.after(session_id, after, BATCH)
    return batch, len(batch) < BATCH and services.session_in_flight(session_id)


def _carry_out(session: Session, frame: frames.Frame) -> bool:
    """Do what the frame asks of the session. True when the session is then to be converged."""
    services.session_touch(session.pk)
    match frame:
        case frames.Prompt(text=text):
            services.turn_submit(session, text)
        case frames.Cancel():
            if services.turn_cancel(session) is None:
                raise NotFound("Nothing is running that could be stopped.")
        case frames.Retry(provider=provider):
            services.leg_retry(session, provider)
            return True
        case frames.Move(type="undo"):
            services.undo(session)
        case frames.Move():
            services.redo(session)
        case frames.Restore(number=number):
            services.version_restore(session, number)
        case frames.End():
            return services.session_end(session)
    return False
