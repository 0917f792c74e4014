"""How a leg's failure is told: who refused and with which code, what still works, what to do, and a short reference.

`reason` is one of `REASONS`, for machines; the sentences are for the visitor. Nothing a vendor wrote is repeated but
its status and its short error name.
"""

from __future__ import annotations

import secrets
from typing import Any

from provisioning.exceptions import NotAdmitted, NotConfigured, ProvisioningError, VendorError
from provisioning.outcome import Hint, Outcome, Wire
from provisioning.providers.base import Step

REASONS = frozenset(
    {
        "not_configured",
        "unauthorized",
        "rate_limited",
        "busy",
        "quota",
        "refused",
        "broken",
        "vendor_error",
        "bad_reply",
        "no_answer",
        "unreachable",
        "not_accepting",
        "name_taken",
        "sandbox_lost",
        "revoked",
        "lost",
        "stopped",
        "internal",
    }
)
_RETRY = "Press Retry to ask again."
# What a vendor did instead of deleting, where that is told otherwise than of making.
_UNDELETED = {
    "busy": "{0} is busy and did not delete {1}",
    "internal": "mk0r itself failed while it asked {0} to delete {1}",
    "no_answer": "{0} did not answer when asked to delete {1}",
    "rate_limited": "{0} did not delete {1}: too many requests",
    "refused": "{0} refused to delete {1}",
    "vendor_error": "{0} failed while deleting {1}",
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


def explain(
    error: ProvisioningError | None, step: Step, *, tries: int, seconds: float, kept: str = ""
) -> dict[str, Any]:
    """The `error` of a resource: `{reason, message, retryable, next, reference}`.

    `kept` names what an earlier step made and a retry will use again. None for `error` is a fault of our own.
    """
    reason, what, advice, retryable = _tell(error, step)
    effort = f", {_number(tries)} tries in {_duration(seconds)}" if tries > 1 else ""
    again = f" {kept} exists and will be used again." if kept else ""
    return {
        "reason": reason,
        "message": f"{what}{effort}. {step.without}{again}",
        "retryable": retryable,
        "next": advice,
        "reference": secrets.token_hex(3),
    }


def undeleted(error: ProvisioningError | None, step: Step) -> dict[str, Any]:
    """The error of a thing that could not be deleted. Nobody has to ask for the next try, and no app misses it."""
    reason, what, _, _ = _tell(error, step)
    said = _answered(error) if isinstance(error, VendorError) else ""
    if reason == "refused" and isinstance(error, VendorError) and error.status >= 500:
        reason = "vendor_error"
    if template := _UNDELETED.get(reason):
        what = template.format(step.label, f"the {step.thing.split(' ', 1)[1]}") + said
    return {
        "reason": reason,
        "message": f"{what}.",
        "retryable": False,
        "next": "It is tried again by itself.",
        "reference": secrets.token_hex(3),
    }


def lost(step: Step) -> dict[str, Any]:
    """The error of a sandbox that its vendor no longer knows."""
    return {
        "reason": "sandbox_lost",
        "message": f"{step.label} no longer has the sandbox. {step.without}",
        "retryable": True,
        "next": "A fresh one is made by itself when you come back; press Retry if it does not come.",
        "reference": secrets.token_hex(3),
    }


def vanished(step: Step) -> dict[str, Any]:
    """The error of a thing that was ready and that its vendor no longer has, though mk0r did not delete it."""
    return {
        "reason": "lost",
        "message": f"{step.label} no longer has the {step.thing.split(' ', 1)[1]} of this app. {step.without}",
        "retryable": True,
        "next": "Press Retry to have a new one made; what the old one held is gone with it.",
        "reference": secrets.token_hex(3),
    }


def revoked(step: Step) -> dict[str, Any]:
    """The error of a resource whose credentials were revoked while its session goes on."""
    return {
        "reason": "revoked",
        "message": f"The credentials of {step.thing} at {step.label} were revoked. {step.without}",
        "retryable": True,
        "next": "Press Retry for new ones; the app gets them at once.",
        "reference": secrets.token_hex(3),
    }


def said(error: ProvisioningError, step: Step) -> str:
    """What a vendor did instead of what it was asked for, alone, without a full stop."""
    return _tell(error, step)[1]


def _tell(error: ProvisioningError | None, step: Step) -> tuple[str, str, str, bool]:
    """Reason, what happened (without its full stop), what to do, and whether pressing Retry can help."""
    if isinstance(error, NotConfigured):
        advice = f"Set {error.setting} where mk0r runs and start it again."
        return "not_configured", f"{step.label} has no key here: {error.setting} is not set", advice, False
    if isinstance(error, NotAdmitted):
        return _tell_not_admitted(error, step)
    if not isinstance(error, VendorError):
        return "internal", f"mk0r itself failed while it asked {step.label} for {step.thing}", _RETRY, True
    said = _answered(error)
    if error.outcome is Outcome.CONFIG:
        advice = "Whoever runs mk0r has to check that key; Retry works once it is right."
        return "unauthorized", f"{step.label} refused mk0r's own key{said}", advice, True
    if error.broken:
        return "broken", f"{step.label} made {step.thing} that does not work{said}", _RETRY, True
    if error.hint is Hint.QUOTA:
        advice = "Whoever runs mk0r has to raise that limit or free some of it."
        return "quota", f"{step.label} refused {step.thing}: its account is at its limit{said}", advice, True
    return _tell_failure(error, step, said)


def _answered(error: VendorError) -> str:
    """Status and short error name of the answer, as they follow a sentence."""
    code = ", ".join(filter(None, (str(error.status) if error.status else "", error.code)))
    return f" ({code})" if code else ""


def _tell_not_admitted(error: NotAdmitted, step: Step) -> tuple[str, str, str, bool]:
    label, thing = step.label, step.thing
    if error.why == "stopped":
        advice = "It goes on when they say so; Retry works from then on."
        return "stopped", f"Staff have paused {label} here, so it was not asked for {thing}", advice, True
    if error.why == "refused":
        advice = "Whoever runs mk0r has to check that key; Retry asks again at once."
        return "unauthorized", f"{label} refuses mk0r's own key, so it was not asked for {thing}", advice, True
    wait = _duration(error.retry_in)
    return "rate_limited", f"{label} takes no more at the moment: a place is free in {wait}", f"Retry in {wait}.", True


def _tell_failure(error: VendorError, step: Step, said: str) -> tuple[str, str, str, bool]:
    label, thing = step.label, step.thing
    wait = f"Retry in {_duration(error.retry_after)}." if error.retry_after else _RETRY
    if error.operation == "connect":
        return "not_accepting", f"{label} made {thing}, but it does not accept connections", _RETRY, True
    if error.wire is Wire.UNSENT:
        return "unreachable", f"{label} could not be reached", _RETRY, True
    if error.wire is Wire.LOST:
        return "no_answer", f"{label} did not answer when asked for {thing}", _RETRY, True
    if error.outcome is Outcome.LATER or error.retry_after is not None:
        if error.status in {423, 503}:
            return "busy", f"{label} is busy and did not make {thing}{said}", wait, True
        return "rate_limited", f"{label} refused {thing}: too many requests{said}", wait, True
    if error.outcome is Outcome.EXISTS:
        return "name_taken", f"{label} refused {thing}: the name is taken{said}", _RETRY, True
    if error.outcome is Outcome.AMBIGUOUS:
        if error.status >= 500 or error.status == 408:
            return "vendor_error", f"{label} failed while making {thing}{said}", _RETRY, True
        return "bad_reply", f"{label} gave an answer that cannot be read{said}", _RETRY, True
    return "refused", f"{label} refused {thing}{said}", _RETRY, True


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
