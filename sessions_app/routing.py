"""Addresses of the WebSocket consumers."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import URLPattern, path, re_path

from sessions_app.consumers import SessionConsumer


class Nowhere(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """Any other address: the handshake is refused. Without it each such request would be an error of ours."""

    async def connect(self) -> None:
        """Refuse."""
        await self.close()


websocket_urlpatterns: list[URLPattern] = [
    path("ws/session/", SessionConsumer.as_asgi()),
    re_path(r"", Nowhere.as_asgi()),
]
