"""Judges one exchange after another, and counts what came of it for each vendor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl

from tests.conformance.schemas import anthropic, e2b, openapi, posthog, resend
from tests.conformance.schemas.allowances import beside, unlisted
from tests.conformance.schemas.contract import JSON, Bodies, Contract, Operation
from tests.conformance.schemas.excerpts import excerpt
from tests.conformance.schemas.exchanges import NOTHING, Body, Exchange
from tests.conformance.schemas.schema import Verdict

CONTRACTS: dict[str, Callable[[], Contract]] = {
    "anthropic": anthropic.contract,
    "e2b": e2b.contract,
    "github": openapi.github,
    "neon": openapi.neon,
    "posthog": posthog.contract,
    "resend": resend.contract,
}
# The product's own requests, and those of the SDK it uses for E2B.
OURS = ("mk0r/", "mk0r-gateway", "mk0r-doctor", "e2b-python-sdk/")
EXAMPLES = 5


@dataclass
class Tally:
    """What was found at one vendor."""

    replies: int = 0
    requests: int = 0
    unmatched: int = 0
    failed: int = 0
    apart: Counter[str] = field(default_factory=Counter)  # judged by the error body alone, or not at all, and why
    unknown: Counter[str] = field(default_factory=Counter)  # keys that a schema leaves open and does not know
    examples: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.unmatched and not self.failed


class Judge:
    """Holds a tally for each vendor that was met."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}

    def hear(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            tally = self.tallies.setdefault(exchange.vendor, Tally())
            _Hearing(exchange, _contract(exchange.vendor), tally).run()


@cache
def _contract(vendor: str) -> Contract:
    """Read when a vendor is first met: GitHub's description alone is 13 MB."""
    return CONTRACTS[vendor]()


class _Hearing:
    """One exchange, as one vendor's contract sees it."""

    def __init__(self, exchange: Exchange, contract: Contract, tally: Tally) -> None:
        self._exchange, self._contract, self._tally = exchange, contract, tally
        self._operation = contract.find(exchange.method, exchange.path, exchange.query)

    def run(self) -> None:
        self._reply()
        status = self._exchange.status
        ours = self._exchange.agent.startswith(OURS)
        if (ours or (status is not None and 200 <= status < 300)) and not self._uncovered():
            self._request()

    def _uncovered(self) -> bool:
        return self._operation is None and self._exchange.status == 501

    def _reply(self) -> None:
        status = self._exchange.status
        if status is None:
            self._tally.apart["no answer: a fault came first"] += 1
            return
        listed = self._operation.reply(status) if self._operation is not None else None
        if listed is not None:
            self._body("reply", self._exchange.reply, listed)
        elif why := self._unlisted(status):
            self._tally.apart[f"by the error body alone: {why}"] += 1
            self._body("reply", self._exchange.reply, self._contract.errors.get(status, self._contract.error))
        elif self._operation is None:
            self._unmatched("reply", "no such call")
        else:
            self._unmatched("reply", f"{self._operation.name} does not list {status}")

    def _unlisted(self, status: int) -> str:
        called = self._operation.name if self._operation is not None else ""
        return unlisted(self._exchange.vendor, called, status, ordered=self._exchange.ordered)

    def _request(self) -> None:
        operation, body = self._operation, self._exchange.request
        if operation is None:
            self._unmatched("request", "no such call")
            return
        self._query(operation)
        if operation.request is not None and (operation.needs_body or not body.empty):
            self._body("request", body, {JSON: operation.request})
        elif operation.free and not body.empty:
            self._tally.apart["request that no schema describes"] += 1
        elif body.json is not NOTHING and body.json != {}:
            self._unmatched("request", f"{operation.name} takes no body, got {excerpt(body.json)}")
        else:
            self._tally.requests += 1

    def _query(self, operation: Operation) -> None:
        if operation.query is None:
            return
        for name, _ in parse_qsl(self._exchange.query, keep_blank_values=True):
            if name not in operation.query:
                self._tally.unknown[f"{operation.name} request ?{name}"] += 1

    def _body(self, side: str, body: Body, listed: Bodies) -> None:
        if body.events:
            self._content(side, body, listed)
        elif not body.kept:
            self._tally.apart[f"{side} not kept: streamed, or over the size kept"] += 1
        elif body.empty and listed:
            self._failed(side, "no body")
        elif not body.empty and not listed:
            self._failed(side, f"a body where none is described: {_shown(body)}")
        elif body.empty:
            self._passed(side)
        else:
            self._content(side, body, listed)

    def _content(self, side: str, body: Body, listed: Bodies) -> None:
        media = JSON if "json" in body.media or (side == "request" and body.json is not NOTHING) else body.media
        if media not in listed:
            self._unmatched(side, f"{body.media or 'a body without a type'} where {', '.join(listed)} is described")
            return
        schema = listed[media]
        if schema is None:
            self._passed(side)
        elif body.json is NOTHING and not body.events:
            self._failed(side, "no JSON")
        else:
            self._judged(side, [schema.check(part) for part in body.events or (body.json,)])

    def _judged(self, side: str, verdicts: list[Verdict]) -> None:
        error = next((verdict.error for verdict in verdicts if verdict.error), "")
        if error:
            self._failed(side, error)
            return
        self._passed(side)
        for key in (key for verdict in verdicts for key in verdict.unknown):
            if side == "reply" and beside(self._exchange.vendor, self._exchange.status or 0, key):
                continue
            self._tally.unknown[f"{self._name()} {side} {key}"] += 1

    def _passed(self, side: str) -> None:
        if side == "reply":
            self._tally.replies += 1
        else:
            self._tally.requests += 1

    def _failed(self, side: str, why: str) -> None:
        self._tally.failed += 1
        self._example(f"failed: {side} of {self._name()}: {why}")

    def _unmatched(self, side: str, why: str) -> None:
        self._tally.unmatched += 1
        self._example(f"unmatched: {side} of {self._name()}: {why}")

    def _name(self) -> str:
        exchange, operation = self._exchange, self._operation
        called = operation.name if operation is not None else f"{exchange.method} {exchange.path}"
        return f"{called} {exchange.status}"

    def _example(self, text: str) -> None:
        if text not in self._tally.examples and len(self._tally.examples) < EXAMPLES:
            self._tally.examples.append(text)


def _shown(body: Body) -> str:
    return body.media if body.json is NOTHING else excerpt(body.json)
