"""Runs npm from the wheel for a directory of ours, with a percentage while it works and its own words when it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from embedded import node

INSTALL_WITHIN = 900.0  # seconds; 400 MB over a slow line
_LOOK_EVERY = 0.5
_QUIET = ("--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--loglevel=error")


class InstallError(Exception):
    """A tree could not be made; the message is for a person and holds what npm said."""


async def install(
    arguments: list[str], tree: Path, measure: Callable[[], float], progress: Callable[[float], None]
) -> None:
    """Run `npm <arguments>` in `tree`; `measure` (0 to 1, blocking) is shown through `progress` meanwhile.

    Scripts of packages never run. Raises `InstallError`; npm is gone then, also when we are cancelled.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *node.npm(),
            *arguments,
            *_QUIET,
            cwd=tree,
            env=node.node_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except (OSError, node.NodeUnavailable) as problem:
        raise InstallError(f"npm could not be started: {problem}") from problem
    try:
        async with asyncio.timeout(INSTALL_WITHIN), asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(measure, progress))
            _, said = await process.communicate()
            watching.cancel()
    except TimeoutError as problem:
        raise InstallError(f"npm {arguments[0]} did not end within {INSTALL_WITHIN:.0f} s") from problem
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        words = said.decode(errors="replace").strip()
        raise InstallError(f"npm {arguments[0]} failed: {words[:600] or f'status {process.returncode}'}")


async def _watch(measure: Callable[[], float], progress: Callable[[float], None]) -> None:
    best = 0.0
    while True:
        best = max(best, await asyncio.to_thread(measure))
        progress(best)
        await asyncio.sleep(_LOOK_EVERY)


async def registry_host() -> str:
    """The host npm installs from (`host`, or `host:port` when not 443), for the sandboxes' list of allowed hosts.

    An `http://` registry cannot be reached through a tunnel that only speaks for TLS hosts, but its port is let out.
    """
    from urllib.parse import urlsplit

    process = await asyncio.create_subprocess_exec(
        *node.npm(),
        "config",
        "get",
        "registry",
        env=node.node_environment(),
        cwd="/",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await process.communicate()
    try:
        parts = urlsplit(said.decode(errors="replace").strip())
        host, port = parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        host, port = None, 443
    if host is None:
        return "registry.npmjs.org"
    return host if port == 443 else f"{host}:{port}"
