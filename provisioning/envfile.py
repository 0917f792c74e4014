"""The `.env` file: names and values as dotenv, `sh` and our own parser all read them, and its way into the sandbox.

A value of harmless characters stands bare. Anything else goes between single quotes, where all three take every
character as it is; one that holds a single quote goes between double quotes if nothing in it is special there. What
fits neither, and any control character, is refused rather than written so that somebody reads it differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import e2b

from provisioning.exceptions import Unquotable
from provisioning.secrets import Secret

# The order of the file; a name a leg did not bring is left out.
NAMES = (
    "DATABASE_URL",
    "NEON_HOST",
    "NEON_DB_NAME",
    "NEON_ROLE_NAME",
    "NEON_ROLE_PASSWORD",
    "RESEND_API_KEY",
    "RESEND_AUDIENCE_ID",
    "GITHUB_REPO",
    "GITHUB_REPO_URL",
    "VITE_POSTHOG_KEY",
    "VITE_POSTHOG_HOST",
    "VITE_POSTHOG_APP_ID",
    "NEON_PORT",
    "RESEND_FROM",
    "RESEND_BASE_URL",
)
PATH = "/app/.env"
_DRAFT = ".env.draft"
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_LINE = re.compile(r"""([A-Z][A-Z0-9_]*)=(?:'([^']*)'|"([^"]*)"|([^'"]*))\Z""")


def quote(value: str) -> str:
    """Write `value` as the right-hand side of a line.

    Raises:
        Unquotable: no way of writing it is read the same by everybody.
    """
    if _CONTROL.search(value):
        raise Unquotable("a value holds a control character")
    if not value or _BARE.match(value):
        return value
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    if not set(value) & set('"$`\\!'):
        return f'"{value}"'
    raise Unquotable("a value holds quotes of both kinds or a backslash")


def render(entries: Mapping[str, Secret]) -> str:
    """The file's text, one line per entry, each ending in a newline."""
    for name in entries:
        if not _NAME.match(name):
            raise Unquotable(f"{name!r} is not a name")
    return "".join(f"{name}={quote(value.expose())}\n" for name, value in entries.items())


def parse(text: str) -> dict[str, str]:
    """Read what `render` wrote; raises `ValueError` for a line it cannot have written."""
    entries: dict[str, str] = {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"line {number} cannot be read")
        entries[match[1]] = next((group for group in match.groups()[1:] if group is not None), "")
    return entries


def in_order(entries: Mapping[str, Secret]) -> dict[str, Secret]:
    """The entries in the order of the file."""
    return {name: entries[name] for name in NAMES if name in entries}


async def deliver(sandbox: e2b.AsyncSandbox, text: str) -> None:
    """Put the file in place at once: written beside it, mode 0600, renamed over it (I-22)."""
    await sandbox.files.write(f"/app/{_DRAFT}", text, request_timeout=10)
    await sandbox.commands.run(f"chmod 600 {_DRAFT} && mv -f {_DRAFT} .env", cwd="/app", timeout=10)
