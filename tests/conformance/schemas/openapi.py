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
    branch = "/projects/{project_id}/branches/{branch_id}"  # PyPI `neon-api` goes on using its older name
    texts = _also(texts, f"{branch}/set_as_default", f"{branch}/set_as_primary")
    return _contract("neon", texts, "GeneralError", base="/api/v2")


def github() -> Contract:
    """`@octokit/openapi`, the edition whose schemas still refer to each other."""
    file = packages() / "node_modules/@octokit/openapi/generated/api.github.com.json"
    repository, document = "/repos/{owner}/{repo}", json.loads(file.read_bytes())
    document = _also(document, f"{repository}/contents/{{path}}", f"{repository}/contents")  # the path may be empty
    # What the redirects of a moved repository lead to.
    document = _also(document, repository, "/repositories/{repository_id}")
    # This copy of an installation wants its account to be a user and an enterprise at once; the others let it choose.
    listed = document["paths"]["/app/installations"]["get"]["responses"]["200"]["content"][JSON]["schema"]
    listed["items"] = {"$ref": "#/components/schemas/installation"}
    return _contract("github", document, "basic-error", unusable="validation-error")


def _also(document: Mapping[str, Any], told: str, called: str) -> Mapping[str, Any]:
    """*document* with what it tells of paths that begin with *told* also under *called*, which it leaves out."""
    paths = document["paths"]
    more = {
        called + path.removeprefix(told): item
        for path, item in paths.items()
        if path == told or path.startswith(f"{told}/")
    }
    return {**document, "paths": {**more, **paths}}


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
