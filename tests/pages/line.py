"""Cutting a page off from its server in the middle of things."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute


class Line:
    """A page's way to the server, from its next socket on; it can be cut, and mended again."""

    def __init__(self, page: Page) -> None:
        self._sockets: list[WebSocketRoute] = []
        self._broken = False
        page.route_web_socket("**/ws/session/**", self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self._broken:
            socket.close(code=1011)
        else:
            socket.connect_to_server()
            self._sockets.append(socket)

    def cut(self) -> None:
        """Break the line, and every one that is tried after it."""
        self._broken = True
        self._sockets[-1].close(code=1011)

    def mend(self) -> None:
        """Let the next try through."""
        self._broken = False
