"""How every provider translates: what it asks for, and what it makes of refusals, misbehaviour and hostile answers.

What all of them promise of an ordinary life is `tests/contract`.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from provisioning.exceptions import NotConfigured, VendorError
from provisioning.outcome import Outcome
from provisioning.providers.base import Made, Order, Step
from provisioning.providers.neon import read_uri
from provisioning.providers.registry import STEPS
from provisioning.secrets import Secret
from sessions_app.slugs import slug_for
from tests.fixtures.loopback import recorder

REMOTE = [step for step in STEPS if step.remote]
KEYS = {"neon": "NEON_API_KEY", "resend": "RESEND_API_KEY", "github": "GITHUB_TOKEN", "e2b": "E2B_API_KEY"}
ADDRESSES = {"neon": "NEON_API_URL", "resend": "RESEND_API_URL", "github": "GITHUB_API_URL"}
each = pytest.mark.parametrize("step", REMOTE, ids=lambda step: f"{step.provider}-{step.kind}")
each_over_http = pytest.mark.parametrize(
    "step", [step for step in REMOTE if step.provider in ADDRESSES], ids=lambda step: f"{step.provider}-{step.kind}"
)


def order(**fields: Any) -> Order:
    slug = slug_for(uuid.uuid4())
    now = datetime.now(UTC)
    return Order(**({"slug": slug, "name": f"mk0r-{slug}", "attempt": 1, "intended_at": now,
                     "expires_at": now + timedelta(hours=1)} | fields))  # fmt: skip


@each
@pytest.mark.parametrize("fault", ["status:500", "status:429", "status:403", "garbage", "truncate", "flood"])
async def test_an_inventory_that_cannot_be_had_whole_is_an_error(vendor_settings: Any, step: Step, fault: str) -> None:
    vendor_settings.set_faults([{"vendor": step.provider, "operation": "*", "fault": fault}])
    with pytest.raises(VendorError):
        await step.inventory()


@each
def test_a_missing_key_names_its_setting(settings: Any, step: Step) -> None:
    setattr(settings, KEYS[step.provider], "")
    with pytest.raises(NotConfigured) as caught:
        step.check()
    assert caught.value.setting == KEYS[step.provider]


@each
async def test_a_vendor_that_cannot_be_reached_was_not_asked(settings: Any, step: Step) -> None:
    settings.E2B_API_URL = settings.NEON_API_URL = settings.RESEND_API_URL = "http://127.0.0.1:9"
    settings.GITHUB_API_URL, settings.E2B_SANDBOX_URL, settings.E2B_API_KEY = "http://127.0.0.1:9", "", "e2b_0"
    with pytest.raises(VendorError) as caught:
        await step.create(order())
    assert caught.value.outcome is Outcome.NOT_SENT


@each
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("status:500", Outcome.AMBIGUOUS),
        ("status:503", Outcome.LATER),
        ("status:429", Outcome.LATER),
        ("status:403", Outcome.CONFIG),
        ("garbage", Outcome.AMBIGUOUS),
        ("truncate", Outcome.AMBIGUOUS),
        ("reset_before", Outcome.AMBIGUOUS),
        ("reset_after", Outcome.AMBIGUOUS),
        ("flood", Outcome.AMBIGUOUS),
    ],
)
async def test_misbehaviour_on_create_has_its_class(
    vendor_settings: Any, step: Step, fault: str, outcome: Outcome
) -> None:
    wanted = order()
    vendor_settings.set_faults([{"vendor": step.provider, "operation": "*", "fault": fault, "probability": 1}])
    with pytest.raises(VendorError) as caught:
        await step.create(wanted)
    vendor_settings.clear_faults()
    assert caught.value.outcome is outcome
    for left in await step.find(wanted):
        await destroy(step, Made(left.external_id, meta=left.meta))


async def destroy(step: Step, made: Made) -> None:
    """Delete it, waiting while the vendor is still at work on it."""
    for _ in range(600):
        try:
            return await step.destroy(made)
        except VendorError as error:
            if error.status != 423:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("locked for ever")


async def test_neon_is_asked_for_what_the_session_needs_and_no_more(settings: Any) -> None:
    step = next(step for step in STEPS if step.provider == "neon")
    settings.NEON_ORG_ID = "org-cool-breeze-12345678"
    async with recorder() as (url, requests):
        settings.NEON_API_URL, settings.NEON_API_KEY = url, "napi_0"
        with pytest.raises(VendorError):
            await step.create(order())
    project = requests[0]["body"]["project"]
    assert (project["pg_version"], project["region_id"]) == (17, "aws-us-east-2")
    assert project["org_id"] == "org-cool-breeze-12345678"
    limits = {"active_time_seconds", "compute_time_seconds", "written_data_bytes", "data_transfer_bytes"}
    assert set(project["settings"]["quota"]) == limits | {"logical_size_bytes"}


async def test_github_is_asked_for_a_private_empty_repository_in_the_organisation(settings: Any) -> None:
    step = next(step for step in STEPS if step.provider == "github")
    async with recorder() as (url, requests):
        settings.GITHUB_API_URL, settings.GITHUB_TOKEN, settings.GITHUB_OWNER = url, "ghp_0", "acme"
        with pytest.raises(VendorError):
            await step.create(order())
    assert requests[0]["path"] == "/orgs/acme/repos"
    assert requests[0]["body"]["private"] is True
    assert requests[0]["body"]["auto_init"] is False


async def test_actions_are_off_on_every_repository_that_is_ready(vendor_settings: Any) -> None:
    from provisioning import http

    step, wanted = next(step for step in STEPS if step.provider == "github"), order()
    made = await step.create(wanted)
    await step.finish(wanted, made)
    reply = await http.exchange(
        "github", "GET", f"{step.base_url}/repos/{made.external_id}/actions/permissions",
        headers={"Authorization": f"Bearer {vendor_settings.keys['github']}"},
    )  # fmt: skip
    assert json.loads(reply.body)["enabled"] is False
    await step.destroy(made)


async def test_resend_is_asked_for_a_key_that_sends_from_one_domain_only(settings: Any) -> None:
    step = next(step for step in STEPS if step.kind == "api_key")
    async with recorder() as (url, requests):
        settings.RESEND_API_URL, settings.RESEND_API_KEY, settings.RESEND_DOMAIN_ID = url, "re_0", "d-1"
        with pytest.raises(VendorError):
            await step.create(order())
    assert requests[0]["body"] | {"name": ""} == {"name": "", "permission": "sending_access", "domain_id": "d-1"}


async def test_where_audiences_are_gone_segments_take_their_place(settings: Any) -> None:
    step = next(step for step in STEPS if step.kind == "audience")

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/audiences"):
            return web.json_response({"statusCode": 405, "name": "method_not_allowed", "message": "gone"}, status=405)
        if request.method == "POST":
            return web.json_response({"object": "segment", "id": "seg-1"}, status=201)
        if request.method == "DELETE":
            return web.json_response({"object": "segment", "id": "seg-1", "deleted": True})
        return web.json_response({"object": "list", "has_more": False, "data": [{"id": "seg-1", "name": wanted.name}]})

    wanted = order()
    async with recorder(answer) as (url, requests):
        settings.RESEND_API_URL, settings.RESEND_API_KEY = url, "re_0"
        made = await step.create(wanted)
        assert [one.external_id for one in await step.find(wanted)] == ["seg-1"]
        await step.destroy(made)
    assert requests[-1]["path"] == "/segments/seg-1"


LISTS: dict[str, Any] = {
    "project": lambda items: {"projects": items},
    "audience": lambda items: {"object": "list", "data": items},
    "api_key": lambda items: {"object": "list", "has_more": False, "data": items},
    "repository": lambda items: items,
}


@each_over_http
@pytest.mark.parametrize(
    "item",
    [
        {"id": "../../etc", "name": "mk0r-a", "full_name": "a/../mk0r-a"},
        {"id": "x" * 2000, "name": "mk0r-a", "full_name": "a/" + "x" * 2000},
        {"id": None, "name": "mk0r-a", "full_name": None},
        {"id": 7, "name": ["mk0r-a"], "full_name": 7},
        {"name": "mk0r-a"},
        "mk0r-a",
        None,
    ],
    ids=["path", "long", "null", "types", "missing", "text", "none"],
)
async def test_a_hostile_line_spoils_the_inventory_and_escapes_as_no_other_error(
    settings: Any, step: Step, item: Any
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(LISTS[step.kind]([item] if request.query.get("page", "1") == "1" else []))

    async with recorder(answer) as (url, _):
        setattr(settings, ADDRESSES[step.provider], url)
        setattr(settings, KEYS[step.provider], "key")
        with pytest.raises(VendorError) as caught:
            await step.inventory()
    assert caught.value.outcome is Outcome.AMBIGUOUS


@each_over_http
async def test_an_inventory_without_an_end_is_given_up(settings: Any, step: Step) -> None:
    calls = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        item = {"id": "same", "name": "mk0r-a", "full_name": "a/mk0r-a"}
        body = LISTS[step.kind]([item])
        if isinstance(body, dict):
            body |= {"has_more": True, "pagination": {"cursor": "same"}}
        return web.json_response(body)

    async with recorder(answer) as (url, _):
        setattr(settings, ADDRESSES[step.provider], url)
        setattr(settings, KEYS[step.provider], "key")
        with pytest.raises(VendorError, match="list_"):
            await step.inventory()
    assert calls <= 200


async def test_neon_ends_at_an_empty_page_and_takes_no_list_with_gaps_for_whole(settings: Any) -> None:
    step = next(step for step in STEPS if step.provider == "neon")
    pages: list[dict[str, Any]] = [
        {"projects": [{"id": "p-1", "name": "mk0r-a"}], "pagination": {"cursor": "one"}},
        {"projects": [{"id": "p-2", "name": "mk0r-b"}], "pagination": {"cursor": "two"}},
        {"projects": [], "pagination": {"cursor": "two"}},
    ]
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        return web.json_response(pages[len(asked) - 1])

    async with recorder(answer) as (url, _):
        settings.NEON_API_URL, settings.NEON_API_KEY = url, "napi_0"
        settings.NEON_ORG_ID = "org-1"
        assert [one.external_id for one in await step.inventory()] == ["p-1", "p-2"]
        assert [one.get("cursor") for one in asked] == [None, "one", "two"]
        assert {(one["search"], one["org_id"]) for one in asked} == {("mk0r-", "org-1")}
        asked.clear()
        pages[1]["unavailable"] = ["project-that-slept"]
        with pytest.raises(VendorError):
            await step.inventory()


async def test_i6_what_neon_could_not_look_at_is_not_proved_absent(settings: Any) -> None:
    step = next(step for step in STEPS if step.provider == "neon")

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"projects": [], "unavailable": ["project-that-slept"]})

    async with recorder(answer) as (url, _):
        settings.NEON_API_URL, settings.NEON_API_KEY = url, "napi_0"
        with pytest.raises(VendorError) as caught:
            await step.find(order())
    assert caught.value.outcome is Outcome.AMBIGUOUS


@pytest.mark.parametrize(
    ("operations", "broken"),
    [
        ("0 failed 0 cancelled", True),
        ("0 finished 0 error", True),
        ("0 error 0 finished", True),
        ("0 finished 3 failed", True),
        ("0 finished 3 failed 9 finished", False),
        ("0 finished 0 finished 3 cancelled 9 skipped", False),
    ],
)
async def test_a_project_is_broken_by_its_last_operation_and_not_by_one_long_ago(
    settings: Any, operations: str, broken: bool
) -> None:
    """A broken one is deleted, and one that is asked about again after its key was revoked holds an app's data."""
    step = next(step for step in STEPS if step.provider == "neon")
    words = operations.split()
    listed = [
        {"status": status, "created_at": f"2026-05-04T12:00:0{second}Z"}
        for second, status in zip(words[::2], words[1::2], strict=True)
    ]

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"operations": listed[::-1]})

    async with recorder(answer) as (url, _):
        settings.NEON_API_URL, settings.NEON_API_KEY = url, "napi_0"
        made = Made("p-1", secrets={"DATABASE_URL": Secret("postgresql://a:b@127.0.0.1:9/c")})
        with pytest.raises(VendorError) as caught:
            await step.finish(order(), made)
    assert (caught.value.broken, caught.value.operation) == (broken, "operations" if broken else "connect")


async def test_github_lists_the_organisation_where_there_is_one_whatever_else_is_in_it(settings: Any) -> None:
    step = next(step for step in STEPS if step.provider == "github")
    lines = [
        {"name": ".github", "full_name": "acme/.github", "private": False, "created_at": "2026-01-01T00:00:00Z"},
        {"name": "mk0r-a", "full_name": "acme/mk0r-a", "private": True, "created_at": "2026-01-01T00:00:00Z"},
    ]

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(lines if request.query["page"] == "1" else [])

    async with recorder(answer) as (url, requests):
        settings.GITHUB_API_URL, settings.GITHUB_TOKEN, settings.GITHUB_OWNER = url, "ghp_0", "acme"
        assert [one.external_id for one in await step.inventory()] == ["acme/mk0r-a"]
    assert {one["path"] for one in requests} == {"/orgs/acme/repos"}


async def test_resend_lists_audiences_and_segments_each_thing_once(settings: Any) -> None:
    step = next(step for step in STEPS if step.kind == "audience")
    gone: set[str] = set()

    async def answer(request: web.Request) -> web.Response:
        family = request.path.strip("/")
        if family in gone:
            return web.json_response({"statusCode": 404, "name": "not_found", "message": "gone"}, status=404)
        mine = {"audiences": ["both", "old"], "segments": ["both", "new"]}[family]
        return web.json_response({"has_more": False, "data": [{"id": one, "name": f"mk0r-{one}"} for one in mine]})

    async with recorder(answer) as (url, _):
        settings.RESEND_API_URL, settings.RESEND_API_KEY = url, "re_0"
        assert sorted(one.external_id for one in await step.inventory()) == ["both", "new", "old"]
        gone.add("audiences")
        assert sorted(one.external_id for one in await step.inventory()) == ["both", "new"]
        gone.add("segments")
        with pytest.raises(VendorError):
            await step.inventory()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["../x", "a/b", "x" * 2000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "token", "project", "connection_uris", "connection_uri", "full_name", "private", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@each_over_http
async def test_no_success_body_a_vendor_can_invent_is_taken_or_escapes_as_another_error(
    settings: Any, step: Step
) -> None:
    bodies: list[Any] = []

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(bodies[-1], status=201)

    async with recorder(answer) as (url, _):
        setattr(settings, ADDRESSES[step.provider], url)
        setattr(settings, KEYS[step.provider], "key")
        strange = [
            {"id": "../../etc", "token": "re_12345678"},
            {"id": "ok", "token": "a b\nc"},
            {"id": None},
            {"project": {"id": "p", "name": "n"}, "connection_uris": []},
            {"project": {"id": "../p", "name": "n"}, "connection_uris": [{"connection_uri": "postgresql://a:b@h/d"}]},
            {"project": {"id": "p", "name": "n"}, "connection_uris": [{"connection_uri": "http://a:b@h/d"}]},
            {"full_name": "a/../b", "html_url": "http://x", "private": True},
            {"full_name": "a/b", "html_url": "javascript:alert(1)", "private": True},
            {"full_name": "a/b", "html_url": "http://x", "private": False},
            [], "text", 7, None,
        ]  # fmt: skip
        for body in strange:
            bodies.append(body)
            if step.kind == "audience" and isinstance(body, dict) and body.get("id") == "ok":
                continue  # a fair answer for an audience
            with pytest.raises(VendorError) as caught:
                await step.create(order())
            assert caught.value.outcome is Outcome.AMBIGUOUS, body


@given(json_values)
@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_body_breaks_a_parser(body: Any) -> None:
    import pydantic

    from provisioning.providers import github, neon, resend

    for model in (neon._Made, neon._Listed, neon._Operations, resend._Minted, resend._Listed, github._Repository,
                  github._Page):  # fmt: skip
        try:
            parsed = model.model_validate_json(json.dumps(body))
        except pydantic.ValidationError:
            continue
        assert "../" not in str(getattr(parsed, "id", "")) + str(getattr(parsed, "full_name", ""))


@given(st.text(max_size=80) | st.builds("postgresql://{}:{}@{}/{}?{}".format, *[st.text(max_size=12)] * 5))
def test_no_connection_uri_breaks_its_reader(uri: str) -> None:
    try:
        meta, secrets = read_uri(uri, "test")
    except VendorError:
        return
    assert meta["host"]
    assert secrets["DATABASE_URL"].expose() == uri


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u:p@host/db?sslrootcert=/etc/passwd",
        "postgresql://u:p@host/db?service=x",
        "postgresql://u:p@h1,h2/db",
        "postgresql://u:p@host:99999/db",
        "postgresql://u:p'x@host/db",
        "postgresql://u:@host/db",
        "postgresql:///db",
    ],
)
def test_a_connection_uri_with_more_in_it_than_a_connection_is_refused(uri: str) -> None:
    with pytest.raises(VendorError):
        read_uri(uri, "test")
