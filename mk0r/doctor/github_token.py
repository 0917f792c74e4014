"""GITHUB_TOKEN: which kind of token it is, what it may do, and until when.

A classic token's answers carry its scopes in `x-oauth-scopes`. A fine-grained one's do not: what it may do shows only
when it is tried, which a doctor does not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mk0r.doctor.looking import Answer, Ended, Look, printable

NEEDED = ("repo", "delete_repo")
FORBIDDEN = "workflow"  # with it, what an app pushes could run on GitHub's machines
_NEW = "https://github.com/settings/tokens/new?scopes=repo,delete_repo"
_MAKE = f"Make a classic token with exactly repo and delete_repo at {_NEW} and set GITHUB_TOKEN."
_SOON = timedelta(days=7)


async def examine(look: Look) -> tuple[str, Answer]:
    """Write down what the token is worth; returns whose it is, and the answer that said so."""
    answer = await ask(look, "/user")
    if answer.status in (401, 403):
        raise _refused(look, answer)
    if not answer.ok:
        raise look.unexpected("key", answer)
    login = answer.text("login")
    if not login:
        raise look.unexpected("key", answer)
    look.well("key", f"a token of {login}")
    _scopes(look, answer.headers.get("x-oauth-scopes"))
    _end(look, answer.headers.get("github-authentication-token-expiration", ""))
    return login, answer


async def ask(look: Look, path: str) -> Answer:
    """One exchange under the token."""
    return await look.ask(
        path, {"Authorization": f"Bearer {look.key}", "Accept": "application/vnd.github+json",
               "X-GitHub-Api-Version": "2022-11-28"},
    )  # fmt: skip


def _refused(look: Look, answer: Answer) -> Ended:
    if answer.headers.get("x-ratelimit-remaining") == "0":
        look.wrong("limits", "no requests are left in this hour", "Wait; give mk0r an account that does nothing else.")
        return Ended()
    if answer.headers.get("x-github-sso"):
        return look.refused(answer, "Authorise the token for the organisation: Settings → tokens → Configure SSO.")
    if look.key.startswith("ghs_"):
        return look.refused(answer, f"This is an App's installation token, which ends within the hour. {_MAKE}")
    return look.refused(answer, _MAKE)


def _scopes(look: Look, told: str | None) -> None:
    if told is None:
        kind = "a fine-grained token" if look.key.startswith("github_pat_") else "a token"
        look.note(
            "scopes", f"{kind} without scopes: GitHub does not tell what it may do",
            "It needs Administration and Contents, both read and write, on all repositories of the owner, and nothing "
            f"else. Its page says so: https://github.com/settings/personal-access-tokens. {_MAKE}",
        )  # fmt: skip
        return
    has = {printable(one) for one in told.split(",") if one.strip()}
    missing = [one for one in NEEDED if one not in has]
    named = ", ".join(sorted(has)) or "none"
    if missing:
        look.wrong("scopes", f"{' and '.join(missing)} missing (it has {named})", _MAKE)
    if FORBIDDEN in has:
        look.wrong("scopes", f"{FORBIDDEN} is among its scopes ({named}): a push could start workflows", _MAKE)
    more = sorted(has - {*NEEDED, FORBIDDEN})
    if more:
        look.note("scopes", f"more than is needed: {', '.join(more)}", _MAKE)
    if not missing and FORBIDDEN not in has and not more:
        look.well("scopes", named)


def _end(look: Look, told: str) -> None:
    """Until when the token lives, where GitHub says so: `2026-12-01 08:00:00 UTC` or with an offset."""
    text = printable(told).replace(" UTC", " +0000")
    try:
        ends = datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return
    said = f"ends on {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if ends - datetime.now(UTC) < _SOON:
        look.wrong("key", said, f"{_MAKE} Restart web and worker.")
    else:
        look.note("key", said)
