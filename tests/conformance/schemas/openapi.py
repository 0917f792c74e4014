"""The contracts of Neon and GitHub: OpenAPI documents inside npm packages that the vendors publish."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from tests.conformance.schemas.contract import JSON, Bodies, Contract, Operation, Routes
from tests.conformance.schemas.schema import Book
from tests.fixtures.packages import packages

METHODS = ("get", "put", "post", "delete", "patch")


def neon() -> Contract:
    """`@neondatabase/api-client`."""
    file = packages() / "node_modules/@neondatabase/api-client/public-v2-for-users.gen.yaml"
    document = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    texts = json.loads(json.dumps(document, default=str))  # YAML reads statuses as numbers
    return _contract("neon", texts, "GeneralError", base="/api/v2")


def github() -> Contract:
    """`@octokit/openapi`, the edition whose schemas still refer to each other."""
    file = packages() / "node_modules/@octokit/openapi/generated/api.github.com.json"
    return _contract("github", _numbered(json.loads(file.read_bytes())), "basic-error", unusable="validation-error")


def _numbered(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """With `/repositories/{id}…`, which the redirects of a moved repository lead to and the description leaves out."""
    named = "/repos/{owner}/{repo}"
    paths = document["paths"]
    moved = {
        "/repositories/{repository_id}" + path.removeprefix(named): item
        for path, item in paths.items()
        if path == named or path.startswith(f"{named}/")
    }
    return {**document, "paths": {**moved, **paths}}


def _contract(
    name: str, document: Mapping[str, Any], error: str, base: str = "", unusable: str | None = None
) -> Contract:
    """*error* and *unusable* name the bodies of an error, and of a 422 where that has its own."""
    reader = _Reader(document, Book(name, document, "openapi"))
    routes: Routes[Operation] = Routes()
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                routes.add(method.upper(), path, reader.operation(path, method))

    def body(schema: str) -> Bodies:
        return {JSON: reader.book.at("components", "schemas", schema)}

    return Contract(routes, body(error), base, errors={422: body(unusable)} if unusable else {})


class _Reader:
    """Finds what an operation says, following references, and leaves each schema where it stands."""

    def __init__(self, document: Mapping[str, Any], book: Book) -> None:
        self._document, self.book = document, book

    def operation(self, path: str, method: str) -> Operation:
        told = self._document["paths"][path][method]
        shared = self._document["paths"][path].get("parameters", [])
        parameters = [self._followed(one)[0] for one in [*shared, *told.get("parameters", [])]]
        body, _ = self._followed(told.get("requestBody", {}))
        where = ("paths", path, method)
        return Operation(
            name=f"{method.upper()} {path}",
            request=self._bodies(told.get("requestBody", {}), (*where, "requestBody")).get(JSON),
            needs_body=bool(body.get("required")),
            replies={
                str(status): self._bodies(reply, (*where, "responses", str(status)))
                for status, reply in told["responses"].items()
            },
            query=frozenset(one["name"] for one in parameters if one["in"] == "query"),
        )

    def _bodies(self, told: Mapping[str, Any], where: tuple[str, ...]) -> Bodies:
        told, moved = self._followed(told)
        where = moved or where
        content = told.get("content", {})
        return {
            media: self.book.at(*where, "content", media, "schema") if "json" in media else None for media in content
        }

    def _followed(self, told: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        if "$ref" not in told:
            return told, ()
        steps = tuple(told["$ref"].removeprefix("#/").split("/"))
        found: Any = self._document
        for step in steps:
            found = found[step]
        return found, steps
