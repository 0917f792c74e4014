"""E2B: one sandbox per session, through E2B's own SDK.

Facts this rests on: sandboxes are found by metadata. Without a timeout one lives for seconds only, and an hour at most
on the smallest plan, so it is kept alive while in use and pauses, files and processes included, when time is up. The
SDK repeats a create on 5xx by itself unless told not to. Names in the egress list hold for ports 80 and 443 only, so
the database's addresses are added once they are known. glibc does not resolve `*.localhost`.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import urlsplit

import e2b
import httpx
from django.conf import settings
from django.utils import timezone
from e2b.sandbox.sandbox_api import SandboxNetworkOpts, SandboxNetworkUpdate

from provisioning import http
from provisioning.exceptions import SandboxLost, VendorError
from provisioning.outcome import Outcome, Seen, Verb, Wire, classify
from provisioning.providers import e2b_cap
from provisioning.providers.base import NAME_PREFIX, Found, Made, Order, Step, is_loopback, partial, require
from provisioning.secrets import Secret

PREVIEW_PORT = 5173
MAX_LIFETIME = 3600  # seconds; the smallest plan's limit
_PAGE, _MAX_PAGES = 100, 200
_SANDBOX_ID = re.compile(r"[a-z0-9]{1,64}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?\Z")
_REGISTRY_HOSTS = ("registry.npmjs.org",)
_NEON_HOSTS = "*.neon.tech"  # each database has a host of its own below it, not known yet when the sandbox is made
_ANYWHERE = "0.0.0.0/0"

e2b_cap.install()


def _connection(total: float) -> dict[str, Any]:
    options: dict[str, Any] = {
        "api_key": settings.E2B_API_KEY,
        "api_url": settings.E2B_API_URL,
        "request_timeout": total,
        "retries": 0,  # what to do after a failure is decided by the outcome table, not by the client
    }
    if settings.E2B_SANDBOX_URL:
        options["sandbox_url"] = settings.E2B_SANDBOX_URL
    return options


@asynccontextmanager
async def _spoken(verb: Verb, operation: str, total: float) -> AsyncIterator[None]:
    """Bound a call of the SDK in time and number, and translate its errors."""
    wire, status, why = Wire.REPLIED, 0, ""
    try:
        async with asyncio.timeout(total + 1), http.gate("e2b"):
            yield
        return
    except (e2b.SandboxNotFoundException, e2b.NotFoundException):
        status = 404
    except e2b.AuthenticationException:
        status = 401
    except e2b.ServiceBusyException:
        status = 503
    except httpx.ConnectError:
        wire, why = Wire.UNSENT, "ConnectError"
    except (httpx.HTTPError, TimeoutError, e2b.TimeoutException, OSError) as error:
        wire, why = Wire.LOST, type(error).__name__
    except e2b.SandboxException as error:
        status, why = error.status_code or 200, type(error).__name__
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        status, why = 200, type(error).__name__  # the SDK trips over a body that is not as documented
    outcome = classify(Seen(verb, wire=wire, status=status, readable=False))
    raise VendorError(operation, outcome, verb=verb, wire=wire, status=status, detail=why)


def lifetime(seconds_left: float) -> int:
    """How long a sandbox is asked to live: what is left of the session, within the plan's limit."""
    return max(60, min(MAX_LIFETIME, int(seconds_left)))


async def connect(sandbox_id: str, seconds_left: float, *, total: float = 30.0) -> e2b.AsyncSandbox:
    """The running sandbox, resumed when it was paused, with its time extended.

    Raises:
        SandboxLost: E2B knows it no more.
        VendorError: E2B did not answer as it should.
    """
    try:
        async with _spoken(Verb.READ, "connect_sandbox", total):
            return await e2b.AsyncSandbox.connect(sandbox_id, timeout=lifetime(seconds_left), **_connection(total))
    except VendorError as error:
        if error.outcome is Outcome.GONE:
            raise SandboxLost("The sandbox no longer exists at E2B; its files went with it.") from error
        raise


async def pause(sandbox_id: str) -> bool:
    """Put it to sleep with its files and processes; False when it no longer exists."""
    try:
        async with _spoken(Verb.READ, "pause_sandbox", 30):
            await e2b.AsyncSandbox.pause(sandbox_id, **_connection(30))
    except VendorError as error:
        if error.outcome is Outcome.GONE:
            return False
        raise
    return True


async def prolong(sandbox_id: str, seconds_left: float) -> bool:
    """Let a running one live longer without waking one that sleeps; False when none of that id runs."""
    try:
        async with _spoken(Verb.READ, "set_timeout", 15):
            await e2b.AsyncSandbox.set_timeout(sandbox_id, lifetime(seconds_left), **_connection(15))
    except VendorError as error:
        if error.outcome is Outcome.GONE:
            return False
        raise
    return True


def egress(extra: tuple[str, ...] = ()) -> list[str]:
    """What a sandbox in E2B's own cloud may reach: the gateway, analytics, the package registry, its database."""
    hosts = {urlsplit(url).hostname or "" for url in (settings.GATEWAY_URL, settings.POSTHOG_HOST)}
    return [*sorted(hosts - {""}), *_REGISTRY_HOSTS, *extra]


def egress_here() -> list[str]:
    """What a sandbox on this machine asks for beyond the usual: the real vendors its app speaks to by itself.

    Only names: they are looked up and dialled outside. A vendor that this machine plays needs none.
    """
    names = [] if is_loopback(settings.NEON_API_URL) else [_NEON_HOSTS]
    capture = urlsplit(settings.POSTHOG_HOST)
    if capture.hostname and not is_loopback(settings.POSTHOG_HOST):
        names.append(capture.hostname if capture.port in (None, 443) else f"{capture.hostname}:{capture.port}")
    return names


async def allow_database(sandbox: e2b.AsyncSandbox, host: str) -> None:
    """Let the sandbox reach its database; does nothing where the sandbox is on this machine."""
    if is_loopback(settings.E2B_API_URL):
        return
    try:
        known = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM, family=socket.AF_INET)
    except OSError as error:
        raise VendorError("resolve_database", Outcome.NOT_SENT, verb=Verb.READ, wire=Wire.UNSENT) from error
    addresses = tuple(sorted({f"{entry[4][0]}/32" for entry in known}))
    rules: SandboxNetworkUpdate = {"allow_out": egress((host, *addresses)), "deny_out": [_ANYWHERE]}
    async with _spoken(Verb.READ, "update_network", 15):
        await sandbox.update_network(rules)


class Sandbox(Step):
    """The computer the app is written and run on."""

    provider: ClassVar[str] = "e2b"
    kind: ClassVar[str] = "sandbox"
    label: ClassVar[str] = "E2B"
    thing: ClassVar[str] = "a sandbox"
    without: ClassVar[str] = "Without a sandbox nothing can be built or shown; the other services are kept."
    settles_within: ClassVar[float] = 15.0  # it is listed once it has booted
    cost: ClassVar[int] = 1  # what is limited so tightly is creating; every other call has room to spare
    rotates_not: ClassVar[str] = "E2B gives a sandbox no key of its own. What opens it is mk0r's own key."

    @property
    def base_url(self) -> str:
        return str(settings.E2B_API_URL)

    def check(self) -> None:
        require("E2B_API_KEY", settings.E2B_API_KEY)

    async def create(self, order: Order) -> Made:
        # Here the first one waits for its files, and the leg shows as slow meanwhile; E2B itself takes seconds.
        total = 300.0 if self.local else 60.0
        allowed = egress_here() if self.local else egress()
        network: SandboxNetworkOpts | None = {"allow_out": allowed, "deny_out": [_ANYWHERE]} if allowed else None
        async with _spoken(Verb.CREATE, "create_sandbox", total):
            sandbox = await e2b.AsyncSandbox.create(
                template=settings.E2B_TEMPLATE,
                timeout=lifetime((order.expires_at - timezone.now()).total_seconds()),
                metadata={"mk0r": order.name},
                envs={"MK0R_APP": order.name},
                lifecycle={"on_timeout": "pause"},
                network=network,
                idempotency_key=f"{order.name}-{order.attempt}",
                **_connection(total),
            )
        return self._made(sandbox, Verb.CREATE, "create_sandbox")

    async def find(self, order: Order) -> list[Found]:
        found: list[Found] = []
        query = e2b.SandboxQuery(metadata={"mk0r": order.name})
        async with _spoken(Verb.READ, "list_sandboxes", 10):
            pages = e2b.AsyncSandbox.list(query=query, limit=100, **_connection(10))
            while pages.has_next and len(found) < 1000:
                found += [
                    Found(one.sandbox_id, one.started_at, name=order.name)
                    for one in await pages.next_items()
                    if one.metadata.get("mk0r") == order.name and _SANDBOX_ID.match(one.sandbox_id)
                ]
        return sorted(found, key=lambda one: one.created_at.timestamp() if one.created_at else 0.0)

    async def inventory(self) -> list[Found]:
        """The filter on metadata wants a value, so everything is listed, asleep or awake, and looked through here."""
        found: dict[str, Found] = {}
        query = e2b.SandboxQuery(state=[e2b.SandboxState.RUNNING, e2b.SandboxState.PAUSED])
        pages = e2b.AsyncSandbox.list(query=query, limit=_PAGE, **_connection(10))
        for _ in range(_MAX_PAGES):
            async with _spoken(Verb.READ, "list_sandboxes", 10):
                for one in await pages.next_items():
                    name = one.metadata.get("mk0r", "")
                    if name.startswith(NAME_PREFIX):
                        if not _SANDBOX_ID.match(one.sandbox_id):
                            raise ValueError("sandbox id")
                        found[one.sandbox_id] = Found(one.sandbox_id, one.started_at, name=name)
            if not pages.has_next:
                return list(found.values())
        raise partial("list_sandboxes", f"more than {_MAX_PAGES} pages")

    async def adopt(self, order: Order, found: Found) -> Made:
        try:
            sandbox = await connect(found.external_id, (order.expires_at - timezone.now()).total_seconds())
        except SandboxLost as error:  # gone between the search and now: search again
            raise VendorError("connect_sandbox", Outcome.AMBIGUOUS, verb=Verb.READ, status=404) from error
        return self._made(sandbox, Verb.READ, "connect_sandbox")

    async def exists(self, made: Made) -> bool:
        try:
            async with _spoken(Verb.READ, "get_sandbox", 10):
                await e2b.AsyncSandbox.get_info(made.external_id, **_connection(10))
        except VendorError as error:
            if error.outcome is Outcome.GONE:
                return False
            raise
        return True

    async def destroy(self, made: Made) -> None:
        async with _spoken(Verb.DELETE, "kill_sandbox", 20):
            await e2b.AsyncSandbox.kill(made.external_id, **_connection(20))

    def env(self, made: Made) -> dict[str, Secret]:  # noqa: ARG002 - the contract's shape
        return {}

    def _made(self, sandbox: e2b.AsyncSandbox, verb: Verb, operation: str) -> Made:
        host = sandbox.get_host(PREVIEW_PORT)
        if not _SANDBOX_ID.match(sandbox.sandbox_id) or not _DOMAIN.match(host):
            outcome = classify(Seen(verb, status=201, readable=False))
            raise VendorError(operation, outcome, verb=verb, status=201, detail="sandbox id or domain")
        return Made(sandbox.sandbox_id, meta={"host": host, "preview": f"{preview_scheme()}://{host}/"})


def preview_scheme() -> str:
    """`http` where envd is spoken to over http, which only happens on one machine."""
    return "http" if settings.E2B_SANDBOX_URL.startswith("http://") else "https"


async def preview_answers(meta: Mapping[str, Any]) -> bool:
    """Whether the app's page answers: one short request to the preview's host."""
    host = str(meta["host"])
    name = host.rsplit(":", 1)[0]
    if name.endswith(".localhost"):
        url, headers = settings.E2B_SANDBOX_URL + "/", {"Host": host}
    else:
        url, headers = str(meta["preview"]), {}
    headers["Accept"] = "text/html"
    try:
        reply = await http.exchange("preview", "GET", url, headers=headers, total=5.0)
    except http.WireError:
        return False
    return reply.status == 200
