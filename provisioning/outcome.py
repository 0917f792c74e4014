"""What a vendor's answer means for the ledger: one pure function, and the table it stands for.

    seen                                              create       read        delete
    2xx, body as documented                           done         done        gone
    2xx, body unreadable or incomplete                ambiguous    ambiguous   gone
    3xx                                               ambiguous    ambiguous   remember
    refused connection, DNS, TLS, no free connection  not_sent     not_sent    remember
    timeout, reset or end of stream after sending     ambiguous    ambiguous   remember
    429, 503, 423, or a refusal that says "throttled" later        later       remember
    408, 500, 502, 504, other 5xx                     ambiguous    ambiguous   remember
    401, 403, or a refusal that says "bad key"        config       config      remember
    a refusal that says "name taken"                  exists       rejected    remember
    404, 410                                          rejected     gone        gone
    other 4xx                                         rejected     rejected    remember

An ambiguous create may have made something: it is never repeated before a search by name has proved otherwise (I-6).
A delete that is not proved is remembered for ever (I-9). The shape follows the orphan rules of the Open Service Broker
API, sharpened for vendors whose create calls carry no idempotency key.
"""

from __future__ import annotations

import email.utils
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

MAX_RETRY_AFTER = 3600.0  # seconds


class Verb(StrEnum):
    """What the request was meant to do."""

    CREATE = "create"
    READ = "read"
    DELETE = "delete"


class Wire(StrEnum):
    """How the exchange itself went."""

    REPLIED = "replied"  # a status line arrived
    UNSENT = "unsent"  # no byte of the request can have reached the vendor
    LOST = "lost"  # sent, perhaps acted upon, no answer


class Hint(StrEnum):
    """What a vendor says in its error body, where the status alone does not tell."""

    NONE = "none"
    NAME_TAKEN = "name_taken"
    THROTTLED = "throttled"
    QUOTA = "quota"  # waiting does not help
    BAD_KEY = "bad_key"


class Outcome(StrEnum):
    """What to do next; the class of the table above."""

    DONE = "done"
    EXISTS = "exists"
    AMBIGUOUS = "ambiguous"
    NOT_SENT = "not_sent"
    LATER = "later"
    CONFIG = "config"
    REJECTED = "rejected"
    GONE = "gone"
    REMEMBER = "remember"


@dataclass(frozen=True, slots=True)
class Seen:
    """One exchange with a vendor, reduced to what decides."""

    verb: Verb
    wire: Wire = Wire.REPLIED
    status: int = 0
    readable: bool = True
    hint: Hint = Hint.NONE


def classify(seen: Seen) -> Outcome:
    """Return the class of an exchange. Total: every status and every way to fail has one."""
    if seen.verb is Verb.DELETE:
        return _classify_delete(seen)
    if seen.wire is Wire.UNSENT:
        return Outcome.NOT_SENT
    if seen.wire is Wire.LOST:
        return Outcome.AMBIGUOUS
    if 200 <= seen.status < 300:
        return Outcome.DONE if seen.readable else Outcome.AMBIGUOUS
    return _classify_refusal(seen)


def _classify_delete(seen: Seen) -> Outcome:
    proved = seen.wire is Wire.REPLIED and (200 <= seen.status < 300 or seen.status in {404, 410})
    return Outcome.GONE if proved else Outcome.REMEMBER


def _classify_refusal(seen: Seen) -> Outcome:
    status = seen.status
    if not 400 <= status < 500:
        return Outcome.LATER if status == 503 else Outcome.AMBIGUOUS
    if seen.hint is Hint.QUOTA:
        return Outcome.REJECTED
    if status in {423, 429} or seen.hint is Hint.THROTTLED:
        return Outcome.LATER
    if status == 408:
        return Outcome.AMBIGUOUS
    if status in {401, 403} or seen.hint is Hint.BAD_KEY:
        return Outcome.CONFIG
    if seen.verb is Verb.READ:
        return Outcome.GONE if status in {404, 410} else Outcome.REJECTED
    return Outcome.EXISTS if seen.hint is Hint.NAME_TAKEN else Outcome.REJECTED


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds a `Retry-After` header asks for, between 0 and an hour; None when it is absent or unreadable."""
    if not value:
        return None
    text = value.strip()[:64]
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
