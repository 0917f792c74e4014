"""The one way into the audit log. Synchronous database code, part of the caller's transaction."""

from __future__ import annotations

import logging
from typing import Any

from staff.actors import Actor
from staff.models import Entry

# What stands in the log beside the powers, by the names of which their use is written down.
ACTIONS = (
    "account", "account_added", "account_changed", "locked_out", "one_time_password", "password_chosen", "reveal",
    "reveal_refused", "rotated", "sign_in", "sign_in_refused", "sign_out", "token", "token_revoked", "transferred",
)  # fmt: skip
log = logging.getLogger(__name__)


def reason_of(text: str) -> str:
    """A reason as it can be kept: no text of Postgres' holds a NUL, which a form or a program may send."""
    return text.replace("\0", "").strip()


def record(
    actor: Actor, action: str, subject: str = "", *, session: str = "", reason: str = "", **detail: Any
) -> Entry:
    """Write down that `actor` did `action` to `subject`. `detail` holds no secret; `session` is a slug."""
    log.info("staff.%s who=%s where=%s subject=%s", action, actor.name, actor.where, subject)
    return Entry.objects.create(
        who=actor.name[:150],
        where=actor.where[:64],
        action=action,
        subject=subject[:200],
        session=session,
        reason=reason_of(reason)[:500],
        detail=detail,
    )
