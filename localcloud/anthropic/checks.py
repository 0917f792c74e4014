"""How the builder checks an app it wrote: the type checker, then one entry's whole life over HTTP."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from localcloud.anthropic.spec import AppSpec, Field

TYPES = "node_modules/.bin/tsc --noEmit && echo types-ok"
MIGRATE = "node scripts/migrate.mjs"
_SAMPLES: dict[str, Any] = {
    "text": "Check",
    "longtext": "Written by the check, deleted again.",
    "number": 3,
    "money": 12.5,
    "date": "2026-01-31",
    "time": "14:30",
    "boolean": True,
    "email": "delivered@resend.dev",
    "phone": "+1 555 0100",
    "url": "https://example.org/",
}


def sample(item: Field) -> Any:
    """A valid value for a field. Mail to the sample address goes to Resend's own test inbox."""
    if item.type == "choice":
        return item.options[0] if item.options else None
    if item.type == "number" and item.minimum is not None:
        return item.minimum
    return _SAMPLES[item.type]


def _good(spec: AppSpec) -> str:
    return shlex.quote(json.dumps({item.name: sample(item) for item in spec.fields}, ensure_ascii=False))


def create_command(spec: AppSpec) -> str:
    """Send an empty entry, which must be refused, and a good one, which must be kept; then list."""
    path = f"/api/{spec.table}"
    refused = f"POST {path} '{{}}' -- " if any(item.required for item in spec.fields) else ""
    return f"node scripts/request.mjs {refused}POST {path} {_good(spec)} -- GET {path}"


def life_command(spec: AppSpec, number: int) -> str:
    """Change, read and delete the entry with that id, and see that it is gone."""
    path = f"/api/{spec.table}/{number}"
    return f"node scripts/request.mjs PUT {path} {_good(spec)} -- GET {path} -- DELETE {path} -- GET {path}"


def statuses(output: str) -> list[tuple[int, str]]:
    """(status, method) of every answer that `scripts/request.mjs` printed."""
    return [
        (int(status), method) for status, method in re.findall(r"^(\d{3}) (GET|POST|PUT|DELETE) ", output, re.MULTILINE)
    ]


def created_id(output: str) -> int | None:
    """The id in the answer to the good entry; None when it was not kept."""
    match = re.search(r"^201 POST [^\n]*\n\{\"id\":(\d{1,9})[,}]", output, re.MULTILINE)
    return int(match[1]) if match else None


def mail_outcome(output: str) -> tuple[bool, str] | None:
    """(was it sent, what the app said) for the mail of the good entry; None when the app sends none."""
    match = re.search(r'"mail":(\{"sent":(?:true|false),"text":"(?:[^"\\]|\\.)*"\})', output)
    if match is None:
        return None
    said = json.loads(match[1])
    return bool(said["sent"]), str(said["text"])[:200]


def problem(output: str) -> str:
    """The first sentence with which the server refused, for a person to read."""
    match = re.search(r'^[45]\d\d [A-Z]+ [^\n]*\n\{"error":"((?:[^"\\]|\\.)*)"', output, re.MULTILINE)
    if match:
        return str(json.loads(f'"{match[1]}"'))[:200]
    return next(
        (line.strip()[:200] for line in output.splitlines() if line.startswith("no answer")), "no answer from the app"
    )
