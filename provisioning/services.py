"""What the rest of mk0r asks of provisioning. Functions are synchronous database code unless they are marked async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from provisioning.exceptions import SandboxLost
from provisioning.secrets import Secret

if TYPE_CHECKING:
    import e2b

    from sessions_app.models import Session

__all__ = [
    "SandboxLost",
    "converge",
    "env_entries",
    "env_text",
    "plan",
    "preview_url",
    "request_teardown",
    "resources_state",
    "retry",
    "sandbox",
    "secret_values",
]


def plan(session: Session) -> None:
    """Write the intent row of every resource; PostHog's is ready at once. Runs in the caller's transaction."""
    raise NotImplementedError


async def converge(session_id: UUID) -> None:
    """Take each leg of the session to rest and write `.env`. Idempotent; callers may overlap, in any process."""
    raise NotImplementedError


def retry(session: Session, provider: str) -> bool:
    """Put the failed resources of `provider` back to planned; False when there are none. Then call `converge`."""
    raise NotImplementedError


def request_teardown(session: Session) -> None:
    """Mark everything the session owns as deleting. Then call `converge`, which destroys and verifies."""
    raise NotImplementedError


def env_entries(session: Session) -> dict[str, Secret]:
    """Names and values of `.env`, of ready legs only, in the order they are written."""
    raise NotImplementedError


def env_text(session: Session) -> str:
    """The `.env` file as it is written into the sandbox."""
    raise NotImplementedError


def secret_values(session: Session) -> list[str]:
    """Every known secret value of the session of eight characters or more, longest first, for redaction."""
    raise NotImplementedError


def resources_state(session: Session) -> list[dict[str, Any]]:
    """State of each provider, in the order every list shows them."""
    raise NotImplementedError


async def sandbox(session_id: UUID) -> e2b.AsyncSandbox:
    """The session's sandbox, connected, resumed when it was paused.

    Raises:
        SandboxLost: it no longer exists.
    """
    raise NotImplementedError


def preview_url(session: Session) -> str | None:
    """Address of the preview once it has answered, else None."""
    raise NotImplementedError
