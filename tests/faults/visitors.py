"""People at the door: they begin sessions over REST, wait, retry what failed, and mostly end what they began.

A web process that dies under a request is met as a good client would meet it: the same request again, to whichever
process answers, with the same `Idempotency-Key`. What the product answers is counted by status.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.house import House

LOOK = 0.5  # seconds between looks at a session
_PAUSE = 0.2  # seconds before a request that failed is sent again
_RESTING = {"ready", "failed", "gone", "stuck"}


class Unanswered(AssertionError):
    """The product did not answer, or an end did not come, in the time a visit may take."""


@dataclass
class Manners:
    """How visitors behave. Shares are of sessions."""

    ends: float = 1.0  # are ended; the others stay open for the oracle
    most_open: int = 40  # of those; a vendor has room for so many only
    early: float = 0.3  # of the ended: while they are still being made
    retries: int = 1  # of a leg that failed
    within: float = 240.0  # seconds a visit may take before it counts as unanswered


@dataclass
class Visit:
    """One session as its visitor knows it."""

    slug: str
    key: str
    ended: bool = False


@dataclass
class Visitors:
    """All visitors of one experiment, `in_flight` of them at a time."""

    house: House
    in_flight: int
    manners: Manners = field(default_factory=Manners)
    urls: list[str] | None = None  # where they knock; at every web process unless told
    visits: list[Visit] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    refused: int = 0  # connections that were refused, reset or silent
    done: int = 0
    all_came: asyncio.Event = field(default_factory=asyncio.Event)
    random: random.Random = field(default_factory=random.Random)
    _left_open: int = 0
    _session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Visitors:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(10))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def come(
        self,
        number: int | None = None,
        *,
        seconds: float | None = None,
        enough: Callable[[], bool] = lambda: True,
    ) -> None:
        """Let `number` visitors come, and others after them until it is `enough`; or as many as find room in `seconds`.

        `all_came` is set when the last is there, `in_flight` or fewer of them still at it; returns when all have left.

        Raises:
            Unanswered: a visit did not come to its end.
        """
        room = asyncio.Semaphore(self.in_flight)
        until = time.monotonic() + (seconds if seconds is not None else float("inf"))

        async def one() -> None:
            try:
                await self.visit()
            finally:
                room.release()

        async with asyncio.TaskGroup() as group:
            for came in itertools.count():
                if number is not None and came >= number and enough():
                    break
                try:
                    async with asyncio.timeout(until - time.monotonic() if seconds is not None else None):
                        await room.acquire()
                except TimeoutError:
                    break
                group.create_task(one())
            self.all_came.set()

    async def visit(self) -> Visit:
        """One session from its beginning to whatever end its visitor gives it."""
        ends = self.random.random() < self.manners.ends or self._left_open >= self.manners.most_open
        self._left_open += not ends
        early = ends and self.random.random() < self.manners.early
        visit: Visit | None = None
        try:
            async with asyncio.timeout(self.manners.within):
                visit = await self.begin()
                if early:
                    await asyncio.sleep(self.random.uniform(0, 2))
                else:
                    await self.settled(visit)
                if ends:
                    await self.end(visit)
                    await self.closed(visit)
        except TimeoutError:
            raise Unanswered(f"the visit of {visit and visit.slug} took over {self.manners.within:g} s") from None
        self.done += 1
        return visit

    async def begin(self, url: str | None = None) -> Visit:
        """Begin a session, at `url` first where it is given."""
        token = str(uuid.uuid4())
        made = await self.ask("POST", "", url=url, headers={"Idempotency-Key": token}, wanted=201)
        visit = Visit(made["slug"], made["key"])
        self.visits.append(visit)
        return visit

    async def settled(self, visit: Visit) -> None:
        """Wait until every leg is ready or failed, retrying what failed as often as this visitor's manners say."""
        retried: Counter[str] = Counter()
        while True:
            state = await self.ask("GET", f"/{visit.slug}", visit)
            failed = [one["provider"] for one in state["resources"] if one["state"] == "failed"]
            again = [one for one in failed if retried[one] < self.manners.retries]
            for provider in again:
                retried[provider] += 1
                await self.ask("POST", f"/{visit.slug}/resources/{provider}/retry", visit, wanted=202)
            if not again and all(one["state"] in _RESTING for one in state["resources"]):
                return
            await asyncio.sleep(LOOK)

    async def end(self, visit: Visit, url: str | None = None) -> None:
        """Ask for the session's end, at `url` first where it is given."""
        visit.ended = True
        await self.ask("DELETE", f"/{visit.slug}", visit, url=url, wanted=202)

    async def closed(self, visit: Visit) -> None:
        """Wait until the session says that all of it is proven gone."""
        while (await self.ask("GET", f"/{visit.slug}", visit))["state"] != "closed":
            await asyncio.sleep(LOOK)

    async def env(self, visit: Visit) -> str:
        """The session's `.env`."""
        return str(await self.ask("GET", f"/{visit.slug}/env", visit))

    async def ask(
        self,
        method: str,
        path: str,
        visit: Visit | None = None,
        *,
        url: str | None = None,
        headers: dict[str, str] | None = None,
        wanted: int = 200,
    ) -> Any:
        """Send a request until it is answered as wanted, to any process each time; a 404 or 409 is an answer too."""
        assert self._session is not None
        headers = {**(headers or {}), **({"Authorization": f"Bearer {visit.key}"} if visit else {})}
        while True:
            target = (url or self.random.choice(self.urls or self.house.urls)) + "/api/sessions" + path
            url = None
            try:
                async with self._session.request(method, target, headers=headers) as answer:
                    self.answers[answer.status] += 1
                    plain = answer.content_type == "text/plain"
                    said = await answer.text() if plain else await answer.json()
                    if answer.status in (wanted, 404, 409):
                        return said
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
                self.refused += 1
            await asyncio.sleep(_PAUSE)
