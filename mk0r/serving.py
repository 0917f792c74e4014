"""The web process: Daphne, started by us because it has no lifespan, with request bodies capped at the protocol.

Daphne spools a whole body before the application runs, so a cap in a view comes too late. Shared clients are open
before the first connection is accepted and closed after the last; jobs run in the same loop when this process is also
the worker.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server, twisted_loop
from twisted.internet import defer
from twisted.internet import reactor as installed_reactor

logger = logging.getLogger(__name__)
reactor: Any = installed_reactor  # typed in Twisted as an interface, without the object behind it

MEGABYTE = 1_000_000
# Longest prefix wins. A model request carries the whole conversation; the vendor's own limit is 32 MB.
BODY_CAPS = {
    b"/": 1 * MEGABYTE,
    b"/gateway/git/": 200 * MEGABYTE,
    b"/gateway/model/": 32 * MEGABYTE,
    b"/gateway/mail/": 10 * MEGABYTE,
}
_LINGER_SECONDS = 2  # how long a refused client may go on sending, so that it reads our answer instead of a reset
WEBSOCKET_MESSAGE_CAP = 1024 * 1024  # larger frames end the socket; from 256 kB on the consumer answers with an error


def body_cap(path: bytes) -> int:
    """Largest body, in bytes, that a request for `path` may carry."""
    return BODY_CAPS[max((prefix for prefix in BODY_CAPS if path.startswith(prefix)), key=len, default=b"/")]


class CappedRequest(WebRequest):  # type: ignore[misc]  # daphne is untyped
    """A request refused with 413 as soon as its announced or counted body passes the cap of its path."""

    _received = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 (Twisted's name)
        """Refuse by the announced length, before a byte of the body is kept."""
        self._cap = body_cap(getattr(self.channel, "_path", b"/"))
        if length is not None and length > self._cap:
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Count a body of unannounced length, and refuse it once it passes the cap."""
        if self._refused:
            return
        self._received += len(data)
        if self._received > self._cap:
            self._refuse()
            return
        super().handleContentChunk(data)

    def process(self) -> Any:
        """Hand a request that was not refused to the application."""
        return None if self._refused else super().process()

    def _refuse(self) -> None:
        self._refused = True
        body = b'{"code":"too_large","message":"The request is larger than %d bytes, the most taken here."}' % self._cap
        head = (
            b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        transport = self.channel.transport
        transport.write(head + body)
        if hasattr(transport, "loseWriteConnection"):
            transport.loseWriteConnection()
        reactor.callLater(_LINGER_SECONDS, self.channel.forceAbortClient)


class _CappedFactory(HTTPFactory):  # type: ignore[misc]  # daphne is untyped
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 (Twisted's name)
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = CappedRequest
        return protocol


class WebServer(Server):  # type: ignore[misc]  # daphne is untyped
    """Daphne's server with the capped request and hooks around its life."""

    @property
    def http_factory(self) -> Any:
        """The factory Daphne made, replaced by ours."""
        return self._factory

    @http_factory.setter
    def http_factory(self, _made_by_daphne: Any) -> None:
        self._factory = _CappedFactory(self)

    @property
    def ws_factory(self) -> Any:
        """The factory of WebSockets, told to end a bad one with a close frame that says why, not a dropped line."""
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: Any) -> None:
        factory.setProtocolOptions(failByDrop=False)
        self._ws_factory = factory

    def kill_all_applications(self) -> None:
        """Cancel what runs; connections that never got as far as an application are left out, unlike in Daphne."""
        for protocol in [key for key, details in self.connections.items() if "application_instance" not in details]:
            del self.connections[protocol]
        super().kill_all_applications()


def serve(
    application: Any,
    *,
    bind: str,
    port: int,
    opening: Callable[[], Awaitable[None]],
    closing: Callable[[], Awaitable[None]],
) -> None:
    """Run the web server until SIGINT or SIGTERM.

    `opening` is awaited before the port is bound, `closing` after connections were told to end. What a proxy in front
    forwards is not read here: Daphne would believe whatever stands first, which anybody can write.
    """
    twisted_loop.run_until_complete(opening())
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: defer.Deferred.fromFuture(twisted_loop.create_task(_logged(closing())))
    )
    WebServer(
        application,
        endpoints=[f"tcp:port={port}:interface={bind.replace(':', chr(92) + ':')}"],
        http_timeout=None,
        websocket_timeout=-1,
        ping_interval=20,
        ping_timeout=30,
        websocket_max_message_size=WEBSOCKET_MESSAGE_CAP + 1024,
        websocket_max_frame_size=WEBSOCKET_MESSAGE_CAP + 1024,
        application_close_timeout=10,
        server_name="mk0r",
    ).run()


async def _logged(closing: Awaitable[None]) -> None:
    try:
        await closing
    except Exception:
        logger.exception("closing failed")
