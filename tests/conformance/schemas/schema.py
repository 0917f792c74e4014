"""One schema, and what it says of a body: the first error, and the keys that it leaves open but does not know.

A closed schema refuses keys of its own accord. An open one lets any through, though the vendor will hardly send what it
does not describe; such keys are told apart here, so that an invention does not pass for the vendor's word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT7, DRAFT202012

from tests.conformance.schemas.excerpts import excerpt, masked

DIALECTS = {
    "openapi": (OAS30Validator, DRAFT4),
    "draft7": (Draft7Validator, DRAFT7),
    "2020": (Draft202012Validator, DRAFT202012),
}
_IDENTITY = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{6,}\b"
)
_WORD = re.compile(r"[a-z_]{1,40}")
_RUNS = re.compile(r"[A-Za-z]+|\d+")
Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a schema says of a body. `error` is empty where it is valid."""

    error: str = ""
    unknown: tuple[str, ...] = ()


class Book:
    """A document whose schemas refer to each other, in one dialect of JSON schema."""

    def __init__(self, name: str, document: Mapping[str, Any], dialect: str) -> None:
        self._dialect, specification = DIALECTS[dialect]
        self._base = f"urn:{name}"
        self._registry: Registry[Any] = Registry().with_resource(
            self._base, Resource(contents=document, specification=specification)
        )
        self._met = _Met()
        self._validator = self._met.watching(self._dialect)
        self._schemas: dict[str, Schema] = {}

    def at(self, *steps: str) -> Schema:
        """The schema at the end of these steps into the document."""
        pointer = "".join("/" + quote(step.replace("~", "~0").replace("/", "~1"), safe="~") for step in steps)
        if pointer not in self._schemas:
            validator = self._validator(
                {"$ref": f"{self._base}#{pointer}"},
                registry=self._registry,
                format_checker=self._dialect.FORMAT_CHECKER,
            )
            self._schemas[pointer] = Schema(validator, self._met)
        return self._schemas[pointer]


class Schema:
    """One schema, ready to judge. Bodies of one shape get one verdict, found once."""

    def __init__(self, validator: Any, met: _Met) -> None:
        self._validator, self._met = validator, met
        self._verdicts: dict[Any, Verdict] = {}

    def check(self, body: Any) -> Verdict:
        shape = _shape(body)
        if shape not in self._verdicts:
            self._verdicts[shape] = self._judge(body)
        return self._verdicts[shape]

    def _judge(self, body: Any) -> Verdict:
        self._met.forget()
        error = min(self._validator.iter_errors(body), key=lambda one: len(one.absolute_path), default=None)
        if error is not None:
            return Verdict(error=_told(_meant(error)))
        return Verdict(unknown=tuple(sorted(set(self._met.unknown(body, "")))))


class _Met:
    """Which keys of which objects some schema described while a body was validated."""

    def __init__(self) -> None:
        self._known: dict[int, set[str]] = {}
        self._free: set[int] = set()

    def forget(self) -> None:
        self._known.clear()
        self._free.clear()

    def watching(self, dialect: Any) -> Any:
        """*dialect*, noting what it meets."""
        properties, additional = dialect.VALIDATORS["properties"], dialect.VALIDATORS["additionalProperties"]

        def described(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            if isinstance(instance, dict):
                self._known.setdefault(id(instance), set()).update(value)
            yield from properties(validator, value, instance, schema) or ()

        def further(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            if isinstance(instance, dict) and value is not False:
                self._free.add(id(instance))
            yield from additional(validator, value, instance, schema) or ()

        own: dict[str, Keyword] = {"properties": described, "additionalProperties": further}
        if dialect is OAS30Validator:
            own |= {keyword: _lenient(dialect.VALIDATORS[keyword]) for keyword in ("allOf", "anyOf", "enum", "oneOf")}
        return extend(dialect, own)

    def unknown(self, body: Any, where: str) -> Iterator[str]:
        if isinstance(body, list):
            for item in body:
                yield from self.unknown(item, f"{where}[]")
        elif isinstance(body, dict):
            known = self._known.get(id(body))
            for key, value in body.items():
                if known is not None and id(body) not in self._free and key not in known:
                    yield f"{where}.{key}"
                yield from self.unknown(value, f"{where}.{key}")


def _lenient(keyword: Keyword) -> Keyword:
    """*keyword*, read as GitHub means it where OpenAPI leaves it without a meaning.

    `nullable` stands beside a choice, without a type; a discriminator stands where one of the choices is a list.
    """

    def choice(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, list):
            schema = {key: told for key, told in schema.items() if key != "discriminator"}
        if instance is not None or not schema.get("nullable"):
            yield from keyword(validator, value, instance, schema) or ()

    return choice


def _shape(body: Any) -> Any:
    """What of a body a schema can tell: keys, types, words, and how other text is built, but not the figures in it."""
    match body:
        case dict():
            return tuple((key, _shape(value)) for key, value in sorted(body.items()))
        case list():
            return ("list", min(len(body), 2), frozenset(_shape(item) for item in body))
        case str():
            return _text(body[:2000])
        case bool() | None:
            return body
        case int() | float():
            return (type(body), (body > 0) - (body < 0), len(f"{body:.0f}"))
    raise TypeError(type(body))


@lru_cache(maxsize=100_000)
def _text(text: str) -> str:
    return text if _WORD.fullmatch(text) else _RUNS.sub(_run, _IDENTITY.sub("#", text))


def _run(run: re.Match[str]) -> str:
    return "a" if run[0].isalpha() else "0" * len(run[0])


def _meant(error: ValidationError) -> ValidationError:
    """Of a choice where nothing fits, the error in what the body's own `type` chose, or else in what fits best."""
    while error.context:
        apart = {one.schema_path[0] for one in error.context if one.validator == "const" and one.path}
        left = [one for one in error.context if one.schema_path[0] not in apart]
        if not left:
            return best_match([error]) or error
        error = min(left, key=lambda one: (-len(one.path), str(one.path)))
    return error


def _told(error: ValidationError) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path) or "the body"
    if error.validator in ("required", "additionalProperties", "minProperties", "maxProperties"):
        return f"{where}: {masked(error.message)}"
    wanted = str(error.validator_value)
    key = next((step for step in reversed(error.absolute_path) if isinstance(step, str)), "")
    return f"{where}: {error.validator} {wanted[:120]}, found {excerpt(error.instance, key)}"
