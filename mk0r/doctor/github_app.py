"""GITHUB_APP_ID: whether the App's key is good, where it is installed, and what it may do there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from mk0r.doctor.looking import Answer, Ended, Look, printable
from provisioning.providers.registry import github_jwt

NEEDED = {"administration": "write", "contents": "write"}
ALWAYS = {"metadata": "read"}  # every App has it
_LEVELS = ("read", "write", "admin")
_PAGE = "Settings → Developer settings → GitHub Apps of the organisation"
_INSTALLED = "Settings → GitHub Apps of the organisation"


async def examine(look: Look) -> Answer:
    """Write down what the App is worth; returns the answer that said so."""
    path = f"/app/installations/{settings.GITHUB_INSTALLATION_ID}"
    answer = await look.ask(path, {"Authorization": f"Bearer {github_jwt()}", "Accept": "application/vnd.github+json"})
    if not answer.ok:
        raise _refused(look, answer)
    look.well("key", f"the App {answer.text('app_slug') or settings.GITHUB_APP_ID}")
    _owner(look, answer)
    _permissions(look, answer)
    _reach(look, answer)
    return answer


def _refused(look: Look, answer: Answer) -> Ended:
    told = answer.text("message")
    if answer.status == 401 and ("'exp'" in told or "'iat'" in told):
        look.wrong("clock", f"{look.host} finds this machine's clock wrong: {told}", "Set the clock, best by NTP.")
        return Ended()
    if answer.status == 404 and told != "Integration not found":
        look.wrong(
            "key", f"the App has no installation {settings.GITHUB_INSTALLATION_ID}",
            f"Set GITHUB_INSTALLATION_ID to the number at the end of its address: {_INSTALLED} → Configure.",
        )  # fmt: skip
        return Ended()
    if answer.status in (401, 403, 404):
        return look.refused(answer, f"Check GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY: {_PAGE}.")
    return look.unexpected("key", answer)


def _owner(look: Look, answer: Answer) -> None:
    """The App is installed in the organisation that the settings name."""
    account = answer.member("account")
    told: Mapping[str, Any] = account if isinstance(account, dict) else {}
    login, wanted = printable(str(told.get("login", ""))), str(settings.GITHUB_OWNER)
    if told.get("type") != "Organization":
        look.wrong(
            "owner", f"the App is installed for {login or 'nobody'}, a person: it can make no repositories there",
            f"Install it in an organisation ({_PAGE} → Install App), and set GITHUB_OWNER and GITHUB_INSTALLATION_ID.",
        )  # fmt: skip
    elif login.lower() != wanted.lower():
        said = f"the App is installed in {login}, and GITHUB_OWNER is {wanted}"
        look.wrong("owner", said, "Name the same organisation in both.")
    else:
        look.well("owner", f"repositories are made in {login}")


def _permissions(look: Look, answer: Answer) -> None:
    given = answer.member("permissions")
    has = {str(name): str(level) for name, level in given.items()} if isinstance(given, dict) else {}
    missing = [f"{name}: {level}" for name, level in NEEDED.items() if not _covers(has.get(name, ""), level)]
    more = sorted(printable(name) for name in has.keys() - NEEDED.keys() - ALWAYS.keys())
    if missing:
        look.wrong(
            "permissions", f"{' and '.join(missing)} missing",
            f"Add it at {_PAGE} → Permissions, then accept the change at {_INSTALLED} → Configure.",
        )  # fmt: skip
    elif more:
        look.note("permissions", f"more than is needed: {', '.join(more)}", f"Remove it at {_PAGE} → Permissions.")
    else:
        look.well("permissions", ", ".join(f"{name}: {level}" for name, level in NEEDED.items()))


def _covers(held: str, level: str) -> bool:
    return held in _LEVELS and _LEVELS.index(held) >= _LEVELS.index(level)


def _reach(look: Look, answer: Answer) -> None:
    where = f"{_INSTALLED} → Configure"
    if answer.member("suspended_at"):
        look.wrong("installation", f"suspended on {answer.text('suspended_at')}", f"Unsuspend it: {where}.")
    elif answer.text("repository_selection") != "all":
        look.wrong(
            "installation", "it reaches chosen repositories only, and takes others for gone",
            f"Choose All repositories: {where}.",
        )  # fmt: skip
    else:
        look.well("installation", "it reaches all repositories")
