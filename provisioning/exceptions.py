"""Errors of provisioning.

ProvisioningError
├── VendorError      a vendor refused, failed, or did not answer as its protocol says
├── NotConfigured    the vendor's key or address is missing from our own settings
├── NotAdmitted      the vendor is not to be asked now, so it was not
├── Unquotable       a value cannot be written to `.env` so that every reader sees the same
└── SandboxLost      the session's sandbox no longer exists, or never came to be
"""

from __future__ import annotations

from typing import Literal

from provisioning.outcome import Hint, Outcome, Verb, Wire


class ProvisioningError(Exception):
    """Root of what provisioning raises on purpose. Its text is fit for a visitor and holds no secret."""


class VendorError(ProvisioningError):
    """A vendor refused, failed, or did not answer as its protocol says.

    `status` is 0 where no answer came. `code` is the vendor's own short error name, already checked to be harmless.
    `retry_after` is in seconds. `broken` says that what was made is useless and has to be destroyed before a new try.
    """

    def __init__(
        self,
        operation: str,
        outcome: Outcome,
        *,
        verb: Verb = Verb.CREATE,
        wire: Wire = Wire.REPLIED,
        status: int = 0,
        hint: Hint = Hint.NONE,
        code: str = "",
        retry_after: float | None = None,
        broken: bool = False,
        detail: str = "",
    ) -> None:
        self.operation = operation
        self.outcome = outcome
        self.verb = verb
        self.wire = wire
        self.status = status
        self.hint = hint
        self.code = code
        self.retry_after = retry_after
        self.broken = broken
        self.detail = detail  # ours, for the log; never the vendor's text
        super().__init__(f"{operation}: {outcome} (status {status or 'none'}{', ' + code if code else ''})")


class NotConfigured(ProvisioningError):
    """The vendor's key or address is missing from our own settings; `setting` names it."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        super().__init__(f"{setting} is not set")


class NotAdmitted(ProvisioningError):
    """The vendor is not to be asked now, so it was not.

    `why` is `queue` (the wait for a place would be too long: `retry_in` seconds), `refused` (it refuses our key, and
    the next to find out whether it still does is not yet due), or `stopped` (by staff).
    """

    def __init__(self, why: Literal["queue", "refused", "stopped"], *, retry_in: float = 0.0) -> None:
        self.why = why
        self.retry_in = retry_in
        super().__init__(f"not admitted: {why}")


class Unquotable(ProvisioningError):
    """A value cannot be written to `.env` so that dotenv, `sh` and our own parser read the same."""


class SandboxLost(ProvisioningError):
    """The session's sandbox no longer exists, or never came to be; its files are gone with it."""
