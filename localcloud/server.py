"""The one listener of localcloud: which request goes where, and the life of the process around it.

A request is first judged by its Host, because a page of a stranger must not reach us under a name of its own
(DNS rebinding): `127.0.0.1` and `localhost` with our port are ours, `<port>-<sandbox>.localhost` is a sandbox's
preview, anything else is refused with 421. Then come the rate limits and the faults in force, then the stand-in.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import importlib
import logging
import os
import re
import signal
import socket
import sqlite3
import time
from pathlib import Path
from typing import TextIO

from aiohttp import web

from localcloud import console, operator
from localcloud.announcement import announce
from localcloud.cloud import CLOUD, Cloud, Handler, cloud_of, open_cloud
from localcloud.config import Config
from localcloud.faults import UNDECLARED, operation_of
from localcloud.limits import LimitForm, Standing, counted_for
from localcloud.routes import by_vendor, routes
from localcloud.traffic import Traffic

log = logging.getLogger("localcloud")

STAND_INS = ("neon", "resend", "github", "posthog", "e2b", "anthropic")
PREVIEW_HOST = re.compile(r"(\d{1,5})-([a-z0-9]{1,40})\.localhost")
STARTED: web.RequestKey[bool] = web.RequestKey("answer_started", bool)
TOLD: web.RequestKey[tuple[LimitForm, Standing]] = web.RequestKey("rate_limit", tuple)
MAX_BODY = 64 * 1024 * 1024  # the largest body of any vendor: a mail with 40 MB of attachments in base64
STOP_SECONDS = 5.0


class StartError(Exception):
    """Something outside localcloud keeps it from starting; the message tells a person what to do."""


@web.middleware
async def by_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send previews and envd traffic to the sandboxes, refuse foreign names, and let faults have their way."""
    cloud = cloud_of(request)
    name, _, port = request.host.lower().partition(":")
    preview = PREVIEW_HOST.fullmatch(name)
    if port != str(cloud.config.port) or not (preview or name in ("127.0.0.1", "localhost")):
        return web.json_response({"message": "localcloud does not answer to this host name."}, status=421)
    if preview:
        if cloud.preview_handler is None or not 0 < int(preview[1]) < 65536:
            return web.json_response({"message": "There are no sandboxes here.", "code": 502}, status=502)
        return await cloud.preview_handler(request, preview[2], int(preview[1]))
    chosen = handler
    declared = operation_of(request.match_info.handler)
    if "E2b-Sandbox-Id" in request.headers and cloud.envd_handler and cloud.envd_operation:
        chosen, declared = cloud.envd_handler, cloud.envd_operation(request)
    elif (refusal := _over_limit(cloud, request)) is not None:
        chosen, declared = refusal, UNDECLARED
    return await _serve(cloud, request, chosen, declared)


def _over_limit(cloud: Cloud, request: web.Request) -> Handler | None:
    """Count this call; what refuses it in the vendor's words when it is one too many, else None."""
    vendor = counted_for(request.path) if cloud.limits.rules else None
    standing = cloud.limits.count(vendor) if vendor else None
    if vendor is None or standing is None:
        return None
    form = cloud.limit_forms.get(vendor) or _plain_limit(cloud, vendor)
    request[TOLD] = form, standing
    if not standing.refused:
        return None
    log.info("%s is over its limit of %d in %g s", vendor, standing.limit.requests, standing.limit.per_seconds)

    async def refuse(_request: web.Request) -> web.Response:
        answer = form.refusal(standing)
        answer.headers.setdefault("Retry-After", str(standing.seconds))
        return answer

    return refuse


def _plain_limit(cloud: Cloud, vendor: str) -> LimitForm:
    """For a vendor that is not known to name its limit in headers: its error body, and `Retry-After`."""
    error_body = cloud.error_bodies.get(vendor, _plain_error)
    return LimitForm(
        refusal=lambda _: error_body(429, "Too many requests. Please try again later."), headers=lambda _: {}
    )


async def _serve(cloud: Cloud, request: web.Request, handler: Handler, declared: tuple[str, str]) -> web.StreamResponse:
    begun = time.monotonic()
    vendor = declared[0]
    error_body = cloud.error_bodies.get(vendor, _plain_error)
    ordered = error_body
    exchange = cloud.traffic.exchange(request) if cloud.traffic is not None else None
    if exchange is not None:
        ordered = exchange.refusing(error_body, ordered=True)
        handler, error_body = exchange.watching(handler), exchange.refusing(error_body, ordered=False)
    answer: web.StreamResponse | None = None
    try:
        answer = await (
            handler(request) if declared == UNDECLARED else cloud.faults.serve(request, handler, declared, ordered)
        )
        return answer
    except web.HTTPClientError as error:  # the framework's own refusals, such as a body over the cap
        answer = error_body(error.status, error.reason) if vendor else error
        return answer
    except web.RequestPayloadError as error:  # a body that is not packed as its headers say
        answer = error_body(400, str(error)) if vendor else web.HTTPBadRequest(text=str(error))
        return answer
    except ConnectionError:  # the client is gone; there is nobody to answer
        raise
    except Exception:
        if not vendor or request.get(STARTED):
            raise  # the connection is closed, which tells the client that the answer is not whole
        log.exception("%s.%s failed", *declared)
        answer = error_body(500, "localcloud failed; its log says why.")
        return answer
    finally:
        if exchange is not None:
            await exchange.end(answer)
        if declared != UNDECLARED:
            status = answer.status if answer is not None else "-"
            level = logging.DEBUG if request.method in ("GET", "HEAD", "OPTIONS") else logging.INFO
            log.log(level, "%s.%s %s %.0f ms", *declared, status, (time.monotonic() - begun) * 1000)


async def _note_start(request: web.Request, answer: web.StreamResponse) -> None:
    request[STARTED] = True
    if TOLD in request:
        form, standing = request[TOLD]
        answer.headers.update(form.headers(standing))


def _plain_error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def build(cloud: Cloud) -> web.Application:
    """The application with every stand-in that is there. Nothing listens yet."""
    app = web.Application(middlewares=[by_host], client_max_size=MAX_BODY)
    app[CLOUD] = cloud
    app.on_response_prepare.append(_note_start)
    operator.setup(app, cloud)
    console.setup(app, cloud)
    for vendor in STAND_INS:
        _install(app, cloud, vendor)
    cloud.faults.known = by_vendor(routes(app, cloud.routes))
    return app


def _install(app: web.Application, cloud: Cloud, vendor: str) -> None:
    """Add one stand-in. One that cannot be set up says so in the log and in its answers; the others run without it."""
    status, trouble = 501, ""
    try:
        importlib.import_module(f"localcloud.{vendor}").setup(app, cloud)
    except Exception as error:  # one vendor's trouble must not take the others away
        log.exception("the %s stand-in could not be set up", vendor)
        status, trouble = 503, f" Its stand-in could not be set up: {error!r}"
        cloud.notes[vendor] = trouble.strip()

    async def not_covered(request: web.Request) -> web.Response:
        body = cloud.error_bodies.get(vendor, _plain_error)
        return body(status, f"localcloud does not cover {request.method} {request.path} of {vendor}.{trouble}")

    for path in (f"/{vendor}", f"/{vendor}/{{rest:.*}}"):
        app.router.add_route("*", path, not_covered)


async def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT. Raises `StartError`."""
    try:
        config.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (config.directory / "lock").open("a+")
    except OSError as error:
        raise StartError(
            f"{config.directory} cannot be used ({error.strerror}). Set MK0R_VAR to a directory you can write to."
        ) from error
    with lock:
        _only_one(lock, config.directory)
        config.announcement.unlink(missing_ok=True)  # one left by a killed process would send others to a dead port
        try:
            cloud = open_cloud(config)
        except sqlite3.DatabaseError as error:
            raise StartError(
                f"{config.directory / 'state.sqlite3'} cannot be read ({error}). Move {config.directory} away to start "
                "with an empty cloud."
            ) from error
        try:
            cloud.traffic = _traffic(config)
            await _run(cloud)
        finally:
            cloud.close()


def _traffic(config: Config) -> Traffic | None:
    if config.traffic is None:
        return None
    try:
        return Traffic(config.traffic, STAND_INS)
    except OSError as error:
        raise StartError(f"MK0R_CLOUD_TRAFFIC: {config.traffic} cannot be used ({error.strerror}).") from error


async def _run(cloud: Cloud) -> None:
    config = cloud.config
    listener = _bind(config.port)  # before anything is started, so that a taken port costs nothing
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, cloud.stopping.set)
    runner = web.AppRunner(build(cloud), access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        announce(cloud)
        log.info("localcloud listens on %s", config.base_url)
        await cloud.stopping.wait()
        log.info("localcloud is stopping")
    finally:
        cloud.faults.stop()
        await runner.cleanup()
        listener.close()
        if cloud.stopping.is_set():
            config.announcement.unlink(missing_ok=True)


def _bind(port: int) -> socket.socket:
    """Take our port on loopback without listening yet. Raises `StartError`."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Port {port} is taken by another program. Stop it, or set MK0R_CLOUD_PORT to a free port."
            ) from error
        raise StartError(f"Port {port} cannot be used ({error.strerror}). Set MK0R_CLOUD_PORT to another.") from error
    return listener


def _only_one(lock: TextIO, directory: Path) -> None:
    """Hold the directory for this process; the kernel lets go of it however the process ends. Raises `StartError`."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        raise StartError(
            f"Another localcloud (process {lock.read().strip() or 'unknown'}) already uses {directory}. "
            "Stop it, or set MK0R_VAR to another directory."
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
