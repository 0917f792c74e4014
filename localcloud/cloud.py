"""What every stand-in is handed: configuration, store, keys, faults and the addresses of this installation."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from localcloud import keys as key_ring
from localcloud.config import Config
from localcloud.faults import Faults
from localcloud.keys import Keys
from localcloud.limits import LimitForm, Limits
from localcloud.routes import Route
from localcloud.store import Store
from localcloud.traffic import Traffic

GITHUB_OWNER = "mk0r-local"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PreviewHandler = Callable[[web.Request, str, int], Awaitable[web.StreamResponse]]
ErrorBody = Callable[[int, str], web.Response]


@dataclass(slots=True)
class Cloud:
    """One localcloud process. Made by `open_cloud` before the listener exists, closed after it is gone.

    Stand-ins may set `envd_handler` (requests that carry `E2b-Sandbox-Id`), `preview_handler` (requests whose Host is
    `<port>-<sandbox>.localhost:<port>`, called with the request, the sandbox id and the port), and put their vendor's
    form of an error reply into `error_bodies`, and of a rate limit into `limit_forms`. `routes` are those that lie
    behind such a handler. `notes` holds what they want a person to read on the `/_cloud/` page, `extra` what else
    belongs into `cloud.json`.
    """

    config: Config
    store: Store
    keys: Keys
    faults: Faults
    limits: Limits
    postgres_port: int
    error_bodies: dict[str, ErrorBody] = field(default_factory=dict)
    limit_forms: dict[str, LimitForm] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    extra: dict[str, object] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    envd_handler: Handler | None = None
    envd_operation: Callable[[web.Request], tuple[str, str]] | None = None
    preview_handler: PreviewHandler | None = None
    traffic: Traffic | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at the end."""
        return self.config.base_url

    @property
    def directory(self) -> Path:
        """Where everything localcloud keeps lies."""
        return self.config.directory

    @property
    def github_owner(self) -> str:
        """The account that owns the repositories of `/user/repos`."""
        return GITHUB_OWNER

    def move_postgres(self, port: int) -> None:
        """Remember that the cluster had to take another port. Connection strings given out before are now wrong."""
        self.postgres_port = port
        self.store.set_meta("postgres_port", port)

    def close(self) -> None:
        self.store.close()
        if self.traffic is not None:
            self.traffic.close()


CLOUD: web.AppKey[Cloud] = web.AppKey("cloud", Cloud)


def cloud_of(request: web.Request) -> Cloud:
    """The cloud a request came to."""
    return request.app[CLOUD]


def open_cloud(config: Config) -> Cloud:
    """Open or make the state under `config.directory`. Nothing listens yet."""
    config.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(config.directory / "state.sqlite3")
    return Cloud(
        config=config,
        store=store,
        keys=key_ring.load(store),
        faults=Faults(),
        limits=Limits(config.limits),
        postgres_port=_postgres_port(store),
    )


def _postgres_port(store: Store) -> int:
    """The port of the database cluster: picked once, then kept, because databases are known to others by it."""
    kept = store.meta("postgres_port")
    if isinstance(kept, int):
        return kept
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    store.set_meta("postgres_port", port)
    return port
