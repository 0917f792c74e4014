"""The control plane's calls of a template build (build system 2.0): name it, upload, start it, follow it.

`POST /v3/templates` gives ids; each COPY asks `GET /templates/{id}/files/{hash}` where to put its archive; `POST
/v2/templates/{id}/builds/{build}` starts, and `GET …/status` is asked until it says `ready` or `error`.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.e2b import names, requests
from localcloud.e2b.bodies import failure
from localcloud.e2b.calls import route
from localcloud.e2b.image import UnknownTemplateError
from localcloud.e2b.keys import BUILDS, CATALOGUE, UPLOADS
from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.sandboxes import Sandboxes
from localcloud.e2b.templates.builder import Order
from localcloud.e2b.templates.buildlog import LEVELS, PAGE
from localcloud.e2b.templates.builds import TooManyBuildsError
from localcloud.e2b.templates.records import WAITING, Build, Template
from localcloud.e2b.templates.steps import CHUNK, Step
from localcloud.e2b.templates.uploads import TooLargeError
from localcloud.faults import operation

BUILD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST_STEPS = 1000


def routes() -> list[web.RouteDef]:
    """Every path below `/e2b` that a build uses."""
    return [
        web.post("/e2b/v3/templates", route("request_build", request_build)),
        web.get("/e2b/templates/{template_id}/files/{hash}", route("get_upload", get_upload)),
        web.put("/e2b/template-files/{hash}", put_files),
        web.post("/e2b/v2/templates/{template_id}/builds/{build_id}", route("start_build", start_build)),
        web.get("/e2b/templates/{template_id}/builds/{build_id}/status", route("build_status", build_status)),
    ]


async def request_build(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`POST /v3/templates`: a build that waits, of the template of that name. Processors and memory are the machine's,
    whatever was asked for."""
    body = await requests.body(request)
    raw = body.get("name") or body.get("alias")
    if not isinstance(raw, str):
        raise BadRequestError("Name is required")
    for field in ("cpuCount", "memoryMB"):
        _count(body, field)
    name = names.parse(raw)
    more = body.get("tags") or []
    if not isinstance(more, list) or not all(isinstance(tag, str) for tag in more):
        raise BadRequestError("Invalid request body: tags must be a list of strings")
    tags = list(dict.fromkeys([*([name.tag] if name.tag else []), *(names.check_tag(tag) for tag in more)]))
    template, build = request.app[CATALOGUE].register(name.alias, tags)
    answer = {
        "templateID": template.id,
        "buildID": build.id,
        "public": False,
        "names": [names.qualified(name.alias)],
        "tags": build.tags,
        "aliases": [name.alias],
    }
    return web.json_response(answer, status=202)


def _count(body: dict[str, Any], field: str) -> None:
    value = body.get(field)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise BadRequestError(f"{field} must be a whole number above 0")


async def get_upload(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /templates/{id}/files/{hash}`: whether that archive is here, and where it may be put."""
    uploads, files_hash = request.app[UPLOADS], request.match_info["hash"]
    path = uploads.path(files_hash)
    request.app[CATALOGUE].get(request.match_info["template_id"])
    url = f"{cloud_of(request).base_url}/e2b/template-files/{files_hash}?signature={uploads.signature(files_hash)}"
    return web.json_response({"present": path.is_file(), "url": url}, status=201)


@operation("e2b", "upload_files")
async def put_files(request: web.Request) -> web.Response:
    """`PUT` of an archive to the address that `get_upload` gave, which is the only key it needs."""
    uploads, files_hash = request.app[UPLOADS], request.match_info["hash"]
    if not uploads.allowed(files_hash, request.query.get("signature", "")):
        return failure(403, "The signature of this upload is not ours.")
    try:
        await uploads.receive(files_hash, request.content.iter_chunked(CHUNK))
    except BadRequestError as error:
        return failure(400, str(error))
    except TooLargeError:
        return failure(413, "This archive is larger than localcloud takes.")
    return web.Response(status=200)


async def start_build(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`POST /v2/templates/{id}/builds/{build}`: 202, and the build goes on by itself."""
    order = _order(await requests.body(request))
    build_id = request.match_info["build_id"]
    if not BUILD_ID.fullmatch(build_id):
        raise BadRequestError(f"Invalid build ID: {build_id}")
    template = request.app[CATALOGUE].get(request.match_info["template_id"])
    build = template.builds.get(build_id)
    if build is None:
        raise UnknownTemplateError(f"Build '{build_id}' not found")
    try:
        await request.app[BUILDS].start(template, build, order)
    except TooManyBuildsError:
        return failure(429, "you have reached the maximum number of concurrent template builds (20).")
    return web.Response(status=202)


def _order(body: dict[str, Any]) -> Order:
    """What to build. Raises `BadRequestError`."""
    texts = {field: body.get(field) or "" for field in ("fromImage", "fromTemplate", "startCmd", "readyCmd")}
    for field, value in texts.items():
        if not isinstance(value, str) or "\0" in value:
            raise BadRequestError(f"Invalid request body: {field} must be a string")
    if bool(texts["fromImage"]) == bool(texts["fromTemplate"]):
        raise BadRequestError("Exactly one of fromImage or fromTemplate must be given")
    steps = body.get("steps") or []
    if not isinstance(steps, list) or len(steps) > MOST_STEPS or not all(_is_step(step) for step in steps):
        raise BadRequestError("Invalid request body: steps must be a list of {type, args}")
    return Order(
        steps=[Step.of(step) for step in steps],
        from_image=texts["fromImage"],
        from_template=texts["fromTemplate"],
        start=texts["startCmd"],
        ready=texts["readyCmd"],
    )


def _is_step(raw: object) -> bool:
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        return False
    args, files_hash = raw.get("args") or [], raw.get("filesHash")
    known = isinstance(args, list) and all(isinstance(arg, str) and "\0" not in arg for arg in args)
    return known and (files_hash is None or isinstance(files_hash, str))


async def build_status(request: web.Request, _sandboxes: Sandboxes) -> web.Response:
    """`GET /templates/{id}/builds/{build}/status`: how far it is, and its log from `logsOffset` on."""
    build_id, template_id = request.match_info["build_id"], request.match_info["template_id"]
    if not BUILD_ID.fullmatch(build_id):
        raise BadRequestError("Invalid build id")
    template = request.app[CATALOGUE].find(template_id)
    build = None if template is None else template.builds.get(build_id)
    if template is None or build is None:
        raise BadRequestError(f"Build '{build_id}' not found")
    offset, limit = _number(request, "logsOffset", 0), min(_number(request, "limit", PAGE), PAGE)
    level = request.query.get("level", "debug")
    if level not in LEVELS:
        raise BadRequestError(f"level must be one of {', '.join(LEVELS)}")
    entries = [] if build.status == WAITING else request.app[BUILDS].log(build.id).read(offset, limit, level)
    return web.json_response(_status(template, build, entries))


def _number(request: web.Request, name: str, default: int) -> int:
    raw = request.query.get(name, str(default))
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        raise BadRequestError(f"{name} must be a whole number")
    return int(raw)


def _status(template: Template, build: Build, entries: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "templateID": template.id,
        "buildID": build.id,
        "status": build.status,
        "logs": [],
        "logEntries": entries,
    }
    if build.reason is not None:
        step = build.reason.get("step")
        bad = [one for one in entries if one["level"] in LEVELS[2:] and step is not None and one.get("step") == step]
        told["reason"] = {**build.reason, "logEntries": bad}
    return told
