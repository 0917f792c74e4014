"""What a session refuses, as one tree. Each carries the code the WebSocket sends and the status REST answers with.

Refused
├── BadPrompt    bad_frame   422  the prompt is empty, too long or holds control characters
├── Busy         busy        409  a turn or a restore is under way
├── Limit        limit       429  a limit is reached; says which and until when
├── NotFound     not_found   404  no such version, nothing to undo, no failed leg
├── Forbidden    forbidden   403  nobody to own a session: no cookie and no key
├── Closed       closed      409  the session has ended or is ending
├── StillOpen    open        409  only a session that has been ended has this
└── BadRequest   bad_request 422  the request itself is wrong
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone


class Refused(Exception):
    """A request the session does not carry out; its text is a sentence for the person who asked."""

    code: ClassVar[str] = "bad_frame"
    status: ClassVar[int] = 400
    retry_after: int | None = None  # seconds, where waiting helps

    def details(self) -> dict[str, Any]:
        """What goes beside `code` and `message`."""
        return {}


class BadPrompt(Refused):
    """The prompt cannot be taken as it is."""

    status = 422


class Busy(Refused):
    """A turn or a restore is under way."""

    code = "busy"
    status = 409


class Limit(Refused):
    """A limit is reached. `limit` names it; `until` is when it no longer holds, or None when nobody can tell."""

    code = "limit"
    status = 429

    def __init__(self, message: str, *, limit: str, until: datetime | None) -> None:
        super().__init__(message)
        self.limit = limit
        self.until = until
        if until is not None:
            self.retry_after = max(1, math.ceil((until - timezone.now()).total_seconds()))

    def details(self) -> dict[str, Any]:
        """Which limit, and until when."""
        return {"limit": self.limit, "until": self.until.isoformat() if self.until else None}


class NotFound(Refused):
    """What was asked for does not exist, or not for the one who asks."""

    code = "not_found"
    status = 404


class Forbidden(Refused):
    """The caller has no identity that could own anything."""

    code = "forbidden"
    status = 403


class Closed(Refused):
    """The session has ended or is ending."""

    code = "closed"
    status = 409


class StillOpen(Refused):
    """Only a session that has been ended has what was asked for."""

    code = "open"
    status = 409


class BadRequest(Refused):
    """The request itself is wrong."""

    code = "bad_request"
    status = 422
