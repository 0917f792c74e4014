"""Lets Vite prepare its dependency cache for the path `/app`, which every sandbox then shares.

Vite keys the cache by the project's path, so it must run where the project really is at `/app`: in namespaces of its
own, with the tree itself there instead of an overlay, no network, and nothing else of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from localcloud.e2b.isolation import layout
from localcloud.e2b.npm import InstallError

BAKE_WITHIN = 120.0
METADATA = Path("node_modules", ".vite", "deps", "_metadata.json")


async def bake(tree: Path, mode: str) -> None:
    """Fill `tree`'s cache. Raises `InstallError` with Vite's words when it ends without one."""
    with tempfile.TemporaryDirectory(prefix="mk0r-bake-") as scratch:
        script = "cd /app && exec /opt/node/bin/node node_modules/vite/bin/vite.js optimize"
        command = await asyncio.to_thread(layout.bare_command, Path(scratch), tree, mode, ["/bin/sh", "-c", script])
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd="/",
            env={},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(BAKE_WITHIN):
                said, _ = await process.communicate()
        except TimeoutError as problem:
            raise InstallError(f"Vite did not prepare its cache within {BAKE_WITHIN:.0f} s") from problem
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if process.returncode or not (tree / METADATA).is_file():
        words = said.decode(errors="replace").strip()
        raise InstallError(f"Vite did not prepare its cache: {words[-600:] or f'status {process.returncode}'}")
