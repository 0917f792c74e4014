"""The ASGI application: HTTP to Django, WebSocket to the session consumer."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mk0r.settings")
_http = get_asgi_application()

from sessions_app.routing import websocket_urlpatterns  # noqa: E402 (needs Django's apps loaded)

application = ProtocolTypeRouter({"http": _http, "websocket": URLRouter(websocket_urlpatterns)})
