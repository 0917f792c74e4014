"""Fan-out of events to whoever listens now: nothing is kept for later, and a slow listener slows the source down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from .connect import Json

QUEUE_LENGTH = 32


class Subscription:
    """One listener's bounded queue."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[Json | None] = asyncio.Queue(QUEUE_LENGTH)
        self._left = asyncio.Event()

    async def put(self, item: Json | None) -> None:
        """Hand over an item; waits for room, but not for a listener that has left. None means there is no more."""
        if self._left.is_set():
            return
        try:
            self._items.put_nowait(item)
        except asyncio.QueueFull:
            put, left = asyncio.ensure_future(self._items.put(item)), asyncio.ensure_future(self._left.wait())
            try:
                await asyncio.wait({put, left}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                put.cancel()
                left.cancel()

    def leave(self) -> None:
        """The listener is gone: whatever waits for room waits no longer."""
        self._left.set()

    async def items(self, quiet_seconds: float) -> AsyncIterator[Json | None]:
        """The items until the end; yields None whenever nothing came for ``quiet_seconds``."""
        while True:
            try:
                async with asyncio.timeout(quiet_seconds):
                    item = await self._items.get()
            except TimeoutError:
                yield None
                continue
            if item is None:
                return
            yield item


class Broadcast:
    """The source's end: publishes to all present listeners."""

    def __init__(self) -> None:
        self._listeners: set[Subscription] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen from now on, until the block is left."""
        listener = Subscription()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            listener.leave()

    async def publish(self, item: Json | None) -> None:
        """Hand an item to every listener of this moment; without any it is dropped."""
        for listener in tuple(self._listeners):
            await listener.put(item)
