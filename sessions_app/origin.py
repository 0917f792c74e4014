"""Whether a WebSocket handshake comes from a page of this very site.

Browsers do not hold WebSockets to the same-origin policy and send cookies along, so the server has to look: where an
`Origin` header is present it must name the scheme, host and port the request itself was made to. Programs send none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

_DEFAULT_PORTS = {"http": 80, "https": 443}


def allowed(scope: Mapping[str, Any]) -> bool:
    """Whether the Host is one of ours and the Origin, if there is one, is that host's own."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    if (origin := headers.get(b"origin")) is None:
        return True
    mine = _parts(f"{_scheme(scope, headers)}://{host}")
    return mine is not None and _parts(origin) == mine


def _scheme(scope: Mapping[str, Any], headers: Mapping[bytes, str]) -> str:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        header = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
        if headers.get(header, "").split(",")[0].strip() == secure:
            return "https"
    return "https" if scope.get("scheme") == "wss" else "http"


def _parts(origin: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)
