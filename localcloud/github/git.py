"""Running git on the bare repositories, never with the configuration or the environment of whoever started us."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

GIT_SECONDS = 30
BARE_CONFIG = (
    ("http.receivepack", "true"),
    ("receive.maxInputSize", str(2 * 1024**3)),
    ("receive.fsckObjects", "true"),
    ("gc.auto", "0"),
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
)


class GitError(Exception):
    """git ended with an error; the message is what it said."""


def environment(home: Path) -> dict[str, str]:
    """What a git process of ours may know."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_AUTHOR_NAME": "localcloud",
        "GIT_AUTHOR_EMAIL": "localcloud@localhost",
        "GIT_COMMITTER_NAME": "localcloud",
        "GIT_COMMITTER_EMAIL": "localcloud@localhost",
    }


async def git(directory: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Run one git command in *directory*; returns its output. Raises `GitError`, also after 30 s."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=directory,
        env=environment(directory),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(GIT_SECONDS):
            output, said = await process.communicate(given)
    except TimeoutError as error:
        raise GitError(f"git {arguments[0]} took longer than {GIT_SECONDS} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise GitError(said.decode(errors="replace").strip())
    return output


async def make_bare(directory: Path, branch: str) -> None:
    """Make an empty bare repository at *directory*, complete or not at all."""
    unfinished = directory.with_name(f".new-{directory.name}")
    unfinished.mkdir(parents=True, exist_ok=True)
    await git(unfinished, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", ".")
    with (unfinished / "config").open("a") as config:
        for name, value in BARE_CONFIG:
            section, _, key = name.partition(".")
            config.write(f"[{section}]\n\t{key} = {value}\n")
    unfinished.rename(directory)


async def first_commit(directory: Path, branch: str, readme: str) -> None:
    """Give an empty repository a commit with a README."""
    blob = (await git(directory, "hash-object", "-w", "--stdin", given=readme.encode())).decode().strip()
    tree = (await git(directory, "mktree", given=f"100644 blob {blob}\tREADME.md\n".encode())).decode().strip()
    commit = (await git(directory, "commit-tree", tree, "-m", "Initial commit")).decode().strip()
    await git(directory, "update-ref", f"refs/heads/{branch}", commit)


async def branches(directory: Path) -> list[tuple[str, str]]:
    """Names and commits of all branches, in the order of their names."""
    found = await git(directory, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
    pairs = (line.partition(" ") for line in found.decode(errors="replace").splitlines())
    return [(name, sha) for sha, _, name in pairs]


async def kilobytes(directory: Path) -> int:
    """How much the objects of a repository take on disk."""
    counted = await git(directory, "count-objects", "-v")
    facts = dict(line.split(": ", 1) for line in counted.decode().splitlines() if ": " in line)
    return int(facts.get("size", 0)) + int(facts.get("size-pack", 0))
