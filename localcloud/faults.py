"""Telling a stand-in to misbehave, so that everything that can go wrong at a vendor can be tried at home.

A handler says which operation it is with `@operation("neon", "create_project")`. `Faults.serve` wraps every request:

| fault | what the client sees | was it done? |
|---|---|---|
| `latency` | the right answer, `seconds` later | yes |
| `status:<code>` | the vendor's own error body with that status; `seconds` becomes `Retry-After` | no |
| `late` | silence, and after `seconds` (30 unless told) the right answer | yes, then, even if the client has left |
| `hang` | silence for `seconds` (300 unless told), then a closed connection | no |
| `reset_before` | TCP reset | no |
| `reset_after` | TCP reset | yes, the reply is lost |
| `garbage` | the right status, an HTML page that calls itself JSON | yes |
| `truncate` | half of the right body, then a reset | yes |
| `slow_drip` | the right body one byte each `seconds` (1 unless told) | yes |
| `flood` | the right status and 100 MB of padding | yes |

Of faults that apply to a request, every `latency` is added up and the first other one that its probability picks is
used. An answer that streams is spoilt from its first piece on, while its handler goes on to its end; half a body is
then half of that piece. The model's answers leave nothing behind and need not be computed for it. Faults live as long
as the process.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from localcloud.spoiling import Perhaps, Spoilt, answered, reset
from localcloud.tap import keep_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ErrorBody = Callable[[int, str], web.Response]
Decorated = TypeVar("Decorated", bound=Callable[..., Awaitable[web.StreamResponse]])

KINDS = ("latency", "late", "hang", "reset_before", "reset_after", "garbage", "truncate", "slow_drip", "flood")
HEADER = re.compile(r"[ -~]{1,100}")
HANG_SECONDS = 300.0
LATE_SECONDS = 30.0
UNDECLARED = ("", "")
STREAMED = {("anthropic", "create_message")}  # nothing is made: a misbehaving answer need not be computed
DETACHED: web.RequestKey[bool] = web.RequestKey("answered_whoever_waits", bool)
STREAM_BODY = b'event: message_start\ndata: {"type": "message_start", "message": {}}\n\n'


class FaultError(ValueError):
    """A fault that cannot be understood; the message says which part."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule: which requests it meets (`*` for any), what happens, how often, and for how long."""

    vendor: str
    operation: str
    fault: str
    probability: float = 1.0
    seconds: float | None = None
    retry_after: str | None = None

    def meets(self, vendor: str, operation: str) -> bool:
        """Whether the rule is for that operation; the name of a family, before the `/`, is for all of it."""
        family = operation.partition("/")[0]
        return self.vendor in ("*", vendor) and self.operation in ("*", operation, family)

    def to_json(self) -> dict[str, Any]:
        rule: dict[str, Any] = {
            "vendor": self.vendor,
            "operation": self.operation,
            "fault": self.fault,
            "probability": self.probability,
        }
        more = {"seconds": self.seconds, "retry_after": self.retry_after}
        return rule | {name: value for name, value in more.items() if value is not None}


def parse(rule: Any) -> Fault:
    """Read one rule as the operator sends it, who may send back the `met` of one that was told. Raises `FaultError`."""
    if not isinstance(rule, Mapping):
        raise FaultError("each fault must be an object")
    unknown = set(rule) - {"vendor", "operation", "fault", "probability", "seconds", "retry_after", "met"}
    if unknown:
        raise FaultError(f"unknown members: {', '.join(sorted(map(str, unknown)))}")
    vendor, operation, kind = rule.get("vendor", "*"), rule.get("operation", "*"), rule.get("fault")
    if not (isinstance(vendor, str) and isinstance(operation, str) and isinstance(kind, str)):
        raise FaultError("vendor, operation and fault must be text")
    if kind not in KINDS and not re.fullmatch(r"status:[1-5]\d\d", kind):
        raise FaultError(f"unknown fault {kind!r}; there are {', '.join(KINDS)} and status:<code>")
    probability, seconds = rule.get("probability", 1.0), rule.get("seconds")
    if not _number(probability) or not 0 <= probability <= 1:
        raise FaultError("probability must be a number from 0 to 1")
    if seconds is not None and (not _number(seconds) or not 0 <= seconds <= 3600):
        raise FaultError("seconds must be a number from 0 to 3600")
    header = rule.get("retry_after")
    if header is not None and not (kind.startswith("status:") and isinstance(header, str) and HEADER.fullmatch(header)):
        raise FaultError("retry_after must be up to 100 printable characters, and goes with status:<code>")
    return Fault(vendor, operation, kind, float(probability), None if seconds is None else float(seconds), header)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def operation(vendor: str, name: str) -> Callable[[Decorated], Decorated]:
    """Declare which operation of which vendor a handler is."""

    def declare(handler: Decorated) -> Decorated:
        handler.operation = (vendor, name)  # type: ignore[attr-defined]
        return handler

    return declare


def operation_of(handler: object) -> tuple[str, str]:
    """The declared (vendor, operation) of a handler, or two empty texts."""
    declared = getattr(handler, "operation", UNDECLARED)
    return declared if isinstance(declared, tuple) else UNDECLARED


class Faults:
    """The rules in force, and the way a request passes through them."""

    def __init__(self) -> None:
        self.rules: tuple[Fault, ...] = ()
        self.met: Counter[Fault] = Counter()  # how many requests each rule in force has caught
        self.known: Mapping[str, Iterable[str]] = {}  # operations by vendor; set once every stand-in is there
        self._random = random.Random()  # noqa: S311 -- picks faults, guards nothing
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let every request that a fault holds go at once."""
        self._stopping.set()

    def replace(self, rules: Any) -> None:
        """Put these rules in force instead of all others. Raises `FaultError` and changes nothing when one is bad."""
        if not isinstance(rules, list):
            raise FaultError("faults must be a list")
        parsed = tuple(parse(rule) for rule in rules)
        for rule in parsed:
            self._check_known(rule)
        self.rules = parsed
        self.met = Counter({rule: self.met[rule] for rule in parsed})

    def _check_known(self, rule: Fault) -> None:
        """A rule that can meet nothing is a slip of its writer's."""
        if rule.vendor != "*" and rule.vendor not in self.known:
            raise FaultError(f"unknown vendor {rule.vendor!r}; there are {', '.join(self.known)}")
        if not any(rule.meets(vendor, name) for vendor, names in self.known.items() for name in names):
            raise FaultError(f"{rule.vendor} has no operation {rule.operation!r}; /_cloud/api/operations lists them")

    def clear(self) -> None:
        self.replace([])

    async def serve(
        self, request: web.Request, handler: Handler, declared: tuple[str, str], error_body: ErrorBody
    ) -> web.StreamResponse:
        """Answer *request* by *handler*, with the misbehaviour in force for its operation."""
        met = [rule for rule in self.rules if rule.meets(*declared) and self._random.random() < rule.probability]
        waits = [rule for rule in met if rule.fault == "latency"]
        fault = next((rule for rule in met if rule.fault != "latency"), None)
        self.met.update(waits if fault is None else [*waits, fault])
        delay = sum(1.0 if rule.seconds is None else rule.seconds for rule in waits)
        if delay and not await self._hold(request, delay):
            return reset(request)
        if fault is None:
            return await handler(request)
        if fault.fault.startswith("status:"):
            return _status(int(fault.fault.removeprefix("status:")), fault, error_body)
        if fault.fault == "reset_before":
            return reset(request)
        if fault.fault == "late":
            return await self._late(request, fault, handler)
        if fault.fault == "hang":
            await self._hold(request, HANG_SECONDS if fault.seconds is None else fault.seconds)
            return reset(request)
        spoilt = Spoilt(request, fault.fault, 1.0 if fault.seconds is None else fault.seconds, self._hold)
        if declared in STREAMED and fault.fault != "reset_after":
            begun = web.Response(body=STREAM_BODY, content_type="text/event-stream")
            return await spoilt.whole(begun)
        return await answered(request, handler, spoilt)

    async def _late(self, request: web.Request, fault: Fault, handler: Handler) -> web.StreamResponse:
        """Do what was asked long after it was asked, whether or not somebody still waits for the answer."""
        await keep_body(request)
        try:
            async with asyncio.timeout(LATE_SECONDS if fault.seconds is None else fault.seconds):
                await self._stopping.wait()
        except TimeoutError:
            request[DETACHED] = True
            return await answered(request, handler, Perhaps(request))
        return reset(request)

    async def _hold(self, request: web.Request, seconds: float) -> bool:
        """Wait; False when the client left or the process is stopping before the time was up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            if request.transport is None or request.transport.is_closing():
                return False
            try:
                async with asyncio.timeout(min(left, 0.25)):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            return False
        return True


def _status(status: int, fault: Fault, error_body: ErrorBody) -> web.Response:
    answer = error_body(status, "This error was ordered from localcloud.")
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = fault.retry_after
    elif fault.seconds is not None:
        answer.headers["Retry-After"] = f"{fault.seconds:g}"
    return answer
