"""Neon: whose key it is, whether its organisation can be reached, and how many projects are left."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.conf import settings

from mk0r.doctor.looking import Answer, Ended, Look

_CONSOLE = "https://console.neon.tech"
_PAGE, _PAGES = 400, 10
_FEW = 0.9  # of the limit


async def look(look: Look) -> None:
    """Whose key, which organisation, how many projects."""
    personal = await _key(look)
    await _organisation(look, personal=personal)
    await _projects(look)


async def _ask(look: Look, path: str) -> Answer:
    return await look.ask(path, {"Authorization": f"Bearer {look.key}"})


async def _key(look: Look) -> bool | None:
    """Write down whether the key is taken; returns whether it is a person's, None where Neon does not say."""
    answer = await _ask(look, "/auth")
    if answer.status in (401, 403):
        raise look.refused(answer, f"Make a key at {_CONSOLE}/app/settings/api-keys and set NEON_API_KEY.")
    kind = {"api_key_user": True, "api_key_org": False}.get(answer.text("auth_method"))
    if kind is not None:
        look.well("key", "a person's key" if kind else f"a key of the organisation {answer.text('account_id')}")
        if kind is False and settings.NEON_ORG_ID not in ("", answer.text("account_id")):
            look.wrong(
                "organisation", f"NEON_ORG_ID is {settings.NEON_ORG_ID}, but the key is another organisation's",
                "Unset NEON_ORG_ID, or make a key in that organisation: its settings → API keys.",
            )  # fmt: skip
            raise Ended
    return kind


async def _organisation(look: Look, *, personal: bool | None) -> None:
    """Whether the organisation that pays for projects is named and can be reached."""
    wanted = str(settings.NEON_ORG_ID)
    if wanted:
        answer = await _ask(look, f"/organizations/{quote(wanted, safe='')}")
        if answer.ok:
            plan = answer.text("plan")
            look.well("organisation", f"{answer.text('name') or wanted}{f', plan {plan}' if plan else ''}")
        elif answer.status in (400, 401, 403, 404):
            look.wrong(
                "organisation", f"NEON_ORG_ID {wanted} is not one this key reaches ({answer.status})",
                await _names(look) or f"Copy the id from {_CONSOLE} → Organization settings, and set NEON_ORG_ID.",
            )  # fmt: skip
    elif personal and not (await _ask(look, "/projects?limit=1")).ok:
        look.wrong(
            "organisation", "a person's key needs NEON_ORG_ID, which is not set",
            await _names(look) or f"Copy the id from {_CONSOLE} → Organization settings, and set NEON_ORG_ID.",
        )  # fmt: skip
        raise Ended


async def _names(look: Look) -> str:
    """The organisations the key does reach, as the step that mends it; nothing where Neon does not list them."""
    listed = (await _ask(look, "/users/me/organizations")).objects("organizations")
    ids = [str(one.get("id"))[:60] for one in listed[:5]]
    return f"Set NEON_ORG_ID to one of: {', '.join(ids)}." if ids else ""


async def _projects(look: Look) -> None:
    """How many projects there are, of how many."""
    used, whole = await _count(look)
    limit = (await _ask(look, "/users/me")).number("projects_limit")
    said = f"{used}{'' if whole else ' or more'} projects"
    more = f"Delete projects in {_CONSOLE}, or take a plan with more: each session needs one."
    if not limit or limit < 0:
        look.note("projects", f"{said}; Neon does not tell this key's limit")
    elif used >= limit:
        look.wrong("projects", f"{said} of {limit}: no session can have a database", more)
    elif used >= limit * _FEW:
        look.note("projects", f"{said} of {limit}", more)
    else:
        look.well("projects", f"{said} of {limit}")


async def _count(look: Look) -> tuple[int, bool]:
    """How many projects the key reaches, and whether that is all."""
    used, query = 0, {"limit": str(_PAGE)}
    if settings.NEON_ORG_ID:
        query["org_id"] = str(settings.NEON_ORG_ID)
    for _ in range(_PAGES):
        answer = await _ask(look, f"/projects?{urlencode(query)}")
        if answer.status in (401, 403):
            raise look.refused(answer, f"Make a key at {_CONSOLE}/app/settings/api-keys and set NEON_API_KEY.")
        if not answer.ok:
            raise look.unexpected("projects", answer)
        if not any(one.check == "key" for one in look.checks):
            look.well("key", "taken")
        page, pagination = answer.objects("projects"), answer.member("pagination")
        cursor = pagination.get("cursor") if isinstance(pagination, dict) else None
        used += len(page)
        if len(page) < _PAGE or not isinstance(cursor, str):
            return used, True
        query["cursor"] = cursor
    return used, False
