"""What a tool call does, in words a visitor understands: "Edited server/app.ts +3 −1"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

_DIFF_LINES = 2_000  # beyond that, comparing line by line costs more than the figure is worth


def tool_summary(name: str, arguments: dict[str, Any], cwd: str) -> str:
    """One line about the call. Never raises, whatever the arguments are."""
    tell = _TELLERS.get(name)
    if tell is not None:
        return _line(tell(arguments, cwd))
    if name.startswith("mcp__"):
        return _line(_browser(name, arguments))
    first = next((value for value in arguments.values() if isinstance(value, str) and value), "")
    return _line(f"{name} {first}")


# What the CLI adds to a failed call is for whoever runs it, and names an address only a sandbox knows.
_ASIDES = re.compile(
    r"Please run /login\s*·?\s*|\s*(?:This is a server-side issue|If it persists,|Check your )[^\n]*", re.IGNORECASE
)
_API_ERROR = re.compile(r"API Error:?\s*(?:\(?\d{3}\)?\s*)?")


def complaint(text: str) -> str:
    """Why the agent gave up, in its own words without its advice to whoever runs it; no full stop at the end."""
    said = _API_ERROR.sub("", _ASIDES.sub("", text), count=1).strip().rstrip(".")
    return said or "it gave no reason"


def _line(text: str) -> str:
    """`text` on one line; the event log cuts it to length, once secrets are out."""
    return " ".join(text.split())


def _text(arguments: dict[str, Any], *names: str) -> str:
    """The first of these arguments that is a string."""
    return next((value for name in names if isinstance(value := arguments.get(name), str)), "")


def _path(arguments: dict[str, Any], cwd: str) -> str:
    path = _text(arguments, "file_path", "notebook_path", "path")
    return path.removeprefix(cwd.rstrip("/") + "/") if cwd else path


def _lines(text: str) -> list[str]:
    return text.splitlines()


def _changed(old: str, new: str) -> tuple[int, int]:
    """Lines added and lines taken out."""
    before, after = _lines(old), _lines(new)
    if len(before) + len(after) > _DIFF_LINES:
        return len(after), len(before)
    codes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    added = sum(end - start for kind, _, _, start, end in codes if kind in {"insert", "replace"})
    removed = sum(end - start for kind, start, end, _, _ in codes if kind in {"delete", "replace"})
    return added, removed


def _edit(arguments: dict[str, Any], cwd: str) -> str:
    edits = arguments.get("edits")
    steps = [step for step in edits if isinstance(step, dict)] if isinstance(edits, list) else [arguments]
    added = removed = 0
    for step in steps:
        more, less = _changed(_text(step, "old_string"), _text(step, "new_string", "new_source"))
        added, removed = added + more, removed + less
    return f"Edited {_path(arguments, cwd)} +{added} −{removed}"


def _write(arguments: dict[str, Any], cwd: str) -> str:
    count = len(_lines(_text(arguments, "content")))
    return f"Wrote {_path(arguments, cwd)} ({count} {'line' if count == 1 else 'lines'})"


def _bash(arguments: dict[str, Any], _cwd: str) -> str:
    return _text(arguments, "description") or f"Ran {_text(arguments, 'command')}"


def _todo(arguments: dict[str, Any], _cwd: str) -> str:
    todos = arguments.get("todos")
    count = len(todos) if isinstance(todos, list) else 0
    return f"Planned {count} {'step' if count == 1 else 'steps'}"


def _browser(name: str, arguments: dict[str, Any]) -> str:
    """`mcp__playwright__browser_click` reads "Browser: click …"."""
    _, server, tool = [*name.split("__", 2), "", ""][:3]
    said = tool.removeprefix("browser_").replace("_", " ")
    return f"{'Browser' if server == 'playwright' else server}: {said} {_text(arguments, 'url', 'element', 'text')}"


def _about(verb: str, *names: str) -> Callable[[dict[str, Any], str], str]:
    def tell(arguments: dict[str, Any], cwd: str) -> str:
        return f"{verb} {_text(arguments, *names) or _path(arguments, cwd)}"

    return tell


_TELLERS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "Edit": _edit,
    "MultiEdit": _edit,
    "NotebookEdit": _edit,
    "Write": _write,
    "Read": lambda arguments, cwd: f"Read {_path(arguments, cwd)}",
    "Bash": _bash,
    "Glob": _about("Looked for", "pattern"),
    "Grep": _about("Searched for", "pattern"),
    "TodoWrite": _todo,
    "WebFetch": _about("Fetched", "url"),
    "WebSearch": _about("Searched the web for", "query"),
    "Task": _about("Handed over:", "description"),
    "Agent": _about("Handed over:", "description"),
}
