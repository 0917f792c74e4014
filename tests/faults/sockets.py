"""Browsers that watch: WebSockets that follow a session's log and come back after the last number they saw."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field

import aiohttp

from tests.faults.house import House
from tests.faults.visitors import Visit

_PAUSE = 0.2


@dataclass
class Watcher:
    """One client on one session. `seqs` is every number it was sent, in order; `states` the last state of each leg."""

    house: House
    visit: Visit
    seqs: list[int] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    session: str = "open"

    @property
    def last(self) -> int:
        """The newest event it knows of."""
        return self.seqs[-1] if self.seqs else 0

    async def watch(self) -> None:
        """Follow the log until cancelled, over as many connections as it takes."""
        async with aiohttp.ClientSession() as client:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    await self._follow(client)
                await asyncio.sleep(_PAUSE)

    async def _follow(self, client: aiohttp.ClientSession) -> None:
        url = f"{random.choice(self.house.urls)}/ws/session/"
        params = {"slug": self.visit.slug, "after": str(self.last)}
        headers = {"Authorization": f"Bearer {self.visit.key}"}
        async with client.ws_connect(url, params=params, headers=headers, timeout=aiohttp.ClientWSTimeout(5)) as socket:
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(message.data))

    def _take(self, frame: dict[str, object]) -> None:
        if "seq" not in frame or frame["type"] == "snapshot":
            return
        self.seqs.append(int(str(frame["seq"])))
        data = frame["data"]
        assert isinstance(data, dict)
        if frame["type"] == "resource.changed":
            self.states[data["provider"]] = data["state"]
        elif frame["type"] in ("session.closing", "session.closed"):
            self.session = str(frame["type"]).rpartition(".")[2]
