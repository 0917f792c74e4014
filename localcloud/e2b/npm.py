"""Runs npm from the wheel for a directory of ours, with a percentage while it works and its own words when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from embedded import node

REGISTRY = "https://registry.npmjs.org/"
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
        words = _gist(said.decode(errors="replace"))
        raise InstallError(f"npm {arguments[0]} failed: {words or f'status {process.returncode}'}")


def _gist(said: str) -> str:
    """npm's first sentences without its prefixes; what follows is its manual."""
    lines = [line.removeprefix("npm error").strip() for line in said.splitlines()]
    return " ".join(line for line in lines if line)[:400]


async def _watch(measure: Callable[[], float], progress: Callable[[float], None]) -> None:
    best = 0.0
    while True:
        best = max(best, await asyncio.to_thread(measure))
        progress(best)
        await asyncio.sleep(_LOOK_EVERY)


@cache
def registry() -> str:
    """The URL npm installs from on this machine, as npm itself resolves it; asked once, which takes 0.3 s."""
    try:
        done = subprocess.run(
            [*node.npm(), "config", "get", "registry"],
            env=node.node_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, node.NodeUnavailable):
        return REGISTRY
    said = done.stdout.strip()
    return said if said.startswith(("https://", "http://")) else REGISTRY


def registry_host() -> str:
    """Its host, as `Egress.hosts` wants it: `host`, or `host:port` when the port is not 443."""
    try:
        parts = urlsplit(registry())
        host, port = parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        host, port = None, 443
    if host is None:
        host = str(urlsplit(REGISTRY).hostname)
    return host if port == 443 else f"{host}:{port}"
