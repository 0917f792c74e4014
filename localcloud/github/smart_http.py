"""Clone, fetch and push: the smart HTTP protocol by `git http-backend`, streamed both ways without spooling."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.github import git
from localcloud.github.access import Access, Caller
from localcloud.github.bodies import RefusedError
from localcloud.github.repositories import Repositories
from localcloud.store import Object

log = logging.getLogger("localcloud.github")

PIECE = 256 * 1024
SERVICES = ("git-upload-pack", "git-receive-pack")
REQUEST_SECONDS = 900


class SmartHttp:
    """Handlers of `/github/git/<owner>/<name>.git/…`."""

    def __init__(self, cloud: Cloud, access: Access, repositories: Repositories) -> None:
        self._cloud, self._access, self._repositories = cloud, access, repositories

    def setup(self, app: web.Application) -> None:
        for suffix in (".git", ""):
            base = f"/github/git/{{owner}}/{{name:[^/]+?}}{suffix}"
            app.router.add_get(f"{base}/info/refs", self.refs)
            app.router.add_post(f"{base}/git-upload-pack", self.fetch)
            app.router.add_post(f"{base}/git-receive-pack", self.push)

    @operation("github", "git_refs")
    async def refs(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service", "")
        if service not in SERVICES:
            return _text(403, "Please upgrade your git client.\nThis server speaks only the smart HTTP protocol.\n")
        return await self._serve(request, "info/refs", writes=service == "git-receive-pack")

    @operation("github", "git_fetch")
    async def fetch(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "git-upload-pack", writes=False)

    @operation("github", "git_push")
    async def push(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "git-receive-pack", writes=True)

    async def _serve(self, request: web.Request, service: str, *, writes: bool) -> web.StreamResponse:
        try:
            caller = self._access.caller(request)
        except RefusedError:
            return _who("Invalid username or token.\n")
        if caller is not None and caller.app:  # a JWT opens the App's own endpoints only
            return _who("Invalid username or token.\n")
        owner, name = request.match_info["owner"], request.match_info["name"]
        found = self._repositories.get(owner, name) or self._repositories.moved(owner, name)
        if found is not None and found.data["private"] and found.data["owner"] == self._repositories.stranger:
            found = None
        if caller is None and (found is None or found.data["private"] or writes):
            return _who("Authentication required.\n")
        if found is None or (found.data["private"] and not (caller and caller.reaches(found))):
            return _text(404, "Repository not found.\n")
        if refused := _refused(caller, found, writes=writes):
            return refused
        if (found.data["owner"].lower(), found.name.lower()) != (owner.lower(), name.lower()):
            there = f"{self._cloud.base_url}/github/git/{found.data['owner']}/{found.name}.git/{service}"
            return web.Response(status=301, headers={"Location": f"{there}?{request.query_string}".rstrip("?")})
        if writes and found.data.get("archived"):
            return _text(403, "This repository was archived so it is read-only.\n")
        return await self._run(request, found, service, caller)

    async def _run(
        self, request: web.Request, found: Object, service: str, caller: Caller | None
    ) -> web.StreamResponse:
        directory = await self._repositories.directory(found)
        # No CONTENT_LENGTH: told one, git 2.39 spins for ever when its input ends before it, as it does when we are
        # killed in the middle of a push. Without, it reads to the end of its input.
        environment = git.environment(directory) | {
            "GIT_PROJECT_ROOT": str(directory.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{directory.name}/{service}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        if caller is not None:
            environment["REMOTE_USER"] = found.data["owner"]
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=PIECE,
            process_group=0,
        )
        feeder = asyncio.create_task(_feed(request, process), name="git request body")
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._relay(request, process, found, service)
        except TimeoutError:
            log.warning("git %s of %s took longer than %d s", service, found.name, REQUEST_SECONDS)
            return _text(504, "git took too long.\n")
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)
            _end(process)
            await process.wait()

    async def _relay(
        self, request: web.Request, process: asyncio.subprocess.Process, found: Object, service: str
    ) -> web.StreamResponse:
        """Turn git's CGI answer into an HTTP one, piece by piece."""
        stdout = process.stdout
        if stdout is None:
            return _text(500, "git has no output.\n")
        answer = web.StreamResponse(status=200)
        while line := (await stdout.readline()).rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "status":
                answer.set_status(int(value.split()[0]))
            else:
                answer.headers[name] = value.strip()
        if not answer.headers and answer.status == 200:
            return _text(500, "git ended without an answer.\n")
        await answer.prepare(request)
        while piece := await stdout.read(PIECE):
            await answer.write(piece)
        await process.wait()
        if service == "git-receive-pack":  # before the answer ends, so that who pushed finds it done
            await self._repositories.after_push(found)
        await answer.write_eof()
        return answer


async def _feed(request: web.Request, process: asyncio.subprocess.Process) -> None:
    """Hand the request's body to git as it comes; git may end before it has read everything."""
    stdin = process.stdin
    if stdin is None:
        return
    try:
        async for piece in _pieces(request, process):
            stdin.write(piece)
            await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        stdin.close()


async def _pieces(request: web.Request, process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    """The body in pieces. When the client breaks off, git is ended: half a request must not pass for a whole one."""
    try:
        while piece := await request.content.read(PIECE):
            yield piece
    except Exception:
        _end(process)
        raise


def _end(process: asyncio.subprocess.Process) -> None:
    """End git with the programs it started: `git` itself only waits for them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _refused(caller: Caller | None, found: Object, *, writes: bool) -> web.Response | None:
    """Why somebody who may know of a repository may not have, or change, what is in it; None if they may."""
    if writes and not (caller and caller.reaches(found) and caller.may("contents", "write")):
        return _text(403, "Write access to repository not granted.\n")
    if found.data["private"] and not (caller and caller.may("contents", "read")):
        return _text(403, "Access to repository not granted.\n")
    return None


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)


def _who(text: str) -> web.Response:
    return web.Response(status=401, text=text, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
