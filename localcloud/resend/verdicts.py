"""What becomes of a mail by its addresses, before any server is asked.

Resend's own test addresses do what they are named for, with a label too (`bounced+signup@resend.dev`). An address below
`.invalid` bounces: that name is set aside so that nothing can ever be delivered there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

SINKS = ("delivered", "bounced", "complained", "suppressed")
WORST_FIRST = ("bounced", "suppressed", "complained", "delivered")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The event a mail ends with, and what its webhooks are told beside it."""

    event: str
    detail: dict[str, Any]


def foreseen(mail: dict[str, Any]) -> Verdict | None:
    """What the addresses alone decide, the worst first; None for a mail that is simply delivered."""
    fates = [fate for member in ("to", "cc", "bcc") for address in mail[member] if (fate := _fate(address))]
    if not fates:
        return None
    event, address = min(fates, key=lambda fate: WORST_FIRST.index(fate[0]))
    if event == "bounced":
        return bounced([f"smtp; 550 5.1.1 <{address}>: recipient address rejected: user unknown"])
    if event == "suppressed":
        return _suppressed(address)
    return Verdict(event, {})


def bounced(diagnostics: Sequence[str]) -> Verdict:
    """The receiving server rejected the mail for good."""
    told = {
        "message": "The recipient's mail server permanently rejected the email.",
        "type": "Permanent",
        "subType": "General",
        "diagnosticCode": list(diagnostics),
    }
    return Verdict("bounced", {"bounce": told})


def failed(reason: str) -> Verdict:
    """The mail could not be handed on at all."""
    return Verdict("failed", {"failed": {"reason": reason}})


def _suppressed(address: str) -> Verdict:
    told = {
        "message": f"The address {address} is on the suppression list.",
        "type": "OnAccountSuppressionList",
        "reason": "previous_bounce",
        "diagnosticCode": [],
    }
    return Verdict("suppressed", {"suppressed": told})


def _fate(written: str) -> tuple[str, str] | None:
    address = parseaddr(written)[1].lower()
    local, _, domain = address.rpartition("@")
    if domain == "resend.dev" and (sink := local.partition("+")[0]) in SINKS:
        return sink, address
    if domain == "invalid" or domain.endswith(".invalid"):
        return "bounced", address
    return None
