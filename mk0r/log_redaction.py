"""The last look at a line of the log: no key of ours leaves in it, nor what looks like a session's (I-15).

Code here never logs a secret on purpose; this is for what libraries put into messages and tracebacks. Keys of the
installation are known by value. A session's are known by their shape: our own tokens, credentials in an address, what
follows `password=`, and Authorization headers.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from django.conf import settings

from provisioning import minted
from sessions_app.redaction import DOTS, redact

_KEYS = (
    "SECRET_KEY",
    "MK0R_ENCRYPTION_KEYS",
    "NEON_API_KEY",
    "RESEND_API_KEY",
    "GITHUB_TOKEN",
    "GITHUB_APP_PRIVATE_KEY",
    "E2B_API_KEY",
    "ANTHROPIC_API_KEY",
)
_HEADER = r"(?i)(\b(?:authorization|x-api-key|x-access-token)\b['\"]?\s*[:=,]\s*b?['\"]?(?:(?:bearer|basic|token)\s+)?)"
# Each keeps its first group, which tells what stood there.
_SHAPES = [
    re.compile(shape)
    for shape in (
        r"\b(mk0r(?:gw)?_[a-z0-9]{12}_)[0-9a-f]{48}",
        r"\b(mk0rs_)[0-9a-f]{64}",
        r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]{1,100}:)[^\s@'\"]{1,300}(?=@)",
        r"(?i)(\b(?:password|passwd|pwd)['\"]?\s*[=:]\s*['\"]?)[^\s'\",;&]{4,}",
        _HEADER + r"[^\s'\",;]{8,}",
    )
]


class Formatter(logging.Formatter):
    """Formats a record, traceback included, and then takes out what may not be read."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as it may be written."""
        line = redact(super().format(record), installation_keys())
        for token in minted.everything():  # as it is: there may be very many, each for an hour
            line = line.replace(token, DOTS)
        for shape in _SHAPES:
            line = shape.sub(rf"\1{DOTS}", line)
        return line


def installation_keys() -> list[str]:
    """The values of every key of this installation that is set."""
    values: list[Any] = [getattr(settings, name, "") for name in _KEYS]
    values += [database.get("PASSWORD", "") for database in settings.DATABASES.values()]
    return [str(value) for value in values if value]
