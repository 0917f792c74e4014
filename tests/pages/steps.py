"""Steps of a turn, as the agent writes them to the log."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

EDIT = {
    "file_path": "/app/server/tools.ts",
    "old_string": "const a = 1\nconst b = 2",
    "new_string": "const a = 1\nconst c = 3",
}


def begun(number: int, prompt: str = "A tool library for our street") -> list[tuple[str, Any]]:
    """A turn that has said something, edited a file, and is writing another."""
    return [
        ("prompt", prompt),
        ("agent.text", {"turn": number, "text": "I will **add** a `tools` table.\n\n- one\n- two"}),
        ("agent.tool", {"turn": number, "id": f"{number}a", "name": "Edit", "summary": "", "input": EDIT}),
        ("agent.result", {"turn": number, "id": f"{number}a", "ok": True, "output": "done"}),
        (
            "agent.tool",
            {"turn": number, "id": f"{number}b", "name": "Bash", "summary": "", "input": {"command": "npm run check"}},
        ),
    ]


def ended(number: int, version: int | None = None, state: str = "done") -> list[tuple[str, Any]]:
    """The rest of it."""
    steps: list[tuple[str, Any]] = [
        ("agent.result", {"turn": number, "id": f"{number}b", "ok": True, "output": "12 checks passed"}),
        ("agent.text", {"turn": number, "text": "The shelf is ready."}),
    ]
    if version:
        steps.append(("version.created", {"number": version, "sha": f"{version:040x}", "message": f"turn {number}"}))
    finish = {"turn": number, "state": state, "duration_ms": 64_000, "cost_usd": 0.0, "summary": "All done."}
    return [*steps, ("turn.finished", finish)]


def restored(version: int, restores: int) -> tuple[str, Any]:
    """A version that repeats an older tree."""
    body = {"number": version, "sha": f"{version:040x}", "message": f"Back to version {restores}", "restores": restores}
    return ("version.created", body)


def the_line_is_up(page: Page) -> None:
    """Wait until a builder page where no turn runs can send: one whose log is long in coming is drawn before it can."""
    expect(page.locator("#prompt-note")).not_to_have_text("Sent once the line is back")
