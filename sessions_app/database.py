"""Database functions for async callers, with their types kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def db(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run the synchronous `function` once on a database thread."""
    return await in_database(function)(*args, **kwargs)


def in_database(function: Callable[_P, _T]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Run the synchronous `function` on a database thread; its connections are given back afterwards."""
    return cast("Callable[_P, Coroutine[Any, Any, _T]]", database_sync_to_async(function))
