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
    exists: bool = True  # False: nothing of it can be at the vendor, so it is not counted there


@dataclass(frozen=True, slots=True)
class Option:
    """One choice in how a power is used, as the page that asks has it filled in."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()  # value and words of each; without them it is a number, or text
    text: bool = False
    least: str = ""
    most: str = ""
    step: str = "any"
    preset: str = ""


class Power(ABC):
    """One power. Using it twice does no more than using it once."""

    name: ClassVar[str]  # also the permission, staff.<name>
    permission: ClassVar[str] = ""  # where it is another's
    title: ClassVar[str]  # an imperative: "End and destroy"
    noun: ClassVar[tuple[str, str]] = ("thing", "things")  # one of what it is used on, and several
    heading: ClassVar[str] = "What this changes"  # over the effects, on the page that asks
    link_words: ClassVar[str] = "open"  # what `Came.link` leads to
    warning: ClassVar[str] = ""  # what cannot be undone, for the page that asks
    needs_reason: ClassVar[bool] = False
    reason_hint: ClassVar[str] = "optional"  # beside the field, where it is not always needed
    destroys: ClassVar[bool] = False
    options: ClassVar[tuple[Option, ...]] = ()

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

    def about(self, subject: Model) -> str:  # noqa: ARG002 (few need more)
        """What helps a person to recognise it beside its label."""
        return ""

    def slug(self, subject: Model) -> str:  # noqa: ARG002 (most have one)
        """Slug of the session it belongs to, for the audit log."""
        return ""

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        """For each key, exactly what the order will change; a constant number of queries."""
        return {self.key(one): [] for one in subjects}

    def wants_reason(self, options: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether a reason has to be given for using it so."""
        return self.needs_reason

    def destroyed(self, subjects: Sequence[Model], effects: dict[str, list[Effect]], options: dict[str, Any]) -> int:  # noqa: ARG002
        """How many things are destroyed: where they are many, the person types that number to confirm it."""
        return len(subjects) if self.destroys else 0

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as they are kept; raises `Refused` where one is missing or wrong."""
        return {} if options else options

    @abstractmethod
    async def act(self, order: Order, key: str) -> Came:
        """Do it to one thing. Raises nothing that is expected: what can go wrong is a `Came` that says so."""

    def followed(self, key: str) -> Came:  # noqa: ARG002
        """How far a thing is whose errand said `WORKING`. Synchronous database code."""
        return Came(State.DONE)

    def followed_all(self, keys: Sequence[str]) -> dict[str, Came]:
        """The same for many, which are looked at every second: a power used on many at once does it in few queries."""
        return {key: self.followed(key) for key in keys}
