"""A browser as the server sees one: a cookie, two tabs, sockets that break at any moment and come back with `after`."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import websockets

# What a client may ask to resume after: numbers that never were, and what is no number at all.
ODD_AFTERS = ("999999999", "1000000", "-1", "1.5", "1e3", "abc", "", "0x10", "%00", "9" * 40, "٣")


@dataclass
class Tally:
    """What all browsers did, for the figures."""

    connections: int = 0
    frames: int = 0
    moves: dict[str, int] = field(default_factory=dict)

    def count(self, move: str) -> None:
        """Note a move."""
        self.moves[move] = self.moves.get(move, 0) + 1

    def figures(self) -> dict[str, object]:
        """Everything counted."""
        return {"connections": self.connections, "frames": self.frames, "moves": dict(sorted(self.moves.items()))}


class Tab:
    """One page: what it has read of the log, and what it shows of it."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.slug = ""
        self.seen = 0
        self.states: dict[str, str] = {}
        self.env = False
        self.closed = False
        self.socket: Any = None

    async def open(self, after: str | None = None) -> None:
        """Connect, resuming where it was or after something odd; begins a session when there is none."""
        browser = self._browser
        browser.tally.connections += 1
        query = f"after={self.seen if after is None else after}" + (f"&slug={self.slug}" if self.slug else "")
        base = browser.dice.choice(browser.bases)
        self.socket = await websockets.connect(
            f"ws://{base}/ws/session/?{query}", origin=websockets.Origin(f"http://{base}"),
            additional_headers={"Cookie": f"{browser.cookie}"}, max_queue=4, close_timeout=1,
        )  # fmt: skip
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
            self._forget()  # the server cannot know where this client was, and starts at the beginning
        first = json.loads(await self.socket.recv())
        assert first["type"] == "snapshot", first
        if first["session"] is None:
            await self.socket.send('{"type":"begin"}')
            return
        self._take_snapshot(first, after)

    def _forget(self) -> None:
        self.seen, self.states, self.env = 0, {}, False

    def _take_snapshot(self, frame: dict[str, Any], after: str | None = None) -> None:
        session = frame["session"]
        assert self.slug in {"", session["slug"]}, "a tab was moved to another session"
        self.slug = self._browser.slug = session["slug"]
        wanted = self.seen if after is None else int(after) if after.isascii() and after.isdigit() else 0
        if wanted > frame["seq"]:
            self._forget()

    async def listen(self) -> None:
        """Take in frames until the socket ends."""
        with suppress(websockets.ConnectionClosed):
            while True:
                self.take(json.loads(await self.socket.recv()))

    def take(self, frame: dict[str, Any]) -> None:
        """Take in one frame: the next of the log and no other.

        Raises:
            AssertionError: there is a gap, or something came twice.
        """
        self._browser.tally.frames += 1
        if frame["type"] == "snapshot":
            self._take_snapshot(frame)
            return
        if frame["type"] == "error":
            assert frame["code"] == "closed", frame
            return
        assert frame["seq"] == self.seen + 1, (frame["seq"], self.seen)
        self.seen, data = frame["seq"], frame["data"]
        if frame["type"] == "resource.changed":
            self.states[data["provider"]] = data["state"]
        self.env = self.env or frame["type"] == "env.written"
        self.closed = self.closed or frame["type"] == "session.closed"

    async def follow(self, until: Callable[[Tab], bool]) -> None:
        """Take in frames until `until` holds, connecting again when the socket ends."""
        while not until(self):
            try:
                self.take(json.loads(await self.socket.recv()))
            except websockets.ConnectionClosed:
                await self.open()

    def cut(self) -> None:
        """Break the connection as a pulled plug does: no close frame, no word."""
        if self.socket is not None:
            self.socket.transport.abort()

    def require_true(self, told: dict[str, Any]) -> None:
        """Require that it has read the whole log and shows what the database says."""
        assert self.states == told["states"], (self.states, told["states"])
        assert told["seqs"] == list(range(1, len(told["seqs"]) + 1)), "the log has a gap"
        assert self.seen <= len(told["seqs"])


class Browser:
    """One visitor with two tabs, whose connections go to any of the web processes at `bases`."""

    def __init__(self, bases: list[str], secret: str, dice: random.Random, tally: Tally) -> None:
        from sessions_app.visitors import cookie_name

        self.bases, self.secret, self.dice, self.tally = bases, secret, dice, tally
        self.cookie = f"{cookie_name()}={signed(secret)}"
        self.slug = ""
        self.tabs = [Tab(self), Tab(self)]

    async def misbehave(self, reconnects: int) -> None:
        """Both tabs at once, each cut and reopened at random moments until they have connected `reconnects` times."""
        await asyncio.gather(*[self._misbehave(tab, reconnects // len(self.tabs)) for tab in self.tabs])

    async def _misbehave(self, tab: Tab, connections: int) -> None:
        for number in range(connections):
            move = self.dice.choice(["refresh", "close", "offline", "odd", "deaf", "return"]) if number else "return"
            self.tally.count(move)
            if move == "refresh":
                tab._forget()  # a page that is loaded again knows nothing
            if move == "offline":  # shortened: what counts is that the log went on meanwhile
                await asyncio.sleep(self.dice.uniform(0.2, 1.0))
            odd = self.dice.choice(ODD_AFTERS) if move == "odd" and tab.slug else None
            await tab.open(odd)
            if move == "deaf":  # a phone in a tunnel: the connection stands, and nothing is read from it
                await asyncio.sleep(self.dice.uniform(0.1, 0.5))
            with suppress(TimeoutError):
                async with asyncio.timeout(self.dice.uniform(0.0, 0.4)):
                    await tab.listen()
            if self.dice.random() < 0.7:
                tab.cut()
            else:
                await tab.socket.close()
        await tab.open()

    async def until(self, shown: Callable[[Tab], bool]) -> None:
        """Wait until both tabs show it."""
        await asyncio.gather(*[tab.follow(shown) for tab in self.tabs])

    async def end(self) -> None:
        """End the session from both tabs at once and wait until both show it closed."""
        for tab in self.tabs:
            await tab.socket.send('{"type":"end"}')
        await self.until(lambda tab: tab.closed)
        for tab in self.tabs:
            await tab.socket.close()


def signed(secret: str) -> str:
    """The value of the visitor cookie for this secret."""
    from django.core.signing import Signer

    return Signer(salt="mk0r.visitor").sign(secret)
