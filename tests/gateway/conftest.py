"""What the gateway tests share: the product behind a listening socket, upstreams of our own making, and sessions."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from channels.db import database_sync_to_async
from django.core.asgi import get_asgi_application

from gateway.clients import close_clients
from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app import tokens
from sessions_app.models import Session
from sessions_app.slugs import slug_for

PLATFORM_KEY = "sk-ant-platform-key-0123456789"
GITHUB_KEY = "ghp_platform0123456789"
RESEND_PLATFORM_KEY = "re_platform_0123456789"
PASSWORD = "npg_S3cretPassw0rd+of/Ada"


async def listen(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}"


async def bridge(request: web.Request) -> web.StreamResponse:
    """Give one HTTP request to the product's ASGI application, and tell it when the client is gone."""
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": await request.read(), "more_body": False})
    response: web.StreamResponse | None = None

    async def send(message: dict[str, Any]) -> None:
        nonlocal response
        if message["type"] == "http.response.start":
            response = web.StreamResponse(status=message["status"])
            for name, value in message["headers"]:
                response.headers.add(name.decode(), value.decode())
            await response.prepare(request)
        elif message["type"] == "http.response.body" and message.get("body"):
            assert response is not None
            await response.write(message["body"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
        "path": request.path, "raw_path": request.raw_path.encode(), "query_string": request.query_string.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()], "scheme": "http",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", request.url.port),
    }  # fmt: skip
    running = asyncio.ensure_future(get_asgi_application()(scope, inbox.get, send))
    try:
        await asyncio.shield(running)
    except (asyncio.CancelledError, ConnectionError):
        inbox.put_nowait({"type": "http.disconnect"})
        await asyncio.gather(running, return_exceptions=True)
        raise
    assert response is not None
    await response.write_eof()
    return response


@pytest.fixture
async def site(transactional_db: None, settings: Any) -> AsyncIterator[str]:
    """Address of the product, listening."""
    settings.ANTHROPIC_API_KEY, settings.GITHUB_TOKEN = PLATFORM_KEY, GITHUB_KEY
    settings.RESEND_API_KEY, settings.RESEND_FROM = RESEND_PLATFORM_KEY, "mk0r <apps@mail.example>"
    app = web.Application(client_max_size=250_000_000)
    app.router.add_route("*", "/{path:.*}", bridge)
    runner, url = await listen(app)
    yield url
    await runner.cleanup()
    await close_clients()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Upstream:
    """A vendor of our own: `answer` is what it does with a request; `seen` is what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
        self.cancelled = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.path_qs, headers, await request.read()))
        assert self.answer is not None
        try:
            return await self.answer(request)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled.set()
            raise


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    app = web.Application(client_max_size=50_000_000)
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner, made.url = await listen(app)
    yield made
    await runner.cleanup()


def _session(name: str) -> Session:
    session_id = uuid.uuid4()
    session = Session.objects.create(id=session_id, slug=slug_for(session_id), visitor_hash=name)

    def resource(provider: str, kind: str, external_id: str, **secrets: str) -> None:
        made = Resource.objects.create(
            session=session, provider=provider, kind=kind, name=f"mk0r-{session.slug}", state="ready",
            external_id=external_id,
        )  # fmt: skip
        for env_name, value in secrets.items():
            credential = Credential(resource=made, name=env_name, expires_at=session.expires_at)
            credential.seal(Secret(value))
            credential.save()

    resource("github", "repository", f"mk0r-apps/mk0r-{session.slug}")
    resource("resend", "audience", f"aud-{name}")
    resource("resend", "api_key", f"key-{name}", RESEND_API_KEY=f"re_{name}_0123456789abcdef")
    resource("neon", "project", f"project-{name}", NEON_ROLE_PASSWORD=f"{PASSWORD}-{name}")
    return session


@pytest.fixture
def ada(transactional_db: None) -> Session:
    """Ada's session, with a repository, an audience, a mail key and a database."""
    return _session("ada")


@pytest.fixture
def mallory(transactional_db: None) -> Session:
    """A stranger's session with as much of its own."""
    return _session("mallory")


@pytest.fixture
def token() -> Callable[[Session], str]:
    return tokens.gateway_token


@pytest.fixture
def mail_key() -> Callable[[Session], str]:
    return lambda session: f"re_{session.visitor_hash}_0123456789abcdef"


async def in_db(function: Callable[..., Any], *args: Any) -> Any:
    return await database_sync_to_async(function)(*args)


@pytest.fixture
def database() -> Callable[..., Awaitable[Any]]:
    return in_db


# --- a git host -------------------------------------------------------------------------------------------------------
GIT_ENV = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
}  # fmt: skip


class GitHost:
    """Bare repositories under `root`, served by git's own CGI to whoever shows the platform's credential."""

    def __init__(self, root: Path) -> None:
        self.root, self.url = root, ""

    def create(self, session: Session) -> Path:
        path = self.root / "mk0r-apps" / f"mk0r-{session.slug}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True, env=GIT_ENV)
        return path

    async def handle(self, request: web.Request) -> web.Response:
        wanted = base64.b64encode(f"x-access-token:{GITHUB_KEY}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        body = await request.read()
        env = GIT_ENV | {
            "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": request.path,
            "REQUEST_METHOD": request.method, "QUERY_STRING": request.query_string, "REMOTE_USER": "platform",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate(body)
        head, _, payload = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=payload)


@pytest.fixture
async def git_host(tmp_path: Path, settings: Any) -> AsyncIterator[GitHost]:
    host = GitHost(tmp_path / "host")
    app = web.Application(client_max_size=250_000_000)
    app.router.add_route("*", "/{path:.*}", host.handle)
    runner, host.url = await listen(app)
    settings.GITHUB_GIT_URL = host.url
    yield host
    await runner.cleanup()


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., Awaitable[subprocess.CompletedProcess[str]]]:
    """Runs git as a person's machine would, without blocking the servers of the test."""

    async def run(*args: str, cwd: Path | None = None, ok: bool = True) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(
            subprocess.run, ["git", *args], cwd=cwd or tmp_path, env=GIT_ENV, capture_output=True, text=True, timeout=60
        )
        assert not ok or done.returncode == 0, done.stderr
        return done

    return run
