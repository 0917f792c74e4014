"""A small MCP server over standard input and output, with one tool that adds two numbers."""

from __future__ import annotations

import json
import sys
from typing import Any

ADD = {
    "name": "add",
    "description": "Add two numbers",
    "inputSchema": {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
    },
}


def answer(method: str, given: dict[str, Any]) -> dict[str, Any]:
    """The result of a request."""
    if method == "initialize":
        capabilities = {"tools": {}}
        return {
            "protocolVersion": given.get("protocolVersion", "2025-06-18"), "capabilities": capabilities,
            "serverInfo": {"name": "sums", "version": "1"},
        }  # fmt: skip
    if method == "tools/list":
        return {"tools": [ADD]}
    if method == "tools/call":
        numbers = given["arguments"]
        return {"content": [{"type": "text", "text": f"the sum is {numbers['a'] + numbers['b']}"}]}
    return {}


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        told = {"jsonrpc": "2.0", "id": asked["id"], "result": answer(asked["method"], asked.get("params") or {})}
        print(json.dumps(told), flush=True)
