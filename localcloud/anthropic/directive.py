"""A prompt that names a tool and its input is carried out to the letter: `call mcp__weather__today {"city": "Berlin"}`.

So that a client's tools, which the builder would have no use for, can be tried through it, those of an MCP server too.
Claude Code keeps the latter back until they are asked for by their name, as the real model asks for them.
"""

from __future__ import annotations

import json
import re

from localcloud.anthropic.conversation import Turn
from localcloud.anthropic.plan import Call, Plan, Step

_FORM = re.compile(r"\s*call\s+([A-Za-z0-9_-]{1,128})\s+(\{.*\})\s*", re.DOTALL | re.IGNORECASE)
_LONGEST = 2000  # characters of an answer that are repeated
_FINDER = "ToolSearch"


def read(turn: Turn) -> Call | None:
    """The call a prompt asks for, of a tool that is offered or can be asked for; None for any other prompt."""
    found = _FORM.fullmatch(turn.prompt)
    if found is None or not turn.tools & {found[1], _FINDER}:
        return None
    try:
        given = json.loads(found[2])
    except (ValueError, RecursionError):
        return None
    return Call(found[1], given)


def carry_out(call: Call, turn: Turn) -> Plan:
    """Call it, and say what it answered."""
    if _FINDER in turn.tools and call.name.startswith("mcp__"):
        yield Step("", (Call(_FINDER, {"query": f"select:{call.name}", "max_results": 1}),))
    [answered] = yield Step(f"I call {call.name}.", (call,))
    word = "failed" if answered.failed else "answered"
    return f"{call.name} {word}: {answered.text[:_LONGEST]}"
