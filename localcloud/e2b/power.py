"""Switches one sandbox on and off: its machine, its start command, and where its commands start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from localcloud.e2b import inside, runtime
from localcloud.e2b.image import Image
from localcloud.e2b.sandbox import Sandbox
from localcloud.e2b.startup import StartCommand

HEALTHY_WITHIN = 5.0  # a swamped machine must not pass for one that hangs


@dataclass(frozen=True, slots=True)
class Ground:
    """What sandboxes stand on: how they are isolated, what they may reach, and what they boot from by name."""

    directory: Path
    egress: Callable[[], runtime.Egress]  # asked at each boot: the databases may have moved to another port
    mode: Callable[[], Awaitable[str]]
    image: Callable[[str], Awaitable[Image]]
    agent: Path | None


async def boot(sandbox: Sandbox, ground: Ground) -> None:
    """Start it over what it has written so far. Raises `runtime.LaunchError`; nothing runs then."""
    image, wanted, egress = sandbox.image, sandbox.wanted, ground.egress()
    sandbox.machine = await runtime.launch(
        sandbox_id=sandbox.id,
        directory=sandbox.directory,
        base=image.base,
        egress=replace(egress, names=egress.names | wanted.hosts) if wanted.internet else runtime.Egress(),
        env=wanted.environment,
        mode=await ground.mode(),
        agent=ground.agent,
    )
    if image.cwd is not None:
        try:
            async with inside.session(sandbox.machine.envd_socket) as client:
                await inside.start_commands_in(client, image.cwd)
        except (aiohttp.ClientError, OSError) as problem:
            await halt(sandbox)
            raise runtime.LaunchError(f"sandbox {sandbox.id} ended while it started: {problem}") from problem
    if image.start is not None:
        sandbox.startup = StartCommand(sandbox.machine.envd_socket, image.start)
        sandbox.startup.start()


async def halt(sandbox: Sandbox) -> None:
    """End its processes; its files stay. Raises `runtime.LaunchError` when a process resists."""
    if sandbox.startup is not None:
        await sandbox.startup.stop()
        sandbox.startup = None
    if sandbox.machine is not None:
        await sandbox.machine.stop()
        sandbox.machine = None


async def responsive(sandbox: Sandbox) -> bool:
    """Whether the envd of a running sandbox answers."""
    if sandbox.machine is None:
        return False
    async with inside.session(sandbox.machine.envd_socket) as client:
        return await inside.healthy(client, HEALTHY_WITHIN)
