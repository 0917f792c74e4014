"""What a mail must look like before Resend takes it, and when it is to leave."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

from localcloud.resend import bodies

MOST_RECIPIENTS = 50
MOST_ATTACHED = 40 * 1024 * 1024
LONGEST_SUBJECT = 2000
ADDRESS = re.compile(r"[^\s@<>(),;:\"\[\]\\]+@[^\s@<>(),;:\"\[\]\\]+")
LATER = re.compile(r"in (\d{1,4}) (second|sec|minute|min|hour|day)s?", re.IGNORECASE)
UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86400}
FARTHEST = timedelta(days=30)


def read(wished: Any) -> dict[str, Any]:
    """A checked mail: the members we keep, addresses as lists. Raises `RefusedError`."""
    if not isinstance(wished, dict):
        raise bodies.invalid("An email must be an object.")
    if wished.get("template") is not None:
        raise bodies.RefusedError(404, "not_found", "Template not found")
    mail: dict[str, Any] = {"from": _sender(wished), "to": _addresses(wished, "to")}
    if not mail["to"]:
        raise bodies.missing("to")
    mail["subject"] = bodies.text(wished, "subject", longest=LONGEST_SUBJECT)
    for member in ("cc", "bcc", "reply_to"):
        mail[member] = _addresses(wished, member)
    if (
        sum(len(mail[member]) for member in ("to", "cc", "bcc")) > MOST_RECIPIENTS * 3
        or len(mail["to"]) > MOST_RECIPIENTS
    ):
        raise bodies.invalid(f"The `to` field must have at most {MOST_RECIPIENTS} addresses.")
    for member in ("html", "text"):
        if not isinstance(wished.get(member), str | None):
            raise bodies.invalid(f"The `{member}` field must be a string.")
        mail[member] = wished.get(member)
    if mail["html"] is None and mail["text"] is None:
        raise bodies.RefusedError(422, "missing_required_field", "Missing `html` or `text` field.")
    mail["headers"] = _headers(wished.get("headers"))
    mail["tags"] = _tags(wished.get("tags"))
    mail["attachments"] = [_attachment(item) for item in _list(wished, "attachments")]
    if sum(len(item["content"]) for item in mail["attachments"]) * 3 // 4 > MOST_ATTACHED:
        raise bodies.RefusedError(422, "invalid_attachment", "Attachments must not exceed 40 MB.")
    return mail


def due(wished: dict[str, Any]) -> datetime | None:
    """When the mail is to leave, or None for now. Raises `RefusedError`."""
    given = wished.get("scheduled_at")
    if given is None:
        return None
    if isinstance(given, str):
        if later := LATER.fullmatch(given.strip()):
            return _not_too_far(datetime.now(UTC) + timedelta(seconds=int(later[1]) * UNITS[later[2].lower()]))
        try:
            moment = datetime.fromisoformat(given.strip())
        except ValueError:
            pass
        else:
            return _not_too_far(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    raise bodies.invalid("The `scheduled_at` field must be a date in ISO 8601, or like `in 5 minutes`.")


def _not_too_far(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + FARTHEST:
        raise bodies.invalid("The `scheduled_at` field must be within 30 days.")
    return moment


def _sender(wished: dict[str, Any]) -> str:
    given = bodies.text(wished, "from")
    if not _usable(given):
        raise bodies.RefusedError(
            422,
            "invalid_from_address",
            "Invalid `from` field. The email address needs to follow the `email@example.com` or "
            "`Name <email@example.com>` format.",
        )
    return given


def _usable(given: str) -> bool:
    if any(ord(character) < 32 for character in given):
        return False
    return ADDRESS.fullmatch(parseaddr(given)[1]) is not None


def _addresses(wished: dict[str, Any], member: str) -> list[str]:
    given = wished.get(member)
    found = [given] if isinstance(given, str) else given or []
    if not isinstance(found, list) or not all(isinstance(item, str) and _usable(item) for item in found):
        raise bodies.invalid(
            f"Invalid `{member}` field. The email address needs to follow the `email@example.com` or "
            "`Name <email@example.com>` format."
        )
    return found


def _list(wished: dict[str, Any], member: str) -> list[Any]:
    given = wished.get(member)
    if given is not None and not isinstance(given, list):
        raise bodies.invalid(f"The `{member}` field must be a list.")
    return given or []


def _headers(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(
        isinstance(value, str) and re.fullmatch(r"[!-9;-~]+", name) and not re.search(r"[\r\n]", value)
        for name, value in given.items()
    ):
        raise bodies.invalid("The `headers` field must be an object of names and texts.")
    return given


def _tags(given: Any) -> list[dict[str, str]]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(
        isinstance(tag, dict)
        and all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", str(tag.get(part, ""))) for part in ("name", "value"))
        for tag in given
    ):
        raise bodies.invalid("Tags should only contain ASCII letters, numbers, underscores, or dashes.")
    return [{"name": str(tag["name"]), "value": str(tag["value"])} for tag in given]


def _attachment(given: Any) -> dict[str, str]:
    def refuse(why: str) -> bodies.RefusedError:
        return bodies.RefusedError(422, "invalid_attachment", why)

    if not isinstance(given, dict):
        raise refuse("Attachments must be objects.")
    content = given.get("content")
    if isinstance(content, dict) and content.get("type") == "Buffer":  # how JavaScript writes a Buffer as JSON
        content = content.get("data")
    if isinstance(content, list):
        try:
            content = base64.b64encode(bytes(content)).decode()
        except (TypeError, ValueError) as error:
            raise refuse("The attachment's content is not a list of bytes.") from error
    if not isinstance(content, str):
        raise refuse("Attachments need `content`; localcloud does not fetch `path`.")
    try:
        base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise refuse("The attachment's content is not valid base64.") from error
    name = given.get("filename")
    kind = given.get("content_type") or given.get("contentType")
    return {
        "filename": name[:255] if isinstance(name, str) and name else "attachment",
        "content": content,
        "content_type": kind if isinstance(kind, str) and re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) else "",
    }
