"""What a browser sees of a sandbox: its ports, by host name, by header, or on a loopback port of their own.

* `http://<port>-<id>.localhost:<cloud port>/` as E2B's `<port>-<id>.e2b.app`;
* `E2b-Sandbox-Id` and `E2b-Sandbox-Port` on the root of the listener, for clients that cannot resolve such names;
* `GET /e2b/preview/<id>/<port>`, for browsers that cannot: a redirect to a loopback port bound for that preview, an
  origin of its own. It stays while the sandbox runs.

Errors are worded as E2B's edge words them, since its SDK tells a dead sandbox from a closed port by the message.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NoReturn

from aiohttp import web
from multidict import CIMultiDict

from localcloud.cloud import Cloud
from localcloud.e2b import envd_door
from localcloud.e2b.keys import SANDBOXES
from localcloud.e2b.preview_relay import Edit, PortClosedError, Relays
from localcloud.e2b.runtime import Runtime
from localcloud.e2b.sandboxes import GoneError, Sandboxes

RETRY_SECONDS = 1
LOOK_SECONDS = 1.0
NOT_FOUND = "The sandbox was not found"
PORT_CLOSED = "The sandbox is running but port is not open"
_BROWSER = re.compile(r"Mozilla|Chrome|Safari|Firefox", re.IGNORECASE)


def setup(app: web.Application, cloud: Cloud) -> None:
    """Take over preview requests of `cloud` and add the fallback's route."""
    previews = Previews()

    async def by_name(request: web.Request, sandbox_id: str, port: int) -> web.StreamResponse:
        if port == envd_door.ENVD_PORT:
            return await envd_door.serve(request, sandbox_id)
        return await previews.answer(request, app[SANDBOXES], sandbox_id, port)

    async def fallback(request: web.Request) -> NoReturn:
        await previews.redirect(app[SANDBOXES], request.match_info["id"], int(request.match_info["port"]))

    async def life(_app: web.Application) -> AsyncIterator[None]:
        yield
        await previews.close()

    cloud.preview_handler = by_name
    app.router.add_get(r"/e2b/preview/{id:[a-z0-9]{1,40}}/{port:\d{1,5}}", fallback)
    app.cleanup_ctx.append(life)


@dataclass(frozen=True)
class _Listener:
    machine: Runtime
    runner: web.ServerRunner
    port: int


class Previews:
    """All previews of one localcloud."""

    def __init__(self) -> None:
        self._relays = Relays()
        self._listeners: dict[tuple[str, int], _Listener] = {}
        self._binding = asyncio.Lock()

    async def answer(
        self, request: web.BaseRequest, sandboxes: Sandboxes, sandbox_id: str, port: int, *, own_origin: bool = True
    ) -> web.StreamResponse:
        """One request, HTTP or WebSocket. `own_origin` is false where cookies are shared with others of this host."""
        try:
            sandbox = await sandboxes.reach(sandbox_id)
        except GoneError:
            return refusal(request, sandbox_id, NOT_FOUND)
        if sandbox.machine is None:
            return refusal(request, sandbox_id, NOT_FOUND)
        edit = None if own_origin else (_only_own_cookies(sandbox_id, port), _mark_cookies(sandbox_id, port))
        task = asyncio.create_task(self._relays.carry(request, sandbox.machine, port, edit))
        sandbox.relays.add(task)
        try:
            while not (await asyncio.wait((task,), timeout=LOOK_SECONDS))[0]:
                if request.transport is None or request.transport.is_closing():  # the browser left; stop the app too
                    task.cancel()
        finally:
            sandbox.relays.discard(task)
            task.cancel()
        try:
            return await task
        except PortClosedError:
            return refusal(request, sandbox_id, PORT_CLOSED, port)
        except asyncio.CancelledError:
            if (asking := asyncio.current_task()) is not None and asking.cancelling():
                raise
            if request.transport is not None:  # paused or ended under the request: what is sent cannot be completed
                request.transport.abort()
            return refusal(request, sandbox_id, NOT_FOUND)

    async def redirect(self, sandboxes: Sandboxes, sandbox_id: str, port: int) -> NoReturn:
        """Send a browser to the preview's own loopback port, bound now if this is the first time."""
        if not 0 < port < 65536:
            raise web.HTTPNotFound(text="There is no such port.")
        try:
            sandbox = await sandboxes.reach(sandbox_id)
        except GoneError:
            sandbox = None
        if sandbox is None or sandbox.machine is None:
            raise web.HTTPNotFound(text=NOT_FOUND)
        async with self._binding:
            await self._drop_dead()
            known = self._listeners.get((sandbox_id, port))
            if known is None:
                known = await self._bind(sandboxes, sandbox_id, port, sandbox.machine)
        raise web.HTTPFound(f"http://127.0.0.1:{known.port}/", headers={"Cache-Control": "no-store"})

    async def _bind(self, sandboxes: Sandboxes, sandbox_id: str, port: int, machine: Runtime) -> _Listener:
        bound = 0

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            # A name rebound to us by a stranger, or `localhost`, whose cookies are the product's and the operator's.
            if request.host != f"127.0.0.1:{bound}":
                return web.json_response({"message": "This preview does not answer to this host name."}, status=421)
            return await self.answer(request, sandboxes, sandbox_id, port, own_origin=False)

        runner = web.ServerRunner(
            web.Server(handle, access_log=None, handler_cancellation=True), shutdown_timeout=0.1, handle_signals=False
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bound = int(runner.addresses[0][1])
        self._listeners[sandbox_id, port] = _Listener(machine, runner, bound)
        return self._listeners[sandbox_id, port]

    async def _drop_dead(self) -> None:
        for key, listener in list(self._listeners.items()):
            if not listener.machine.alive:
                del self._listeners[key]
                await listener.runner.cleanup()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        for listener in self._listeners.values():
            await listener.runner.cleanup()
        self._listeners.clear()
        await self._relays.close()


def refusal(request: web.BaseRequest, sandbox_id: str, message: str, port: int | None = None) -> web.Response:
    """502 in E2B's words: JSON for programs; for a person a page, which looks again by itself while it may help."""
    headers = {"Cache-Control": "no-store"}
    if not _navigates(request):
        body = {"sandboxId": sandbox_id, "message": message, **({} if port is None else {"port": port}), "code": 502}
        return web.json_response(body, status=502, headers=headers)
    text = _STARTING.format(port=port) if port is not None else _GONE
    page = _PAGE.format(message=html.escape(message), text=text)
    if port is not None:
        headers["Refresh"] = str(RETRY_SECONDS)
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return web.Response(status=502, text=page, content_type="text/html", headers=headers)


def _navigates(request: web.BaseRequest) -> bool:
    """Whether a person's browser wants to show the answer as a page."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    wants_page = "text/html" in request.headers.get("Accept", "")
    return request.method == "GET" and wants_page and bool(_BROWSER.search(request.headers.get("User-Agent", "")))


def _prefix(sandbox_id: str, port: int) -> str:
    return f"preview-{sandbox_id}-{port}-"


def _only_own_cookies(sandbox_id: str, port: int) -> Edit:
    """Cookies ignore ports: on a shared host only those this preview set itself may reach it."""
    prefix = _prefix(sandbox_id, port)

    def edit(headers: CIMultiDict[str]) -> None:
        pairs = [pair.strip() for value in headers.popall("Cookie", []) for pair in value.split(";")]
        own = [pair.removeprefix(prefix) for pair in pairs if pair.startswith(prefix)]
        if own:
            headers["Cookie"] = "; ".join(own)

    return edit


def _mark_cookies(sandbox_id: str, port: int) -> Edit:
    """The other half: what the app sets is kept under a name of this preview, so that it replaces nobody else's."""
    prefix = _prefix(sandbox_id, port)

    def edit(headers: CIMultiDict[str]) -> None:
        for value in headers.popall("Set-Cookie", []):
            headers.add("Set-Cookie", prefix + value.lstrip())

    return edit


_STARTING = "<p>Nothing listens on port {port} yet. Looking again …</p>"
_GONE = "<p>It has ended, or it never was. Nothing will appear here.</p>"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{message}</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;margin:20vh auto 0;max-width:32rem;\
padding:0 1.5rem;text-align:center}}h1{{font-size:1.05rem;font-weight:600}}p{{opacity:.7}}</style></head>
<body><h1>{message}</h1>{text}</body></html>
"""
