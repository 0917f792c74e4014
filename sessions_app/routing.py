"""Addresses of the WebSocket consumers."""

from __future__ import annotations

from django.urls import URLPattern, path

from sessions_app.consumers import SessionConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/session/", SessionConsumer.as_asgi()),
]
