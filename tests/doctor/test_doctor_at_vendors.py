"""What doctor makes of answers that no stand-in gives: scopes, limits, plans, domains, memberships."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from aiohttp import web
from django.core.management import call_command

from mk0r.doctor.report import State
from mk0r.vendors import VENDORS
from tests.doctor.conftest import KEYS, VENDOR, check, look

Scripted = Callable[..., Any]
CLASSIC = "repo, delete_repo"


def routes(answers: dict[str, Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answers by path: a body, or (status, body), or (status, body, headers); 404 for any other path."""

    async def answer(request: web.Request) -> web.Response:
        found = answers.get(request.path, (404, {"message": "Not Found"}))
        status, body, headers = (*found, {})[:3] if isinstance(found, tuple) else (200, found, {})
        return web.json_response(body, status=status, headers=headers)

    return answer


def user(scopes: str | None = CLASSIC, **headers: str) -> tuple[int, Any, dict[str, str]]:
    told = {} if scopes is None else {"X-OAuth-Scopes": scopes}
    return 200, {"login": "mk0r-bot", "type": "User"}, told | {k.replace("_", "-"): v for k, v in headers.items()}


@pytest.mark.parametrize(
    ("scopes", "state", "words"),
    [
        ("repo, delete_repo", State.WELL, "delete_repo, repo"),
        ("repo", State.WRONG, "delete_repo missing (it has repo)"),
        ("", State.WRONG, "repo and delete_repo missing (it has none)"),
        ("public_repo, delete_repo", State.WRONG, "repo missing"),
        ("repo, delete_repo, workflow", State.WRONG, "workflow is among its scopes"),
        ("repo, delete_repo, admin:org", State.NOTE, "more than is needed: admin:org"),
        (None, State.NOTE, "without scopes: GitHub does not tell what it may do"),
    ],
)
async def test_the_scopes_of_a_token(scripted: Scripted, scopes: str | None, state: State, words: str) -> None:
    async with scripted("github", routes({"/user": user(scopes)})):
        part = await look("github")
    found = next(one for one in part.checks if one.check == "scopes")
    assert found.state is state
    assert words in found.said
    assert bool(found.next) == (state is not State.WELL)


async def test_a_fine_grained_token_is_called_so(scripted: Scripted, settings: Any) -> None:
    async with scripted("github", routes({"/user": user(None)})):
        settings.GITHUB_TOKEN = "github_pat_0123456789abcdef"
        part = await look("github")
    assert check(part, "scopes").said.startswith("a fine-grained token")
    assert part.state is State.WELL  # what cannot be told is not wrong


async def test_requests_left_and_a_token_that_ends_soon(scripted: Scripted) -> None:
    reset = int(time.time()) + 600
    limits = {"X_RateLimit_Limit": "5000", "X_RateLimit_Remaining": "4999", "X_RateLimit_Reset": str(reset)}
    soon = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d %H:%M:%S} UTC"
    later = f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d %H:%M:%S} +0200"
    async with scripted("github", routes({"/user": user(**limits, github_authentication_token_expiration=later)})):
        part = await look("github")
    assert check(part, "limits").said.startswith("4999 of 5000 requests left until 20")
    assert check(part, "key").said.startswith("ends on ")
    assert part.state is State.WELL
    async with scripted("github", routes({"/user": user(github_authentication_token_expiration=soon)})):
        assert check(await look("github"), "key").state is State.WRONG
    async with scripted("github", routes({"/user": user(**limits | {"X_RateLimit_Remaining": "12"})})):
        assert check(await look("github"), "limits").state is State.NOTE
    spent = (403, {"message": "API rate limit exceeded for user ID 1."}, {"X-RateLimit-Remaining": "0"})
    async with scripted("github", routes({"/user": spent})):
        assert check(await look("github"), "limits").state is State.WRONG


@pytest.mark.parametrize(
    ("membership", "state", "words"),
    [
        ({"state": "active", "role": "admin"}, State.WELL, "made in acme, as admin"),
        (
            {"state": "active", "role": "member", "permissions": {"can_create_repository": True}},
            State.WELL, "as member",
        ),
        (
            {"state": "active", "role": "member", "permissions": {"can_create_repository": False}},
            State.WRONG, "may not make repositories in acme",
        ),
        ({"state": "pending", "role": "member"}, State.WRONG, "has not accepted"),
        ((404, {"message": "Not Found"}), State.WRONG, "no member of acme"),
        ((403, {"message": "You need at least read:org scope"}), State.NOTE, "only with read:org"),
    ],
)  # fmt: skip
async def test_who_may_make_repositories_in_an_organisation(
    scripted: Scripted, settings: Any, membership: Any, state: State, words: str
) -> None:
    settings.GITHUB_OWNER = "acme"
    acme = {"login": "acme", "type": "Organization"}
    answers = {"/user": user(), "/users/acme": acme, "/user/memberships/orgs/acme": membership}
    async with scripted("github", routes(answers)):
        owner = check(await look("github"), "owner")
    assert owner.state is state
    assert words in owner.said


async def test_an_installation_token_and_single_sign_on_have_their_own_next_step(
    scripted: Scripted, settings: Any
) -> None:
    async with scripted("github", routes({"/user": (403, {"message": "Resource not accessible by integration"})})):
        settings.GITHUB_TOKEN = "ghs_0123456789abcdef0123456789abcdef0123"
        assert "installation token" in check(await look("github"), "key").next
    sso = (403, {"message": "Resource protected by organization SAML enforcement."}, {"X-GitHub-SSO": "required"})
    async with scripted("github", routes({"/user": sso})):
        assert "Configure SSO" in check(await look("github"), "key").next


def neon(method: str, *, limit: int | None = 10, projects: int = 3, orgs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "/auth": {"account_id": "org-cool-12345678", "auth_method": method},
        "/users/me": {"projects_limit": limit} if limit else (404, {"message": "not for organisations"}),
        "/users/me/organizations": {"organizations": [{"id": one, "name": one} for one in orgs]},
        "/projects": {"projects": [{"id": f"p-{number}"} for number in range(projects)]},
        **{f"/organizations/{one}": {"id": one, "name": "Acme", "plan": "launch"} for one in orgs},
    }


async def test_a_persons_key_needs_an_organisation_and_is_told_which_there_are(
    scripted: Scripted, settings: Any
) -> None:
    settings.NEON_ORG_ID = ""
    plain = routes(neon("api_key_user", orgs=("org-a-1", "org-b-2")))

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/projects" and "org_id" not in request.query:
            return web.json_response({"code": "", "message": "org_id is required"}, status=400)
        return await plain(request)

    async with scripted("neon", answer):
        organisation = check(await look("neon"), "organisation")
        assert "NEON_ORG_ID, which is not set" in organisation.said
        assert organisation.next == "Set NEON_ORG_ID to one of: org-a-1, org-b-2."
        settings.NEON_ORG_ID = "org-c-3"
        assert "is not one this key reaches" in check(await look("neon"), "organisation").said
        settings.NEON_ORG_ID = "org-b-2"
        part = await look("neon")
    assert part.state is State.WELL
    assert check(part, "organisation").said == "Acme, plan launch"
    assert check(part, "projects").said == "3 projects of 10"


async def test_a_persons_key_that_needs_no_organisation_is_well(scripted: Scripted, settings: Any) -> None:
    settings.NEON_ORG_ID = ""
    async with scripted("neon", routes(neon("api_key_user"))):
        assert (await look("neon")).state is State.WELL


async def test_an_organisations_key_needs_none_and_takes_no_other(scripted: Scripted, settings: Any) -> None:
    settings.NEON_ORG_ID = ""
    async with scripted("neon", routes(neon("api_key_org", limit=None))):
        part = await look("neon")
        assert part.state is State.WELL
        assert check(part, "key").said == "a key of the organisation org-cool-12345678"
        assert check(part, "projects").state is State.NOTE
        settings.NEON_ORG_ID = "org-other-1"
        assert check(await look("neon"), "organisation").state is State.WRONG


@pytest.mark.parametrize(
    ("projects", "limit", "state"),
    [(8, 10, State.WELL), (9, 10, State.NOTE), (10, 10, State.WRONG), (12, 10, State.WRONG), (3, None, State.NOTE)],
)
async def test_projects_that_are_left(
    scripted: Scripted, settings: Any, projects: int, limit: int | None, state: State
) -> None:
    settings.NEON_ORG_ID = ""
    async with scripted("neon", routes(neon("api_key_org", limit=limit, projects=projects))):
        assert check(await look("neon"), "projects").state is state


async def test_projects_are_counted_past_the_first_page(scripted: Scripted, settings: Any) -> None:
    settings.NEON_ORG_ID = ""
    plain = routes(neon("api_key_org", limit=None))

    async def answer(request: web.Request) -> web.Response:
        if request.path != "/projects":
            return await plain(request)
        first = "cursor" not in request.query
        page = [{"id": f"p-{number}"} for number in range(400 if first else 7)]
        return web.json_response({"projects": page, "pagination": {"cursor": "next"}})

    async with scripted("neon", answer):
        assert check(await look("neon"), "projects").said.startswith("407 projects")


def resend(domains: list[dict[str, str]], **headers: str) -> dict[str, Any]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"/api-keys": (200, {"object": "list", "data": []}, told), "/domains": {"data": domains, "has_more": False}}


@pytest.mark.parametrize(
    ("sender", "domain_id", "where", "state", "words"),
    [
        ("apps@acme.example", "", "domain", State.WELL, "acme.example is verified"),
        ("mk0r <apps@ACME.example>", "d-1", "domain", State.WELL, "acme.example is verified"),
        ("apps@slow.example", "", "domain", State.WRONG, "is not verified (pending)"),
        ("apps@mail.acme.example", "", "domain", State.WRONG, "no domain of this account"),
        ("onboarding@resend.dev", "", "domain", State.NOTE, "the account's own address only"),
        ("nobody", "", "domain", State.WRONG, "RESEND_FROM is no address"),
        ("apps@acme.example", "d-2", "domain id", State.WRONG, "RESEND_DOMAIN_ID is slow.example's"),
        ("apps@acme.example", "d-9", "domain id", State.WRONG, "names no domain of this account"),
    ],
)
async def test_whether_mail_can_leave(
    scripted: Scripted, settings: Any, sender: str, domain_id: str, where: str, state: State, words: str
) -> None:
    settings.RESEND_FROM, settings.RESEND_DOMAIN_ID = sender, domain_id
    domains = [
        {"id": "d-1", "name": "acme.example", "status": "verified"},
        {"id": "d-2", "name": "slow.example", "status": "pending"},
    ]
    async with scripted("resend", routes(resend(domains, ratelimit_limit="5", ratelimit_remaining="4"))):
        part = await look("resend")
    assert check(part, where).state is state
    assert words in check(part, where).said
    assert check(part, "limits").said == "5 requests, 4 left"


async def test_a_template_may_be_named_by_its_id_and_be_anothers(scripted: Scripted, settings: Any) -> None:
    settings.E2B_TEMPLATE = "x1y2z3:prod"
    running = (200, [], {"X-Total-Running": "3"})
    async with scripted("e2b", routes({"/v2/sandboxes": running, "/templates/x1y2z3": {"templateID": "x1y2z3"}})):
        part = await look("e2b")
    assert part.state is State.WELL
    assert check(part, "key").said == "taken; 3 sandboxes run"
    theirs = (403, {"code": 403, "message": "no access"})
    async with scripted("e2b", routes({"/v2/sandboxes": running, "/templates/aliases/x1y2z3": theirs})):
        assert "another team's" in check(await look("e2b"), "template").said


async def test_a_project_key_of_the_other_region(scripted: Scripted) -> None:
    async with scripted("posthog", routes({})):
        assert "POSTHOG_HOST=https://eu.i.posthog.com" in check(await look("posthog"), "key").next


async def test_a_personal_key_of_posthogs_is_sent_nowhere(scripted: Scripted, settings: Any) -> None:
    async with scripted("posthog", routes({})) as requests:
        settings.POSTHOG_PROJECT_KEY = "phx_0123456789abcdef"
        assert "personal key" in check(await look("posthog"), "key").said
    assert requests == []


async def test_models_are_read_to_the_last_page_and_known_by_other_names(scripted: Scripted, settings: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/v1/models/claude-old-name":
            return web.json_response({"type": "model", "id": "claude-b-2"})
        if request.path != "/v1/models":
            return web.json_response(
                {"type": "error", "error": {"type": "not_found_error", "message": "x"}}, status=404
            )
        page = ["claude-a-1"] if "after_id" not in request.query else ["claude-b-2"]
        body = {"data": [{"id": one} for one in page], "has_more": page == ["claude-a-1"], "last_id": page[-1]}
        told = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "0"}
        return web.json_response(body, headers=told)

    async with scripted("anthropic", answer):
        for model in ("claude-b-2", "claude-old-name"):
            settings.MK0R_MODEL = model
            assert check(await look("anthropic"), "model").said == model
        settings.MK0R_MODEL = "claude-c-3"
        part = await look("anthropic")
    assert check(part, "model").next == "Set MK0R_MODEL to one of: claude-a-1, claude-b-2."
    assert check(part, "limits").said == "0 of 50 requests left"


async def test_a_model_server_without_keys_and_without_a_list_is_not_wrong(scripted: Scripted, settings: Any) -> None:
    async with scripted("anthropic", routes({})):
        settings.ANTHROPIC_API_KEY = ""
        part = await look("anthropic")
    assert part.state is State.WELL
    assert "keeps no list of models" in check(part, "key").said


STRANGE: list[Any] = [
    None, 7, "text", [], [7, None], {}, {"data": 7}, {"data": [7, {"id": 7}]}, {"projects": {"x": 1}}, {"login": ["x"]},
    {"data": [{"id": "x"}], "has_more": True, "last_id": "x", "projects": [{}] * 400, "pagination": {"cursor": "same"}},
    {"auth_method": 7, "message": {"x": 1}, "error": {"message": 7}}, {"login": "x\x00\n" * 900, "type": 7},
]  # fmt: skip


@pytest.mark.parametrize("name", [vendor.name for vendor in VENDORS])
@pytest.mark.parametrize("status", [200, 400, 403, 404])
async def test_no_answer_is_too_strange_to_be_told(
    scripted: Scripted, name: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    for body in STRANGE:
        headers = {"X-RateLimit-Limit": "soon", "X-RateLimit-Remaining": "-1", "x-ratelimit-reset": "9" * 15}

        async def answer(_: web.Request, body: Any = body, headers: Any = headers) -> web.Response:
            return web.json_response(body, status=status, headers=headers)

        async with scripted(name, answer):
            part = await look(name)
        assert part.checks
        assert all(len(one.said) < 700 and "\n" not in one.said for one in part.checks)
    assert not [one for one in caplog.records if "doctor_failed" in one.message]


@pytest.mark.django_db
def test_a_key_that_a_vendor_sends_back_is_not_printed(vendor_settings: Any, settings: Any, tmp_path: Any) -> None:
    import asyncio

    from tests.fixtures.loopback import recorder

    settings.MK0R_VAR = tmp_path

    async def echo(request: web.Request) -> web.Response:
        given = " ".join(f"{name}={value}" for name, value in request.headers.items())
        return web.json_response({"message": f"no such key: {given} {request.path}"}, status=401)

    async def run() -> str:
        async with recorder(echo) as (url, _):
            for vendor in VENDORS:
                setattr(settings, next(iter(vendor.addresses)), url)
                setattr(settings, vendor.key, KEYS[vendor.name])
            said = StringIO()
            for options in ([], ["--json"]):
                with pytest.raises(SystemExit):
                    await asyncio.to_thread(call_command, "doctor", *options, stdout=said)
            return said.getvalue()

    said = asyncio.run(run())
    assert said.count("refused the key") >= 2 * 4
    for name in set(VENDOR) - {"posthog"}:  # that one is public
        assert KEYS[name] not in said
        assert KEYS[name][:20] not in said
