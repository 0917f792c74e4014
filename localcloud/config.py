"""What localcloud is told from outside: nine environment variables, read once and checked before anything starts.

| variable | meaning | default |
|---|---|---|
| `MK0R_VAR` | directory that holds everything this machine keeps | `.var` beside this package |
| `MK0R_CLOUD_PORT` | loopback port of the one listener | 8001 |
| `MK0R_GATEWAY_URL` | the product's address; sandboxes reach only its `/gateway/` | `http://127.0.0.1:8000` |
| `EMAIL_URL` | `smtp://`, `smtp+tls://` or `smtps://` server that gets a copy of each mail | none |
| `MK0R_ISOLATION` | `auto`, `bwrap`, `unshare` or `plain` | `auto` |
| `MK0R_WEBHOOK_HOSTS` | hosts besides this machine that webhooks may call, with commas between | none |
| `MK0R_CLOUD_LIMITS` | rate limits: `resend=10/1,neon=700/60`, requests per seconds | none |
| `MK0R_CLOUD_NEON_PROJECTS` | how many projects each account of the Neon stand-in may have | as many as it likes |
| `MK0R_CLOUD_TRAFFIC` | directory that gets a record of all traffic with the vendors' APIs | none |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from localcloud import limits
from localcloud.limits import Limit

ISOLATION_MODES = ("auto", "bwrap", "unshare", "plain")
HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
EMAIL_SCHEMES = ("smtp", "smtp+tls", "smtp+ssl", "smtps")


class ConfigError(ValueError):
    """A variable holds a value localcloud cannot use; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Config:
    """The checked settings of one localcloud process."""

    var: Path
    port: int
    gateway_url: str
    email_url: str | None
    isolation: str
    limits: Mapping[str, Limit] = field(default_factory=dict)
    webhook_hosts: frozenset[str] = frozenset()
    neon_projects: int | None = None
    traffic: Path | None = None

    @property
    def directory(self) -> Path:
        """Where localcloud keeps its own state, apart from the product's."""
        return self.var / "cloud"

    @property
    def announcement(self) -> Path:
        """The file that tells others where localcloud listens and with which keys."""
        return self.var / "cloud.json"

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def read(environ: Mapping[str, str]) -> Config:
    """Read the settings from *environ*; raises `ConfigError` naming the first bad variable."""
    root = Path(__file__).resolve().parent.parent
    return Config(
        var=Path(environ.get("MK0R_VAR") or root / ".var").expanduser().resolve(),
        port=_port(environ.get("MK0R_CLOUD_PORT") or "8001"),
        gateway_url=_origin(environ.get("MK0R_GATEWAY_URL") or "http://127.0.0.1:8000"),
        email_url=_email(environ.get("EMAIL_URL") or ""),
        isolation=_isolation(environ.get("MK0R_ISOLATION") or "auto"),
        limits=_limits(environ.get("MK0R_CLOUD_LIMITS") or ""),
        webhook_hosts=_hosts(environ.get("MK0R_WEBHOOK_HOSTS") or ""),
        neon_projects=_number("MK0R_CLOUD_NEON_PROJECTS", environ.get("MK0R_CLOUD_NEON_PROJECTS") or ""),
        traffic=Path(traffic).expanduser().resolve() if (traffic := environ.get("MK0R_CLOUD_TRAFFIC")) else None,
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigError(f"MK0R_CLOUD_PORT must be a port number from 1 to 65535, not {text!r}")
    return int(text)


def _number(name: str, text: str) -> int | None:
    if text and (not text.isascii() or not text.isdigit() or int(text) < 1):
        raise ConfigError(f"{name} must be a whole number from 1 on, not {text!r}")
    return int(text) if text else None


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"MK0R_GATEWAY_URL must look like http://host:port, not {text!r}")
    return text.rstrip("/")


def _email(text: str) -> str | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in EMAIL_SCHEMES and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:  # the value may hold a password: it is not repeated
        raise ConfigError(f"EMAIL_URL must look like smtp://user:password@host:port ({', '.join(EMAIL_SCHEMES)})")
    return text


def _isolation(text: str) -> str:
    if text not in ISOLATION_MODES:
        raise ConfigError(f"MK0R_ISOLATION must be one of {', '.join(ISOLATION_MODES)}, not {text!r}")
    return text


def _hosts(text: str) -> frozenset[str]:
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    for host in found:
        if not HOST.fullmatch(host):
            raise ConfigError(f"MK0R_WEBHOOK_HOSTS must be host names like hooks.example.com, not {host!r}")
    return found


def _limits(text: str) -> Mapping[str, Limit]:
    try:
        return limits.of_text(text)
    except limits.LimitError as error:
        raise ConfigError(f"MK0R_CLOUD_LIMITS: {error}") from error
