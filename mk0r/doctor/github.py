"""GitHub: whose authority it is, how many requests are left, and whether repositories may be made where they should be.

What a token may do is `github_token`'s to say, and what an App may, and where, is `github_app`'s.
"""

from __future__ import annotations

from urllib.parse import quote

from django.conf import settings

from mk0r.doctor import github_app, github_token
from mk0r.doctor.looking import Answer, Look, moment

_FEW = 0.1  # of the hour's requests


async def look(look: Look) -> None:
    """Credential, requests left, owner."""
    if settings.GITHUB_APP_ID:
        _limits(look, await github_app.examine(look))
        return
    login, answer = await github_token.examine(look)
    _limits(look, answer)
    await _owner(look, login)


def _limits(look: Look, answer: Answer) -> None:
    limit, left = answer.header_number("x-ratelimit-limit"), answer.header_number("x-ratelimit-remaining")
    if limit is None or left is None:
        return
    until = moment(answer.header_number("x-ratelimit-reset"))
    said = f"{left} of {limit} requests left{f' until {until}' if until else ''}"
    if left == 0:
        look.wrong("limits", said, "Wait until then; give mk0r an account that does nothing else.")
    elif left < limit * _FEW:
        look.note("limits", said, "Something else uses this account's requests; give mk0r one of its own.")
    else:
        look.well("limits", said)


async def _owner(look: Look, login: str) -> None:
    """Where repositories are made: an organisation, or with none named the token's own account."""
    owner = str(settings.GITHUB_OWNER)
    if not owner:
        look.well("owner", f"repositories are made in {login}")
        return
    answer = await github_token.ask(look, f"/users/{quote(owner, safe='')}")
    if answer.status == 404:
        look.wrong("owner", f"GITHUB_OWNER {owner} is nobody at {look.host}", "Correct GITHUB_OWNER.")
    elif not answer.ok:
        raise look.unexpected("owner", answer)
    elif answer.text("type") != "Organization":
        hint = "Unset GITHUB_OWNER" if owner.lower() == login.lower() else "Name an organisation, or unset it"
        look.wrong(
            "owner", f"GITHUB_OWNER {owner} is a person's account; only an organisation can be named",
            f"{hint}: repositories are then made in the token's own account, {login}.",
        )  # fmt: skip
    else:
        await _membership(look, owner, login)


async def _membership(look: Look, owner: str, login: str) -> None:
    answer = await github_token.ask(look, f"/user/memberships/orgs/{quote(owner, safe='')}")
    people = f"https://github.com/orgs/{owner}/people"
    permissions = answer.member("permissions")
    may = permissions.get("can_create_repository") if isinstance(permissions, dict) else None
    if answer.status == 404:
        look.wrong("owner", f"{login} is no member of {owner}", f"Invite {login} at {people}.")
    elif answer.ok and answer.text("state") == "pending":
        look.wrong("owner", f"{login} has not accepted to join {owner}", f"Accept at https://github.com/orgs/{owner}.")
    elif answer.ok and may is False:
        look.wrong(
            "owner", f"{login} may not make repositories in {owner}",
            f"Let members make private repositories at https://github.com/organizations/{owner}/settings/"
            f"member_privileges, or make {login} an owner at {people}.",
        )  # fmt: skip
    elif answer.ok and (may is True or answer.text("role") == "admin"):
        look.well("owner", f"repositories are made in {owner}, as {answer.text('role') or 'member'}")
    else:
        look.note(
            "owner", f"{owner} exists; whether {login} may make repositories there GitHub tells only with read:org",
        )  # fmt: skip
