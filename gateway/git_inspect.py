"""What a push would put into the repository, looked at before it gets there.

The pack is indexed in a bare repository of its own that first fetched what the remote already has (a push sends deltas
against that), so nothing is judged by parsing packs ourselves. New commits must not hold `.github/workflows`: that is
code that would run elsewhere with the repository's rights. No new object, whatever its kind, may hold a secret.

Everything here is hostile: names, sizes and counts are bounded, the whole has a deadline, trees that two readers could
read differently are refused (`--strict`), and git runs as `git_process` says.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from gateway.git_process import Forbidden, Git, environment
from gateway.pktline import Push
from sessions_app.redaction import spellings

DEADLINE = 120.0  # seconds for the whole inspection
MAX_OBJECTS = 200_000
MAX_BLOB = 100_000_000  # bytes unpacked; the vendor refuses larger files as well
MAX_UNPACKED = 1_000_000_000  # bytes of all new objects together
WORKFLOWS = ".github/workflows"
MAX_TREE = 20_000_000  # bytes of one directory
_TREE = b"40000"
_MATTERING = {b".github", b"workflows"}


async def inspect(push: Push, body: BinaryIO, *, remote: str, credential: str, secrets: Sequence[str]) -> None:
    """Look at what `push` brings; `body` is a real, unbuffered file that holds it.

    Raises:
        Forbidden: it may not go through.
    """
    tips = sorted({command.new for command in push.commands if command.new})
    names = "\n".join(command.ref for command in push.commands).encode()
    if any(needle in names for needle in _needles(secrets)):
        raise _secret("the name of a branch or tag")
    if not tips:
        return
    try:
        async with asyncio.timeout(DEADLINE):
            with tempfile.TemporaryDirectory(prefix="mk0r-push-", ignore_cleanup_errors=True) as name:
                await _inspect(Path(name), push, body, tips, remote, environment(credential), secrets)
    except TimeoutError:
        raise Forbidden("took too long", "The push took too long to look at. Push it in smaller parts.") from None


async def _inspect(
    where: Path,
    push: Push,
    body: BinaryIO,
    tips: list[str],
    remote: str,
    env: dict[str, str],
    secrets: Sequence[str],
) -> None:
    git = Git(where, env)
    object_format = "sha256" if len(tips[0]) == 64 else "sha1"
    await git.run("init", "-q", "--bare", f"--object-format={object_format}", ".")
    # A deletion is no pack; a new tip the remote already has sends an empty one.
    await git.run(
        "fetch", "-q", "--no-tags", remote, "+refs/*:refs/upstream/*", failing="the repository did not answer"
    )
    body.seek(push.pack_at)
    if body.read(4) == b"PACK":
        body.seek(push.pack_at)
        await git.run(
            "index-pack",
            "--stdin",
            "--fix-thin",
            "--strict",
            f"--max-input-size={200_000_000}",
            stdin=body,
            failing="bad pack",
        )
    new = ["--stdin", "--not", "--glob=refs/upstream/*"]
    asked = "\n".join(tips).encode() + b"\n"
    commits = (await git.run("rev-list", *new, given=asked, failing="bad objects")).split()
    await _refuse_workflows(git, [*commits, *(tip.encode() for tip in tips)])
    listed = await git.run("rev-list", "--objects", *new, given=asked, failing="bad objects")
    await _refuse_secrets(git, _named(listed), secrets)


def _named(listed: bytes) -> dict[bytes, str]:
    """Object names of `rev-list --objects`, each with the path it was met at."""
    named: dict[bytes, str] = {}
    for line in listed.split(b"\n")[:-1]:  # a name may hold what other systems end a line with
        name, _, path = line.partition(b" ")
        named[name] = path.decode("utf-8", "replace")
        if len(named) > MAX_OBJECTS:
            raise Forbidden("too many objects", f"A push may bring at most {MAX_OBJECTS:,} objects.")
    return named


async def _refuse_workflows(git: Git, commits: Sequence[bytes]) -> None:
    """Ask of every new commit whether it has the directory, whichever way its tree got there and in whichever case.

    A `.github` that is a link or a repository of its own would hide what it leads to, so it is refused as well.
    """
    roots = await _existing(git, [b"%s^{tree}" % commit for commit in commits])
    hidden: set[bytes] = set()
    for mode, name, found in await _entries(git, roots):
        if name.lower() == b".github" and mode == _TREE:
            hidden.add(found)
        elif name.lower() == b".github":
            raise _workflows()
    if any(name.lower() == b"workflows" for _, name, _ in await _entries(git, hidden)):
        raise _workflows()


def _workflows() -> Forbidden:
    return Forbidden(
        "workflow files are not allowed",
        f"This push was refused: it contains {WORKFLOWS}/, which would run code outside your app.\n"
        "Remove that directory from the commits and push again.",
    )


async def _existing(git: Git, names: Sequence[bytes]) -> set[bytes]:
    """Object names that these expressions lead to; what is no tree, such as a tagged file, leads nowhere."""
    answer = await git.run("cat-file", "--batch-check", given=b"".join(b"%s\n" % name for name in names))
    return {line.split()[0] for line in answer.splitlines() if not line.endswith((b" missing", b" ambiguous"))}


async def _entries(git: Git, trees: set[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Mode, name and object of each entry of these trees that may matter: those in a `.github`, or it itself."""
    kept: set[tuple[bytes, bytes, bytes]] = set()
    async with git.objects(sorted(trees)) as found:
        async for name, size, pieces in found:
            if size > MAX_TREE:
                raise Forbidden("too large", "A directory of this push has too many entries.")
            raw = b"".join([piece async for piece in pieces])
            kept |= {each for each in _parsed(raw, len(name) // 2) if each[1].lower() in _MATTERING}
    return sorted(kept)


def _parsed(raw: bytes, width: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Entries of a tree object: `mode name NUL` and `width` bytes of the object's name."""
    at = 0
    while at < len(raw):
        end = raw.find(b"\0", at)
        mode, space, name = raw[at:end].partition(b" ")
        if end < 0 or not space or len(raw) < end + 1 + width:
            raise Forbidden("bad objects", "The push could not be looked at: a directory cannot be read.")
        yield mode, name, raw[end + 1 : end + 1 + width].hex().encode()
        at = end + 1 + width


async def _refuse_secrets(git: Git, named: dict[bytes, str], secrets: Sequence[str]) -> None:
    needles = _needles(secrets)
    total = 0
    async with git.objects(named) as found:
        async for name, size, pieces in found:
            total += size
            if size > MAX_BLOB or total > MAX_UNPACKED:
                raise Forbidden("too large", f"A file of this push is too large: {named.get(name) or 'an object'}.")
            if await _holds(pieces, needles):
                raise _secret(named.get(name) or "a commit or tag message")


def _needles(secrets: Sequence[str]) -> list[bytes]:
    return [spelling.encode() for spelling in spellings(secrets)]


def _secret(where: str) -> Forbidden:
    return Forbidden(
        "contains a secret",
        f"This push was refused: {where} contains the value of a credential of this app.\n"
        "Read it from the environment instead, and push commits that never held it.",
    )


async def _holds(pieces: AsyncIterator[bytes], needles: list[bytes]) -> bool:
    """Whether any needle occurs, also across the border of two pieces. Always reads to the end."""
    keep = max(map(len, needles), default=1) - 1
    tail, hit = b"", False
    async for piece in pieces:
        window = tail + piece
        hit = hit or any(needle in window for needle in needles)
        tail = window[-keep:] if keep else b""
    return hit
