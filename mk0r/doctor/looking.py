"""How a vendor is asked: one request at a time, each answer turned into facts, trouble written down where it shows.

What comes from outside is never trusted to be readable, short or free of our keys: they are taken out first, and what
is left is cut and made printable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from mk0r.doctor.report import Part
from mk0r.log_redaction import installation_keys
from mk0r.vendors import Vendor, is_local
from provisioning import http
from sessions_app.redaction import redact

_READ, _CUT = 20_000, 200  # characters of a vendor's own words
STATUS_PAGES = {
    "neon": "https://neonstatus.com",
    "resend": "https://resend-status.com",
    "github": "https://www.githubstatus.com",
    "posthog": "https://status.posthog.com",
    "e2b": "https://status.e2b.dev",
    "anthropic": "https://status.claude.com",
}


class Ended(Exception):
    """Nothing more can be found out here, and the check that says why has been written."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answered. `body` is None where it is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def member(self, name: str) -> Any:
        """A member of an object, or None."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    def text(self, name: str) -> str:
        """A member that is text, cut and printable; else nothing."""
        value = self.member(name)
        return printable(value) if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A member that is a whole number, or None."""
        value = self.member(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def objects(self, name: str = "") -> list[dict[str, Any]]:
        """The objects of a list: the body itself, or a member of it."""
        value = self.member(name) if name else self.body
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

    def header_number(self, name: str) -> int | None:
        """A header that is a whole number, or None."""
        value = self.headers.get(name, "").strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


class Look(Part):
    """What is being found out about one vendor: a part of the report that can also ask."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.setting = next(iter(vendor.addresses))
        self.base = str(getattr(settings, self.setting))
        self.key = next((value for name in vendor.keys if (value := str(getattr(settings, name)))), "")
        self.local = is_local(vendor, settings)
        super().__init__(vendor.name, vendor.label, "local" if self.local else "real")
        self._reached = False

    @property
    def host(self) -> str:
        """Name and port, without what an address may hold beside them."""
        parts = urlsplit(self.base)
        try:
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            port = ""
        return printable(f"{parts.hostname or '?'}{port}")

    async def ask(self, path: str, headers: Mapping[str, str], *, method: str = "GET", body: object = None) -> Answer:
        """One exchange. Refusals come back as answers; a vendor that is out, throttles or talks nonsense ends the look.

        Raises:
            Ended: after the check that says why was written.
        """
        try:
            reply = await http.exchange(self.vendor.name, method, self.base + path, headers=headers, json=body)
        except http.WireError as error:
            self.wrong("reachable", f"{self.host} cannot be reached: {error}", self._way_in())
            raise Ended from error
        answer = Answer(reply.status, reply.headers, _json(reply))
        self._judge(answer)
        return answer

    def _judge(self, answer: Answer) -> None:
        throttled = answer.status == 429 or (answer.status == 403 and "retry-after" in answer.headers)
        if throttled:
            seconds = answer.header_number("retry-after")
            later = f" for {seconds} s" if seconds is not None else ""
            self.wrong("limits", f"{self.host} throttles{later}", "Wait; if it lasts, lower the vendor's budget.")
        elif answer.status >= 500 and answer.status != 501:
            self.wrong("reachable", f"{self.host} answered {answer.status}", f"Try again; see {self._status_page()}.")
        elif 300 <= answer.status < 400:
            self.wrong("reachable", f"{self.host} sends elsewhere ({answer.status})", f"Check {self.setting}.")
        elif answer.ok and answer.status != 204 and answer.body is None:
            said = f"{self.host} answered {answer.status} with what is no JSON"
            self.wrong("reachable", said, f"Check that {self.setting} is the address of {self.label}'s API.")
        else:
            if not self._reached:
                self._reached = True
                self.well("reachable", self.host)
            return
        raise Ended

    def refused(self, answer: Answer, following: str) -> Ended:
        """Write down that the key is not taken; what to raise."""
        told = answer.text("message") or _inner_message(answer)
        self.wrong("key", f"{self.host} refused the key ({answer.status}{f': {told}' if told else ''})", following)
        return Ended()

    def unexpected(self, check: str, answer: Answer) -> Ended:
        """Write down an answer that fits nothing that is known of this vendor; what to raise."""
        told = answer.text("message") or _inner_message(answer)
        self.wrong(
            check, f"{self.host} answered {answer.status}{f': {told}' if told else ''}",
            f"Check {self.setting} and {self.vendor.key}; see {self._status_page()}.",
        )  # fmt: skip
        return Ended()

    def overdue(self, seconds: float) -> None:
        """Write down that the time was up before the vendor had said everything."""
        check, said = ("answers", "was not done answering") if self._reached else ("reachable", "did not answer")
        self.wrong(check, f"{self.host} {said} within {seconds:g} s", self._way_in())

    def _way_in(self) -> str:
        if self.local:
            return f"Start localcloud (`make run`), or check {self.setting}."
        return f"Check {self.setting} and the network; see {self._status_page()}."

    def _status_page(self) -> str:
        return "localcloud's log (MK0R_VAR/log/localcloud.log)" if self.local else STATUS_PAGES[self.vendor.name]


def printable(text: str) -> str:
    """Somebody else's text on one line, of bounded length, without a key of ours."""
    safe = redact(text[:_READ], installation_keys())  # before it is cut: half a key would not be found
    kept = "".join(one if one.isprintable() else " " for one in safe[: 2 * _CUT])
    return " ".join(kept.split())[:_CUT]


def moment(timestamp: int | None) -> str:
    """When seconds since 1970 are, or nothing."""
    if timestamp is None or timestamp > 4_102_444_800:  # 2100
        return ""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _json(reply: http.Reply) -> Any:
    try:
        return json.loads(reply.body) if reply.whole else None
    except (ValueError, RecursionError):
        return None


def _inner_message(answer: Answer) -> str:
    inner = answer.member("error")
    message = inner.get("message") if isinstance(inner, dict) else None
    return printable(message) if isinstance(message, str) else ""
