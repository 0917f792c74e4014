"""Neon's connection URIs: taken apart into what is secret and what is not, and given another password."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from provisioning.exceptions import VendorError
from provisioning.outcome import Outcome
from provisioning.secrets import Secret

_PRINTABLE = re.compile(r"[!-~]{1,1000}\Z")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}\Z")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}\Z")
_PASSWORD = re.compile(r"[A-Za-z0-9_.~!@#%^*+=:,/?-]{1,200}\Z")  # what `.env` can carry for every reader
_QUERY = {"sslmode", "channel_binding", "options"}  # nothing that makes libpq read a file


def read_uri(uri: str, operation: str) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Take a connection URI apart into what is not secret and what is; raises `VendorError` where it is not one."""

    def bad(why: str) -> VendorError:
        return VendorError(operation, Outcome.AMBIGUOUS, status=200, detail=f"connection URI: {why}")

    if not _PRINTABLE.match(uri):
        raise bad("not printable")
    try:
        parts = urlsplit(uri)
        port = parts.port or 5432
    except ValueError as error:
        raise bad("not a URI") from error
    database, role = unquote(parts.path.removeprefix("/")), unquote(parts.username or "")
    password, host = unquote(parts.password or ""), parts.hostname or ""
    if parts.scheme not in {"postgres", "postgresql"} or not _HOST.match(host):
        raise bad("scheme or host")
    if not (_NAME.match(database) and _NAME.match(role) and _PASSWORD.match(password)):
        raise bad("database, role or password")
    if {key for key, _ in parse_qsl(parts.query, keep_blank_values=True)} - _QUERY:
        raise bad("parameters")
    meta = {"host": host, "port": port, "database": database, "role": role}
    return meta, {"DATABASE_URL": Secret(uri), "NEON_ROLE_PASSWORD": Secret(password)}


def with_password(uri: str, password: str) -> str:
    """A URI that `read_uri` has accepted, with that password instead of its own."""
    parts = urlsplit(uri)
    who, _, where = parts.netloc.rpartition("@")
    user = who.partition(":")[0]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{where}").geturl()
