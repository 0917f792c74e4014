"""The view of an app that records nothing."""

from __future__ import annotations

from localcloud.anthropic.grammar.tools import units
from localcloud.anthropic.quoting import attribute, fill, jsx, string
from localcloud.anthropic.spec import AppSpec
from localcloud.anthropic.words import say

_TEMPLATES = {
    "calculator": "Calculator",
    "converter": "Converter",
    "timer": "Timer",
    "stopwatch": "Stopwatch",
    "counter": "Counter",
}


def tool_app(spec: AppSpec) -> str:
    """`src/App.tsx` of a tool."""
    values = {"TITLE_STRING": string(spec.title), "TITLE_ATTR": attribute(spec.title)}
    for key in ("value", "from", "to", "result", "minutes", "up", "down"):
        values[f"{key.upper()}_ATTR"] = attribute(say(spec, key))
    for key in ("swap", "reset", "lap", "done"):
        values[key.upper()] = jsx(say(spec, key))
    for key in ("start", "pause"):
        values[f"{key.upper()}_STRING"] = string(say(spec, key))
    values |= _converter(spec) if spec.kind == "converter" else {}
    values["SECONDS"] = str(_seconds(spec))
    return fill(f"tools/{_TEMPLATES[spec.kind]}.tsx", values)


def tool_files(spec: AppSpec) -> dict[str, str]:
    """Files beside the view."""
    return {"src/calculation.ts": fill("tools/calculation.ts", {})} if spec.kind == "calculator" else {}


def _seconds(spec: AppSpec) -> int:
    value = spec.options.get("seconds", 300)
    return max(1, min(int(value), 86400)) if isinstance(value, int | float) else 300


def _converter(spec: AppSpec) -> dict[str, str]:
    known = units()
    first = spec.options.get("from") if spec.options.get("from") in known else "celsius"
    second = spec.options.get("to") if spec.options.get("to") in known else "fahrenheit"
    family = known[str(first)][0]
    rows = "\n".join(
        f"  {string(name)}: {{ factor: {factor!r}, offset: {offset!r} }},"
        for name, (kin, factor, offset) in known.items()
        if kin == family
    )
    return {"UNITS": rows, "FROM_UNIT": string(str(first)), "TO_UNIT": string(str(second))}
