"""E2B: whether the key is taken, and whether the template that sandboxes are made from is there."""

from __future__ import annotations

from urllib.parse import quote

from django.conf import settings

from mk0r.doctor.looking import Answer, Look

_KEYS = "https://e2b.dev/dashboard?tab=keys"
_BUILD = "Build it with `manage.py build_template`, or set E2B_TEMPLATE to one that exists."


async def look(look: Look) -> None:
    """Key, template."""
    answer = await _ask(look, "/v2/sandboxes?limit=1")
    if answer.status in (401, 403):
        raise look.refused(answer, f"Make a key at {_KEYS} and set E2B_API_KEY.")
    if not answer.ok:
        raise look.unexpected("key", answer)
    running = answer.header_number("x-total-running")
    look.well("key", "taken" if running is None else f"taken; {running} sandboxes run")
    await _template(look)


async def _ask(look: Look, path: str) -> Answer:
    return await look.ask(path, {"X-API-KEY": look.key})


async def _template(look: Look) -> None:
    """Whether E2B_TEMPLATE, a name or an id, with or without a tag, leads to a template."""
    wanted = str(settings.E2B_TEMPLATE)
    name = quote(wanted.partition(":")[0], safe="")
    answer = await _ask(look, f"/templates/aliases/{name}")
    if answer.status == 404:  # perhaps it is an id, which is no alias
        by_id = await _ask(look, f"/templates/{name}?limit=1")
        answer = by_id if by_id.ok else answer
    if answer.ok:
        look.well("template", wanted)
    elif answer.status == 403:
        look.wrong("template", f"{wanted}, of E2B_TEMPLATE, is another team's", _BUILD)
    elif answer.status in (400, 404):
        look.wrong("template", f"{wanted}, of E2B_TEMPLATE, is not there", _BUILD)
    else:
        raise look.unexpected("template", answer)
