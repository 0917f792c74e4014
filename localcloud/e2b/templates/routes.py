"""The control plane's calls for snapshots, template names and tags. Builds are in `build_routes`.

Paths and shapes as in `control`; the texts of errors are the vendor's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from localcloud.e2b import listing, names, requests
from localcloud.e2b.bodies import failure
from localcloud.e2b.calls import route
from localcloud.e2b.image import UnknownTemplateError
from localcloud.e2b.keys import BUILDS, CATALOGUE
from localcloud.e2b.names import DEFAULT_TAG, Name
from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.sandboxes import Sandboxes
from localcloud.e2b.templates.records import Build, Template

LONGEST_LIST = 50


def routes() -> list[web.RouteDef]:
    """Every path below `/e2b` that is about what sandboxes are made from."""
    template = "/e2b/templates/{template_id}"
    return [
        web.post("/e2b/sandboxes/{sandbox_id}/snapshots", route("create_snapshot", create_snapshot)),
        web.get("/e2b/snapshots", route("list_snapshots", list_snapshots)),
        web.get("/e2b/templates/aliases/{alias}", route("get_alias", get_alias)),
        web.post("/e2b/templates/tags", route("assign_tags", assign_tags)),
        web.delete("/e2b/templates/tags", route("delete_tags", delete_tags)),
        web.get(f"{template}/tags", route("list_tags", list_tags)),
        web.delete(template, route("delete_template", delete_template)),
    ]


async def create_snapshot(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`POST /sandboxes/{id}/snapshots`: its files at this moment; a name that exists gets another build."""
    catalogue = request.app[CATALOGUE]
    body = await requests.body(request)
    name = _optional_name(body.get("name"))
    sandbox = sandboxes.get(request.match_info["sandbox_id"])
    base = await sandboxes.snapshot(sandbox, catalogue.pool)
    try:
        tag = DEFAULT_TAG if name is None else name.tag_or_default
        template, build = catalogue.register(None if name is None else name.alias, [tag], source=sandbox.id)
        catalogue.finish(replace(sandbox.image, template_id=template.id, base=base), build.id)
    finally:
        catalogue.pool.settled(base)
    await catalogue.collect()
    return web.json_response(_snapshot(template, tag), status=201)


def _optional_name(raw: object) -> Name | None:
    if raw is None or raw == "":
        return None
    if not isinstance(raw, str):
        raise BadRequestError("name must be a string")
    return names.parse(raw)


def _snapshot(template: Template, tag: str) -> dict[str, Any]:
    known = [] if template.alias is None else [names.qualified(template.alias)]
    return {"snapshotID": f"{known[0] if known else template.id}:{tag}", "names": known}


async def list_snapshots(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /snapshots`: newest first, in pages; by the sandbox they are of, or by name with or without a tag."""
    source, name = request.query.get("sandboxID"), _optional_name(request.query.get("name"))
    found = [
        (template, tag, build)
        for template in request.app[CATALOGUE].all()
        for tag in template.tags
        if (build := template.ready(tag)) is not None and build.source is not None
        and source in (None, build.source)
        and (name is None or (name.alias in (template.id, template.alias) and name.tag in (None, tag)))
    ]  # fmt: skip
    chosen, token = listing.one_page(request.query, found, _age)
    headers = {"x-next-token": token} if token else {}
    return web.json_response([_snapshot(template, tag) for template, tag, _build in chosen], headers=headers)


def _age(found: tuple[Template, str, Build]) -> tuple[float, str]:
    template, tag, build = found
    return datetime.fromisoformat(build.created_at).timestamp(), f"{template.id}:{tag}"


async def get_alias(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /templates/aliases/{alias}`; the starter's names exist without having been built."""
    raw = request.match_info["alias"]
    name = names.parse(raw)
    template = request.app[CATALOGUE].find(name.alias)
    if template is None:
        if not requests.known_template(raw):
            raise UnknownTemplateError(f"template '{name.alias}' not found")
        return web.json_response({"templateID": raw, "public": True})
    if name.tag is not None and name.tag not in template.tags:
        raise UnknownTemplateError(f"tag '{name.tag}' does not exist for template '{name.alias}'")
    return web.json_response({"templateID": template.id, "public": False})


async def delete_template(request: web.Request, sandboxes: Sandboxes) -> web.Response:
    """`DELETE /templates/{id}`: a template, or a snapshot by its id, with all its tags. Not while it is in use."""
    catalogue = request.app[CATALOGUE]
    template = catalogue.get(names.parse(request.match_info["template_id"]).alias)
    users = {one.state for one in sandboxes.all() if one.image.template_id == template.id}
    for state in ("running", "paused"):
        if state in users:
            return failure(400, f"cannot delete template '{template.id}' because there are {state} sandboxes using it")
    await request.app[BUILDS].cancel(template.id)
    catalogue.delete(template)
    request.app[BUILDS].forget(template)
    await catalogue.collect()
    return web.Response(status=204)


def _tags(body: dict[str, Any]) -> list[str]:
    raw = body.get("tags")
    if not isinstance(raw, list) or not all(isinstance(tag, str) for tag in raw):
        raise BadRequestError("Invalid request body: tags must be a list of strings")
    if not raw:
        raise BadRequestError("At least one tag is required")
    if len(raw) > LONGEST_LIST:
        raise BadRequestError(f"At most {LONGEST_LIST} tags are taken at once")
    return list(dict.fromkeys(names.check_tag(tag) for tag in raw))


def _text(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"Invalid request body: {field} is required")
    return value


async def assign_tags(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`POST /templates/tags`: more tags for the build that `target` names."""
    catalogue = request.app[CATALOGUE]
    body = await requests.body(request)
    tags, target = _tags(body), _text(body, "target")
    name = names.parse(target)
    template = catalogue.get(name.alias)
    build = template.ready(name.tag_or_default)
    if build is None:
        raise UnknownTemplateError(f"Template '{target}' with tag '{name.tag_or_default}' not found")
    catalogue.tag(template, build, tags)
    return web.json_response({"tags": tags, "buildID": build.id}, status=201)


async def delete_tags(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`DELETE /templates/tags`: never the default one."""
    catalogue = request.app[CATALOGUE]
    body = await requests.body(request)
    tags = _tags(body)
    if DEFAULT_TAG in tags:
        raise BadRequestError(f"Cannot delete the '{DEFAULT_TAG}' tag")
    name = names.parse(_text(body, "name"))
    if name.tag is not None:
        raise BadRequestError("Template name should not contain a tag, use the 'tags' field instead")
    catalogue.untag(catalogue.get(name.alias), tags)
    await catalogue.collect()
    return web.Response(status=204)


async def list_tags(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /templates/{id}/tags`."""
    template = request.app[CATALOGUE].get(names.parse(request.match_info["template_id"]).alias)
    told = [{"tag": tag, "buildID": build, "createdAt": since} for tag, (build, since) in template.tags.items()]
    return web.json_response(told)
