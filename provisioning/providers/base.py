"""What a provider module is made of. It translates names, bodies and fields, and does nothing else.

Transport, deadlines, classification, retries, the ledger and encryption live elsewhere, once. One `Step` makes one kind
of resource at one vendor; a vendor that needs two (Resend) has two steps, taken in the order of the registry.
"""

from __future__ import annotations

import abc
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import pydantic
from pydantic import StringConstraints

from provisioning import http, names
from provisioning.exceptions import NotConfigured, VendorError
from provisioning.outcome import Hint, Outcome, Seen, Verb, classify, retry_after
from provisioning.secrets import Secret

# What a vendor calls its things: printable, short, and never a path.
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Model = TypeVar("Model", bound=pydantic.BaseModel)
CLOCK_SKEW = timedelta(minutes=10)
NAME_PREFIX = names.PREFIX


class Nothing(pydantic.BaseModel):
    """An answer whose body does not matter."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: the deterministic name, the attempt that asks for it, and since when it was meant to be."""

    slug: str
    name: str
    attempt: int
    intended_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """What a vendor made: its id there, a page for a person, what is not secret, and what is (by `.env` name)."""

    external_id: str
    url: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that bears our name at a vendor, as its inventory shows it. `meta` is what `destroy` needs to know."""

    external_id: str
    created_at: datetime | None = None  # None: the vendor does not say, or not readably
    meta: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if self.created_at is not None and self.created_at.tzinfo is None:
            object.__setattr__(self, "created_at", self.created_at.replace(tzinfo=UTC))

    def belongs_to(self, order: Order) -> bool:
        """Whether it can have come from `order`: nothing made before the intent did."""
        return self.created_at is None or self.created_at >= order.intended_at - CLOCK_SKEW


class Rotates(StrEnum):
    """How the credentials of a resource can be replaced while it goes on."""

    NOT = ""
    IN_PLACE = "in_place"  # the new one ends the old one at once
    BESIDE = "beside"  # the new one is a thing of its own, and the old one lives until it is deleted


class Step(abc.ABC):
    """Makes, finds, adopts and destroys one kind of resource. Every method raises `VendorError` when it cannot."""

    provider: ClassVar[str]
    kind: ClassVar[str]
    label: ClassVar[str]  # the vendor's name as a person writes it
    thing: ClassVar[str]  # what is made, with its article
    without: ClassVar[str]  # what it means for the app when it is missing
    adoptable: ClassVar[bool] = True  # False: its secret is shown once, so one found again is deleted and made anew
    remote: ClassVar[bool] = True  # False: nothing exists at a vendor
    settles_within: ClassVar[float] = 4.0  # seconds after which a create that was sent shows in `find`, or never will
    cost: ClassVar[int] = 1  # requests an attempt takes out of the vendor's budget; the same for each of its steps
    rotates: ClassVar[Rotates] = Rotates.NOT
    rotates_not: ClassVar[str] = ""  # why, where it is `NOT`: a sentence for whoever asked

    @property
    @abc.abstractmethod
    def base_url(self) -> str:
        """Where the vendor's API is."""

    @property
    def local(self) -> bool:
        """Whether that address is on this machine."""
        return is_loopback(self.base_url)

    def page(self, external_id: str) -> str:  # noqa: ARG002 - the default
        """Where somebody with an account at the vendor can look at it; empty where that came with it, as its URL."""
        return ""

    @abc.abstractmethod
    def check(self) -> None:
        """Raise `NotConfigured` when a key or address is missing."""

    @abc.abstractmethod
    async def create(self, order: Order) -> Made:
        """Make it. Called only where a search has proved, or nothing can have led to doubt, that it is not there."""

    async def find(self, order: Order) -> list[Found]:  # noqa: ARG002 - the default
        """Everything at the vendor that bears the order's name, exactly, oldest first."""
        return []

    async def inventory(self) -> list[Found]:
        """Everything of this kind in the account whose name begins with `mk0r-`, each once, whoever made it.

        Raises:
            VendorError: the list cannot be had, or may not be whole; what is not on a list that is returned, is not
                there.
        """
        raise NotImplementedError

    async def adopt(self, order: Order, found: Found) -> Made:
        """Take over what an earlier attempt made, with its secrets."""
        raise NotImplementedError

    async def finish(self, order: Order, made: Made) -> None:  # noqa: B027 - most have nothing to finish
        """Whatever has to happen before it can be used; safe to repeat, resumed after a crash."""

    async def exists(self, made: Made) -> bool:  # noqa: ARG002 - the default
        """Whether the vendor still has it."""
        return False

    async def destroy(self, made: Made) -> None:  # noqa: B027 - what exists nowhere needs none
        """Delete it; that it is already gone counts as done."""

    async def revoke(self, made: Made) -> None:  # noqa: B027 - most have no secret of their own
        """Have the vendor take the credentials it gave out no more; the thing itself stays where that is possible."""

    async def rotate(self, order: Order, made: Made) -> Made:
        """Have the vendor make new credentials for what is `made`; returns what the row knows of it from then on."""
        raise NotImplementedError

    async def caught_up(self, order: Order, made: Made) -> Made | None:
        """After a `rotate` that was not answered: what came of it, or None once it is sure that nothing usable did.

        What cannot be used, because its secret was lost with the reply, is deleted. Called when nothing can come of
        that call any more.
        """
        raise NotImplementedError

    async def retire(self, order: Order, keep: str) -> None:  # noqa: B027 - most have one thing only
        """Delete what bears the order's name beside the one of id `keep`, and see that it is gone."""

    @abc.abstractmethod
    def env(self, made: Made) -> dict[str, Secret]:
        """What it contributes to `.env`."""


def is_loopback(url: str) -> bool:
    """Whether `url` points at this machine."""
    host = (urlsplit(url).hostname or "").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require(setting: str, value: str) -> str:
    """Return `value`, or raise `NotConfigured` naming the setting."""
    if not value:
        raise NotConfigured(setting)
    return value


def partial(operation: str, why: str) -> VendorError:
    """The error of a list that ends before its end: nothing can be concluded from what is not on it."""
    return VendorError(operation, Outcome.AMBIGUOUS, verb=Verb.READ, status=200, detail=f"partial: {why}")


class Api(abc.ABC):
    """A vendor's HTTP API: adds authority and reads its errors. Subclasses say how both look."""

    vendor: ClassVar[str]

    @abc.abstractmethod
    def base_url(self) -> str:
        """Where the API is, without a trailing slash."""

    @abc.abstractmethod
    def headers(self) -> dict[str, str]:
        """Authority and versions, for every request."""

    def heard(self, headers: Mapping[str, str]) -> None:  # noqa: B027 - most have nothing to learn
        """Take note of what an answer of any status says in its headers."""

    def wait(self, status: int, headers: Mapping[str, str]) -> float | None:  # noqa: ARG002 - the default
        """Seconds a refusal asks to be left alone for; None where it names none."""
        return retry_after(headers.get("retry-after"))

    @abc.abstractmethod
    def read_error(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Hint, str]:
        """What a refusal says beside its status: a hint, and the vendor's short error name."""

    async def call(
        self,
        verb: Verb,
        operation: str,
        method: str,
        path: str,
        model: type[Model],
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        total: float = 10.0,
    ) -> Model:
        """One exchange, parsed into `model`; raises `VendorError` for everything but a readable success.

        `headers` come beside those of every request.
        """
        try:
            reply = await http.exchange(
                self.vendor,
                method,
                self.base_url() + path,
                headers={**self.headers(), **(headers or {})},
                json=body,
                params=params,
                total=total,
            )
        except http.WireError as error:
            outcome = classify(Seen(verb, wire=error.wire))
            raise VendorError(operation, outcome, verb=verb, wire=error.wire, detail=str(error)) from error
        self.heard(reply.headers)
        if 200 <= reply.status < 300:
            return self._accept(verb, operation, reply, model)
        raise self._refusal(verb, operation, reply)

    def _accept(self, verb: Verb, operation: str, reply: http.Reply, model: type[Model]) -> Model:
        if model is Nothing:
            return model.model_construct()
        try:
            if reply.whole:
                return model.model_validate_json(reply.body)
            fields = "body"
        except pydantic.ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, one["loc"])) or "body" for one in error.errors()}))[:200]
        outcome = classify(Seen(verb, status=reply.status, readable=False))
        raise VendorError(operation, outcome, verb=verb, status=reply.status, detail=f"unreadable: {fields}")

    def _refusal(self, verb: Verb, operation: str, reply: http.Reply) -> VendorError:
        hint, code = self.read_error(reply.status, _object(reply), reply.headers)
        outcome = classify(Seen(verb, status=reply.status, hint=hint))
        return VendorError(
            operation,
            outcome,
            verb=verb,
            status=reply.status,
            hint=hint,
            code=code if code.isascii() and code.replace("_", "").isalnum() and len(code) <= 60 else "",
            retry_after=self.wait(reply.status, reply.headers),
            detail=f"request {reply.request_id}",
        )


def _object(reply: http.Reply) -> Mapping[str, Any]:
    try:
        parsed = json.loads(reply.body) if reply.whole else {}
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def text_of(body: Mapping[str, Any], key: str) -> str:
    """A string member of an error body, or nothing."""
    value = body.get(key)
    return value[:500] if isinstance(value, str) else ""


async def gone_is_fine(call: Any) -> None:
    """Await a delete whose 404 was already classified as done."""
    try:
        await call
    except VendorError as error:
        if error.outcome is not Outcome.GONE:
            raise
