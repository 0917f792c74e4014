"""The prepared trees that sandboxes share: the starter project with its dependencies, and the coding agent's programs.

Both are made beside their final place and renamed into it, so a tree that is there is whole, whatever was killed when.
They lie in `MK0R_CACHE` when that is set (then all installations of this user share them), else in `<cloud>/trees`:

* `app-<hash>/`: `sandbox/app` after `npm ci`, with Vite's dependency cache baked at the path `/app`, which is part of
  its key. `<hash>` covers the project's files, Node's version and whether the cache could be baked.
* `agent/<versions>/bin/{claude,playwright-mcp}` and the link `agent/current` to it. `agent/` shows at `/opt/agent`, so
  an installation that ends after a sandbox began appears in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from embedded import node
from localcloud.e2b import baking
from localcloud.e2b.isolation import layout
from localcloud.e2b.npm import InstallError, install

SOURCE = Path(__file__).resolve().parent.parent.parent / "sandbox" / "app"
CLAUDE = ("@anthropic-ai/claude-code", "2.1.330")
PLAYWRIGHT = ("@playwright/mcp", "0.0.83")
APP_LABEL, AGENT_LABEL = "starter project", "coding agent"
_AGENT_BYTES = 395_000_000  # what the agent's tree takes; only the percentage shown depends on it
_SKIPPED = shutil.ignore_patterns("node_modules", "dist", ".env", ".git", "*.log")
_FORMAT = "1"  # raise it when the way a tree is made changes

Progress = Callable[[str, float], None]

__all__ = ["InstallError", "Trees", "agent_root", "prepare", "prepare_agent", "prepare_app", "trees_root"]


@dataclass(frozen=True)
class Trees:
    """Where the shared trees lie: `app` for `launch(tree=…)`, `agent` for `launch(agent=…)`."""

    app: Path
    agent: Path


def trees_root(directory: Path) -> Path:
    """Where trees are kept for an installation whose cloud directory is `directory`."""
    shared = os.environ.get("MK0R_CACHE")
    return Path(shared).expanduser().resolve() / "trees" if shared else directory / "trees"


def agent_root(directory: Path) -> Path:
    """The directory for `launch(agent=…)`; it may still be empty."""
    return trees_root(directory) / "agent"


async def prepare(directory: Path, mode: str, progress: Progress) -> Trees:
    """Both trees, the starter project first. See `prepare_app` and `prepare_agent`."""
    app = await prepare_app(directory, mode, progress)
    return Trees(app=app, agent=await prepare_agent(directory, progress))


async def prepare_app(directory: Path, mode: str, progress: Progress, source: Path = SOURCE) -> Path:
    """The starter project's tree, made now if it is not there. `progress` gets the label and a fraction from 0 to 1.

    Raises `InstallError` with npm's own words. May run in several processes at once: one works, the others wait.
    """
    root = trees_root(directory)
    target = root / f"app-{await asyncio.to_thread(fingerprint, source, mode)}"
    if not target.is_dir():
        async with _only_one(root, "app"):
            if not target.is_dir():
                await _build_app(source, root, target, mode, progress)
    progress(APP_LABEL, 1.0)
    return target


async def _build_app(source: Path, root: Path, target: Path, mode: str, progress: Progress) -> None:
    fresh = root / f"{target.name}.tmp"
    await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
    await asyncio.to_thread(shutil.copytree, source, fresh, symlinks=True, ignore=_SKIPPED)
    wanted = [fresh / path / "package.json" for path in _packages(fresh / "package-lock.json")]

    def installed() -> float:
        return sum(path.is_file() for path in wanted) / max(1, len(wanted))

    await install(["ci", "--include=dev"], fresh, installed, lambda part: progress(APP_LABEL, part * 0.9))
    await asyncio.to_thread(_give, fresh)
    if mode != "plain":  # a plain sandbox's project lies at another path, for which this cache would not hold
        await baking.bake(fresh, mode)
    await asyncio.to_thread(os.replace, fresh, target)


def _give(tree: Path) -> None:
    """Make the user that sandboxes run as its owner: the overlay copies a file up for its owner only."""
    user, group = layout.owner(), layout.owner_group()
    if os.getuid() != 0:
        return  # it is ours already, and we are that user
    for directory, folders, files in os.walk(tree):
        for name in (".", *folders, *files):
            os.lchown(os.path.join(directory, name), user, group)  # noqa: PTH118 - thousands of them


def _packages(lockfile: Path) -> list[str]:
    """The packages that npm will unpack here, as paths; optional ones are left out, as most are for other machines."""
    try:
        packages = json.loads(lockfile.read_text())["packages"]
        return [path for path, entry in packages.items() if path and not entry.get("optional")]
    except (OSError, ValueError, KeyError, AttributeError) as problem:
        raise InstallError(f"{lockfile} cannot be read as a lockfile: {problem!r}") from problem


def fingerprint(source: Path, mode: str) -> str:
    """Twelve characters that change with anything that would change the tree."""
    parts = [
        _FORMAT,
        str(layout.owner()),
        "plain" if mode == "plain" else "baked",
        platform.system(),
        platform.machine(),
        _node_version(),
    ]
    known = hashlib.sha256("\0".join(parts).encode())
    ignored = {"node_modules", "dist", ".git"}
    for directory, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in ignored)
        for name in sorted(files):
            path = Path(directory, name)
            if name == ".env" or name.endswith(".log"):
                continue
            known.update(f"{path.relative_to(source).as_posix()}\0{path.stat().st_mode & 0o111:o}\0".encode())
            known.update(hashlib.sha256(path.read_bytes()).digest())
    return known.hexdigest()[:12]


def _node_version() -> str:
    binary = node.node()
    return f"{binary.stat().st_size}"  # running it would cost 40 ms; another Node has another size


async def prepare_agent(directory: Path, progress: Progress) -> Path:
    """The agent's programs under `agent/current/bin`, installed now if not there. Otherwise as `prepare_app`."""
    root = agent_root(directory)
    version = root / f"{CLAUDE[1]}-{PLAYWRIGHT[1]}"
    if not version.is_dir():
        async with _only_one(root, "agent"):
            if not version.is_dir():
                await _build_agent(version, progress)
    await asyncio.to_thread(_point, root / "current", version.name)
    progress(AGENT_LABEL, 1.0)
    return root


async def _build_agent(version: Path, progress: Progress) -> None:
    fresh = version.with_name(f"{version.name}.tmp")
    await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    manifest = {"name": "agent", "private": True, "dependencies": dict([CLAUDE, PLAYWRIGHT])}
    (fresh / "package.json").write_text(json.dumps(manifest))

    def installed() -> float:
        return min(0.99, _size(fresh) / _AGENT_BYTES)

    await install(["install"], fresh, installed, lambda part: progress(AGENT_LABEL, part))
    await asyncio.to_thread(_link_programs, fresh)
    await asyncio.to_thread(os.replace, fresh, version)


def _link_programs(tree: Path) -> None:
    """`bin/` with what the agent starts. The native program is started itself: no install script has linked it."""
    found = sorted(tree.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    if not found:
        raise InstallError(f"npm brought no Claude Code for this machine ({platform.system()} {platform.machine()})")
    native = next((path for path in found if "musl" not in path.parent.name), found[0])
    native.chmod(0o755)
    cli = tree / "node_modules" / "@playwright" / "mcp" / "cli.js"
    cli.chmod(0o755)
    (tree / "bin").mkdir()
    for name, path in (("claude", native), ("playwright-mcp", cli)):
        (tree / "bin" / name).symlink_to(Path("..", path.relative_to(tree)))


def _size(tree: Path) -> int:
    """Bytes in all files below; files that vanish meanwhile do not count."""
    total = 0
    for directory, _, files in os.walk(tree):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118 - thousands of them
    return total


def _point(link: Path, target: str) -> None:
    """Let `link` lead to `target`, replacing what it led to in one step."""
    with contextlib.suppress(OSError):
        if str(link.readlink()) == target:
            return
    fresh = link.with_name(f"{link.name}.{os.getpid()}.tmp")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


@contextlib.asynccontextmanager
async def _only_one(root: Path, what: str) -> AsyncIterator[None]:
    """Hold the lock of one tree among all processes; the kernel frees it when its holder dies."""
    root.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one call
    with (root / f".{what}.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        yield
