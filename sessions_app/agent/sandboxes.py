"""What the agent's code needs of a sandbox, as narrow as it is used, with one word for "it does not answer"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast
from uuid import UUID

import e2b

from provisioning import services
from provisioning.exceptions import ProvisioningError, SandboxLost

WORKDIR = "/app"
# Libraries under the SDK whose errors it lets through.
_LIBRARIES = {"e2b", "httpx", "httpcore", "connectrpc", "pyqwest", "h2", "aiohttp"}


class Unreachable(Exception):
    """The sandbox did not answer. It may be lost, or only its connection."""


class Output(Protocol):
    """What a finished command printed."""

    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def exit_code(self) -> int: ...


class Handle(Protocol):
    """A command that runs in the background."""

    async def wait(self) -> Any: ...
    async def disconnect(self) -> None: ...


@contextmanager
def _answering() -> Iterator[None]:
    """Whatever says that the sandbox did not answer becomes `Unreachable`."""
    try:
        yield
    except (SandboxLost, e2b.CommandExitException):
        raise
    except Exception as error:
        library = type(error).__module__.partition(".")[0] in _LIBRARIES
        if library or isinstance(error, OSError | EOFError | TimeoutError | ProvisioningError):
            raise Unreachable(f"{type(error).__name__}: {str(error)[:200]}") from error
        raise


class Sandbox:
    """One sandbox. Every call has a deadline and raises `Unreachable` when the sandbox does not answer."""

    def __init__(self, inner: e2b.AsyncSandbox) -> None:
        self._inner = inner

    @property
    def id(self) -> str:
        """The vendor's id."""
        return str(self._inner.sandbox_id)

    async def run(
        self, command: str, *, env: Mapping[str, str] | None = None, cwd: str | None = None, seconds: float = 30
    ) -> Output:
        """Run a shell script to its end, whatever its exit code.

        Raises:
            Unreachable: no answer; the script may have run.
        """
        commands = self._inner.commands
        try:
            with _answering():
                async with asyncio.timeout(seconds + 5):
                    done = await commands.run(command, envs=dict(env or {}), cwd=cwd, timeout=seconds)
        except e2b.CommandExitException as exited:
            return cast("Output", exited)
        return cast("Output", done)

    async def start(
        self, command: str, *, env: Mapping[str, str], on_output: Callable[[str], Awaitable[None]]
    ) -> Handle:
        """Run a shell script in the background; its output goes to `on_output`, whose slowness slows it down."""
        with _answering():
            async with asyncio.timeout(30):
                # timeout=0: the SDK's own timer for background commands hits the wrong task; deadlines are ours.
                started = await self._inner.commands.run(
                    command, background=True, envs=dict(env), timeout=0, retain_output=False, on_stdout=on_output
                )
        return cast("Handle", started)

    async def write(self, path: str, text: str) -> None:
        """Write a file; directories on the way are made."""
        with _answering():
            async with asyncio.timeout(30):
                await self._inner.files.write(path, text)


async def connected(session_id: UUID) -> Sandbox:
    """The session's sandbox, resumed when it was paused, its time extended.

    Raises:
        SandboxLost: it no longer exists. Unreachable: it does not answer.
    """
    with _answering():
        async with asyncio.timeout(120):
            return Sandbox(await services.sandbox(session_id))
