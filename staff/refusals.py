"""What the console refuses, in words for the member of staff who asked.

The same shape as what a session refuses, so the API answers both alike.

Refused            refused     422  the order is incomplete or cannot be carried out
├── NotAllowed     forbidden   403  the one who asks does not have that power
├── NotFound       not_found   404  what was named does not exist
├── NotShown       not_shown   409  a credential's value exists no more, or is given to nobody (`staff.revealing`)
└── TooMany        limit       429  too many wrong tokens came from that address
"""

from __future__ import annotations

from typing import ClassVar

from sessions_app import errors


class Refused(errors.Refused):
    """An order that is not carried out; its text says what is wrong with it and what to do."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422


class NotAllowed(Refused):
    """The one who asks does not have that power."""

    code = "forbidden"
    status = 403


class NotFound(Refused):
    """What was named does not exist."""

    code = "not_found"
    status = 404


class NotShown(Refused):
    """The value of a credential cannot be shown, whoever asks."""

    code = "not_shown"
    status = 409


class TooMany(Refused):
    """Too many wrong tokens came from that address; `retry_after` is in seconds."""

    code = "limit"
    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
