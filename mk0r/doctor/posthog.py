"""PostHog: whether its host answers for the project's key.

Capturing proves nothing: an event under a key that does not exist is answered like any other. The configuration that
every browser asks for is told only for a project that is there.
"""

from __future__ import annotations

from urllib.parse import quote

from mk0r.doctor.looking import Look

_SETTINGS = "Project settings → Project API key (phc_…)"


async def look(look: Look) -> None:
    """The key's kind, and whether the host knows it."""
    if look.key.startswith("phx_"):
        look.wrong(
            "key", "POSTHOG_PROJECT_KEY is a personal key, and every app's page would show it",
            f"Delete that key in PostHog and set POSTHOG_PROJECT_KEY to the project's: {_SETTINGS}.",
        )  # fmt: skip
        return  # it must not travel in an address
    answer = await look.ask(f"/array/{quote(look.key, safe='')}/config", {})
    if answer.status in (400, 401, 403, 404):
        look.wrong(
            "key", f"{look.host} does not answer for this project key ({answer.status})",
            f"Copy the key from {_SETTINGS}. A project in the EU needs POSTHOG_HOST=https://eu.i.posthog.com.",
        )  # fmt: skip
    elif not answer.ok:
        raise look.unexpected("key", answer)
    else:
        look.well("key", "the host answers for it")
