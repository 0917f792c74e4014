"""Anthropic, or another server that speaks the Messages API: key, model, limits where they are told."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.conf import settings

from mk0r.doctor.looking import Answer, Look, printable
from sessions_app.agent.model import main_model

_KEYS = "https://platform.claude.com/settings/keys"
_PAGES = 10


async def look(look: Look) -> None:
    """Key, model, limits."""
    answer, models = await _models(look)
    await _model(look, models)
    _limits(look, answer)


async def _ask(look: Look, path: str) -> Answer:
    headers = {"anthropic-version": "2023-06-01"} | ({"x-api-key": look.key} if look.key else {})
    return await look.ask(path, headers)


async def _models(look: Look) -> tuple[Answer, list[str] | None]:
    """The first answer, and the names of all models; None where the server keeps no list."""
    names: list[str] = []
    query = {"limit": "100"}
    answer = first = await _ask(look, f"/v1/models?{urlencode(query)}")
    if answer.status in (401, 403):
        raise look.refused(answer, f"Make a key at {_KEYS} and set ANTHROPIC_API_KEY.")
    if answer.status in (404, 405, 501):
        look.note("key", f"{look.host} keeps no list of models, so neither key nor model can be looked at")
        return first, None
    for _ in range(_PAGES):
        if not answer.ok:
            raise look.unexpected("key", answer)
        names += [printable(str(one.get("id", ""))) for one in answer.objects("data")]
        if answer.member("has_more") is not True or not answer.text("last_id"):
            break
        query["after_id"] = answer.text("last_id")
        answer = await _ask(look, f"/v1/models?{urlencode(query)}")
    look.well("key", "taken" if look.key else "none is needed")
    return first, names


async def _model(look: Look, names: list[str] | None) -> None:
    """Whether the model that builds is among them, by its name or another one the server knows it by."""
    if names is None:
        return
    wanted = main_model()
    if wanted in names or (await _ask(look, f"/v1/models/{quote(wanted, safe='')}")).ok:
        look.well("model", wanted)
    else:
        some = ", ".join(names[:8]) or "none"
        setting = "MK0R_MODEL" if settings.MK0R_MODEL else "the default of MK0R_MODEL"
        look.wrong("model", f"{wanted}, {setting}, is not among the models", f"Set MK0R_MODEL to one of: {some}.")


def _limits(look: Look, answer: Answer) -> None:
    """Where the answer tells them; Anthropic itself does so for messages only, which cost money."""
    for what in ("requests", "tokens"):
        limit = answer.header_number(f"anthropic-ratelimit-{what}-limit")
        left = answer.header_number(f"anthropic-ratelimit-{what}-remaining")
        if limit is None or left is None:
            continue
        until = printable(answer.headers.get(f"anthropic-ratelimit-{what}-reset", ""))
        said = f"{left} of {limit} {what} left{f' until {until}' if until else ''}"
        if left:
            look.well("limits", said)
        else:
            look.wrong("limits", said, "Wait until then, or ask for higher limits on the console's Limits page.")
