"""What the agent is told besides the prompt: its instructions and tools, filled with what this session really has."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from django.conf import settings

_FILES = Path(settings.BASE_DIR) / "sandbox" / "agent"
_WITH_BROWSER = """\
Before you say that you are done, look at the app in the browser with the Playwright tools: fill the form in, submit it,
  see the result, and check the console for errors."""
_WITHOUT_BROWSER = """\
There is no browser here. Before you say that you are done, prove the server half over HTTP with `curl` against the
  running dev server, and check that the code compiles (`npx tsc --noEmit`)."""
# For each service: the name in `.env` that tells it is there, what to say if it is, and what if it is not.
_SERVICES = {
    "neon": (
        "DATABASE_URL",
        """\
**Postgres** at `DATABASE_URL`, a real database of this app's own. Make tables with a migration in
  `server/migrations/`; query with parameters.""",
        """\
**No database.** Say in your answer that nothing is kept, and keep data in the server's memory only.""",
    ),
    "resend": (
        "RESEND_API_KEY",
        """\
**Mail** through the `resend` package on the server: key `RESEND_API_KEY`, sender always `RESEND_FROM`; the package
  finds the service by `RESEND_BASE_URL` itself. `RESEND_AUDIENCE_ID` is this app's own list of contacts.""",
        """\
**No mail.** If mail is asked for, build everything else, and say in the app and in your answer that none is sent.""",
    ),
    "posthog": (
        "VITE_POSTHOG_KEY",
        """\
**Analytics** with `posthog-js`, set up already for `VITE_POSTHOG_KEY` and the group `app` = `VITE_POSTHOG_APP_ID`.
  Capture what matters about this app's use, never what people typed.""",
        "**No analytics.** Leave capturing out.",
    ),
    "github": (
        "GITHUB_REPO",
        "**A repository**, `GITHUB_REPO`, that the platform pushes each version to. You have nothing to do with it.",
        "**No repository yet.** The platform keeps the versions here.",
    ),
}


@cache
def asset(name: str) -> str:
    """Text of a file beside the agent's instructions."""
    return (_FILES / name).read_text()


def instructions(names: list[str], resources: list[dict[str, Any]], *, browser: bool) -> str:
    """The agent's CLAUDE.md: `names` are those in `.env`, `resources` tells why one may be missing."""
    problems = {each["provider"]: (each.get("error") or {}).get("message", "") for each in resources}
    lines = []
    for provider, (needed, present, absent) in _SERVICES.items():
        if needed in names:
            lines.append(f"- {present}")
        else:
            why = problems.get(provider) or ""
            lines.append(f"- {absent}" + (f" (It could not be set up: {why})" if why else ""))
    lines.append(f"- Names in `.env` now: {', '.join(f'`{name}`' for name in names) or 'none'}.")
    return Template(asset("CLAUDE.md")).substitute(
        services="\n".join(lines), verify=_WITH_BROWSER if browser else _WITHOUT_BROWSER
    )


def tools(home: str, chromium: str, browser_server: str) -> str:
    """The agent's MCP configuration: a browser where there is one, else nothing."""
    if not chromium or not browser_server:
        return json.dumps({"mcpServers": {}})
    filled = {"home": home, "chromium": chromium, "browser_server": browser_server}
    config = json.loads(asset("mcp.json"), object_hook=lambda data: {k: _fill(v, filled) for k, v in data.items()})
    return json.dumps(config)


def _fill(value: Any, filled: dict[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).substitute(filled)
    return [_fill(each, filled) for each in value] if isinstance(value, list) else value


def prompt_text(prompt: str, earlier: list[tuple[str, str]]) -> str:
    """The prompt as the agent reads it; `earlier` are past prompts and summaries that it no longer remembers.

    A prompt that begins with a slash would be taken for a command of the agent's own.
    """
    said = f"The request: {prompt}" if prompt.lstrip().startswith(("/", "!", "#")) else prompt
    if not earlier:
        return said
    past = "\n".join(f"- Asked: {asked[:500]}\n  Done: {done[:500]}" for asked, done in earlier[-20:])
    return f"{said}\n\nFor context, what was built in this project before:\n{past}"
