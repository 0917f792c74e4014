"""Resend: whether the key may make keys, and whether mail can leave from `RESEND_FROM`."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from mk0r.doctor.looking import Answer, Ended, Look, printable

_KEYS, _DOMAINS = "https://resend.com/api-keys", "https://resend.com/domains"
_TRIAL = "resend.dev"
_PAGES = 10


async def look(look: Look) -> None:
    """The key and what it may, the sender's domain, the limits."""
    answer = await _key(look)
    await _domain(look)
    _limits(look, answer)


async def _ask(look: Look, path: str) -> Answer:
    return await look.ask(path, {"Authorization": f"Bearer {look.key}"})


async def _key(look: Look) -> Answer:
    """The product makes a key for each session, which a key that may only send cannot."""
    answer = await _ask(look, "/api-keys?limit=1")
    full = f"Make a key with *Full access* at {_KEYS} and set RESEND_API_KEY."
    if answer.text("name") == "restricted_api_key":
        look.wrong("key", "a key that may only send: no session can get one of its own", full)
        raise Ended  # it reads nothing else
    if answer.status in (400, 401, 403):
        raise look.refused(answer, full)
    if not answer.ok:
        raise look.unexpected("key", answer)
    look.well("key", "full access")
    return answer


async def _domain(look: Look) -> None:
    """Whether `RESEND_FROM` is of a domain that may send."""
    sender = parseaddr(str(settings.RESEND_FROM))[1].partition("@")[2].lower()
    listed = await _domains(look)
    if listed is None:
        look.note("domain", f"mail from {sender or '?'}: the stand-in takes any sender")
        return
    wanted = [one for one in listed if _name(one) == sender]
    if not sender:
        look.wrong("domain", "RESEND_FROM is no address", "Set RESEND_FROM, for example to apps@your-domain.")
    elif sender == _TRIAL:
        look.note(
            "domain", f"mail from {_TRIAL} reaches the account's own address only",
            f"Verify a domain at {_DOMAINS} and set RESEND_FROM to an address there.",
        )  # fmt: skip
    elif not wanted:
        others = ", ".join(_name(one) for one in listed[:5]) or "none"
        look.wrong(
            "domain", f"{sender}, of RESEND_FROM, is no domain of this account (it has {others})",
            f"Add and verify it at {_DOMAINS}, or set RESEND_FROM to an address of a domain that is.",
        )  # fmt: skip
    else:
        _standing(look, wanted[0], sender)
    _tied(look, listed, sender)


def _standing(look: Look, domain: dict[str, Any], sender: str) -> None:
    status = printable(str(domain.get("status")))
    if status == "verified":
        look.well("domain", f"{sender} is verified")
    else:
        look.wrong(
            "domain", f"{sender}, of RESEND_FROM, is not verified ({status})",
            f"Set the DNS records that {_DOMAINS} lists for it, then press *Verify*.",
        )  # fmt: skip


def _tied(look: Look, listed: list[dict[str, Any]], sender: str) -> None:
    """`RESEND_DOMAIN_ID` ties every session's key to a domain: it has to be the sender's."""
    wanted = str(settings.RESEND_DOMAIN_ID)
    found = next((_name(one) for one in listed if one.get("id") == wanted), "")
    if wanted and found != sender:
        named = f"is {found}'s" if found else "names no domain of this account"
        look.wrong(
            "domain id", f"RESEND_DOMAIN_ID {named}, and RESEND_FROM is of {sender or 'none'}",
            f"Copy the id of {sender or 'your domain'} from {_DOMAINS} into RESEND_DOMAIN_ID, or unset it.",
        )  # fmt: skip


async def _domains(look: Look) -> list[dict[str, Any]] | None:
    """Every domain of the account; None where there are none to speak of because this is a stand-in."""
    listed: list[dict[str, Any]] = []
    query = {"limit": "100"}
    for _ in range(_PAGES):
        answer = await _ask(look, f"/domains?{urlencode(query)}")
        if answer.status == 501:
            return None
        if not answer.ok:
            raise look.unexpected("domain", answer)
        page = answer.objects("data")
        listed += page
        if answer.member("has_more") is not True or not page or not isinstance(page[-1].get("id"), str):
            break
        query["after"] = page[-1]["id"]
    return listed


def _limits(look: Look, answer: Answer) -> None:
    """The rate limit is the team's; Resend tells it in headers."""
    limit, left = answer.header_number("ratelimit-limit"), answer.header_number("ratelimit-remaining")
    seconds = answer.header_number("ratelimit-reset")
    if limit is not None:
        rest = "" if left is None else f", {left} left"
        look.well("limits", f"{limit} requests{rest}{'' if seconds is None else f', reset in {seconds} s'}")


def _name(domain: dict[str, Any]) -> str:
    return printable(str(domain.get("name", ""))).lower()
