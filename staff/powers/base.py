"""What a power is: something staff can have done to a kind of thing, the same from browser, shell and API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Model

from staff.models import Errand

State = Errand.State


@dataclass(frozen=True, slots=True)
class Order:
    """On whose word, why, and how a power is used."""

    by: str
    where: str
    reason: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    id: str = ""  # of the undertaking: what is begun once per order knows it by that


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one errand: `WORKING` where a job of the session's own sees it through; `link` shows the result."""

    state: Errand.State
    words: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that an order will change, for the page that asks before it happens."""

    vendor: str  # label of the vendor, or empty where only we are concerned
    what: str  # "project", "repository"
    name: str  # by which it is found at the vendor
    state: str = ""


class Power(ABC):
    """One power. Using it twice does no more than using it once."""

    name: ClassVar[str]  # also the permission, staff.<name>
    permission: ClassVar[str] = ""  # where it is another's
    title: ClassVar[str]  # an imperative: "End and destroy"
    warning: ClassVar[str] = ""  # what cannot be undone, for the page that asks
    needs_reason: ClassVar[bool] = False
    destroys: ClassVar[bool] = False

    @property
    def right(self) -> str:
        """The permission it takes, without its app."""
        return self.permission or self.name

    @abstractmethod
    def find(self, keys: Sequence[str]) -> list[Model]:
        """The things of these keys that exist, in one query; malformed keys find nothing."""

    def key(self, subject: Model) -> str:
        """What `find` finds it by."""
        return str(subject.pk)

    def label(self, subject: Model) -> str:
        """How a person reads it in a list."""
        return str(subject)

    def slug(self, subject: Model) -> str:  # noqa: ARG002 (most have one)
        """Slug of the session it belongs to, for the audit log."""
        return ""

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        """For each key, exactly what the order will change; a constant number of queries."""
        return {self.key(one): [] for one in subjects}

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as they are kept; raises `Refused` where one is missing or wrong."""
        return {} if options else options

    @abstractmethod
    async def act(self, order: Order, key: str) -> Came:
        """Do it to one thing. Raises nothing that is expected: what can go wrong is a `Came` that says so."""

    def followed(self, key: str) -> Came:  # noqa: ARG002
        """How far a thing is whose errand said `WORKING`. Synchronous database code."""
        return Came(State.DONE)
