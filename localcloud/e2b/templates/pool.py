"""The layers that templates and snapshots consist of: directories that are complete when they are there, and stay.

A layer belongs to whoever refers to it: `collect` removes those that nobody does any more.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from localcloud.e2b.isolation import layers
from localcloud.e2b.removal import remove_tree
from localcloud.e2b.runtime import Base


class Pool:
    """All layers below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._kept: list[Base] = []  # what nobody refers to yet
        self._lock = asyncio.Lock()  # what is only being made must not be taken for something left over

    async def keep(self, standing: Base, *, move: bool) -> Base:
        """Keep the state of a sandbox: its own layer is moved (its end is then due) or copied, the others are shared.

        Nobody may write meanwhile. What is kept is safe from `collect` until `settled` is called with it. Raises
        OSError and `layers.LayersError`.
        """
        async with self._lock:
            base = await asyncio.to_thread(self._keep, standing, move)
            self._kept.append(base)
            return base

    def _keep(self, standing: Base, move: bool) -> Base:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        made: list[Path] = []
        try:
            kept = [self._one(stack, move, made) for stack in (standing.app, standing.home)]
        except BaseException:
            for each in made:
                remove_tree(each)
            raise
        return Base(app=kept[0], home=kept[1])

    def _one(self, stack: tuple[Path, ...], move: bool, made: list[Path]) -> tuple[Path, ...]:
        own, *below = stack
        target = self._directory / secrets.token_hex(8)
        made.append(target)
        if move:
            os.replace(own, target)  # noqa: PTH105 - a directory, in one step
        else:
            layers.copy((own,), target)
        return (target, *below)

    def settled(self, base: Base) -> None:
        """Somebody refers to these layers now, or nobody ever will."""
        self._kept.remove(base)

    async def collect(self, used: Callable[[], Iterable[Base]]) -> None:
        """Remove every layer that none of those holds which *used* names when it is asked."""
        async with self._lock:
            kept = {path for base in (*used(), *self._kept) for path in (*base.app, *base.home)}
            await asyncio.to_thread(self._collect, kept)

    def _collect(self, kept: set[Path]) -> None:
        if not self._directory.is_dir():
            return
        for each in self._directory.iterdir():
            if each not in kept:
                remove_tree(each)
