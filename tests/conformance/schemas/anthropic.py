"""Anthropic's contract: the types of npm `@anthropic-ai/sdk`. Its `?beta=true` calls have bodies of their own."""

from __future__ import annotations

from tests.conformance.schemas.contract import EVENTS, JSON, Bodies, Contract, Operation, Routes
from tests.conformance.schemas.published import book
from tests.conformance.schemas.schema import Schema


def contract() -> Contract:
    """What Claude Code and the gateway call."""
    routes: Routes[Operation] = Routes()
    for vendor, suffix in (("Anthropic", ""), ("AnthropicBeta", "?beta=true")):

        def of(name: str, vendor: str = vendor) -> Schema:
            return book(vendor).at("properties", name)

        message: Bodies = {JSON: of("Message"), EVENTS: of("Event")}
        for path, request, reply in (
            ("/v1/messages", "CreateParams", message),
            ("/v1/messages/count_tokens", "CountTokensParams", {JSON: of("TokensCount")}),
        ):
            replies = {"200": reply, "4XX": {JSON: of("ErrorResponse")}, "5XX": {JSON: of("ErrorResponse")}}
            routes.add("POST", path + suffix, Operation(f"POST {path}{suffix}", of(request), True, replies))
    error: Bodies = {JSON: book("Anthropic").at("properties", "ErrorResponse")}
    for path, name in (("/v1/models", "ModelList"), ("/v1/models/{model}", "ModelInfo")):
        replies = {"200": {JSON: book("Anthropic").at("properties", name)}, "4XX": error, "5XX": error}
        routes.add("GET", path, Operation(f"GET {path}", None, False, replies))
    return Contract(routes, error, apart=("beta=true",))
