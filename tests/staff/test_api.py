"""The staff endpoints: by token alone, within the account's rights, audited with the token's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.utils import timezone

from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app import tokens as session_tokens
from sessions_app.models import Event, Session
from staff import guessing, leaks, tokens
from staff.actors import of_shell
from staff.models import Entry, Undertaking
from staff.refusals import NotFound
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.conftest import carried_out

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async

VALUE = "npg_AbC123xyz789"
SLUG = "f" * 12
ORDERS = [
    (f"sessions/{SLUG}/teardown", "teardown", {}),
    (f"sessions/{SLUG}/extend", "extend", {"hours": 30}),
    (f"sessions/{SLUG}/resources/github/retry", "retry", {}),
    ("sweep", "sweep", {"dry": True}),
    ("vendors/neon/pause", "pause_vendor", {}),
    ("vendors/neon/resume", "pause_vendor", {}),
    ("leaks", "revoke", {"value": VALUE}),
]
LOOKS = ["sessions", f"sessions/{SLUG}", "vendors", "audit", "audit?format=jsonl"]


class Caller:
    """A program with a token."""

    def __init__(self, text: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {text}"})

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/staff/{path}")

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(f"/api/staff/{path}", body, content_type="application/json")


@pytest.fixture
def caller(member: Callable[[str], User]) -> Callable[..., Caller]:
    """One whose token speaks for a member of that group."""

    def make(group: str, **options: bool) -> Caller:
        return Caller(tokens.make(of_shell(), member(group), "ci", days=1, **options))

    return make


@pytest.fixture
def credential(transactional_db: None) -> Credential:
    """Of an open session with one leg up and one failed."""
    session = Session.objects.create(slug=SLUG, title="A guest book")
    row = Resource.objects.create(
        session=session, provider="neon", kind="project", name=f"mk0r-{SLUG}", state="ready", attempt=1,
        external_id="quiet-sun-1",
    )  # fmt: skip
    Resource.objects.create(
        session=session, provider="github", kind="repository", name=f"mk0r-{SLUG}", state="failed", attempt=1,
        error={"reason": "quota", "message": "GitHub refused.", "retryable": True},
    )  # fmt: skip
    Event.objects.create(session=session, seq=1, type="session.opened")
    Session.objects.filter(pk=session.pk).update(last_seq=1)
    made = Credential(resource=row, name="NEON_ROLE_PASSWORD", expires_at=timezone.now() + timedelta(hours=1))
    made.seal(Secret(VALUE))
    made.save()
    return made


def _all_calls(credential: Credential) -> list[tuple[str, str, Any]]:
    reveal = ("post", f"credentials/{credential.pk}/reveal", {"reason": "lost"})
    undertaking = ("get", f"undertakings/{credential.pk}", None)
    return [("get", p, None) for p in LOOKS] + [("post", p, body) for p, _, body in ORDERS] + [reveal, undertaking]


def test_nobody_comes_in_without_a_token_whatever_cookie_or_other_key_they_have(
    credential: Credential, signed_in: Callable[[str], Client]
) -> None:
    root, nobody = signed_in("superuser"), Client()
    key, logged = session_tokens.session_key(Session.objects.get()), Entry.objects.count()
    for method, path, body in _all_calls(credential):
        for client, headers in (
            (root, {}),
            (nobody, {}),
            (root, {"Authorization": f"Bearer {key}"}),
            (root, {"Authorization": "Basic bWswcjp4"}),
        ):
            guessing_off = {"REMOTE_ADDR": f"192.0.2.{len(path)}"}
            call = getattr(client, method)
            extra = {"data": body, "content_type": "application/json"} if method == "post" else {}
            answer = call(f"/api/staff/{path}", headers=headers, **extra, **guessing_off)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not Undertaking.objects.exists()
    assert Entry.objects.count() == logged


def test_each_group_is_let_do_what_it_may_and_nothing_more(
    credential: Credential, caller: Callable[..., Caller], member: Callable[[str], User]
) -> None:
    viewer, operator, admin = caller("viewer"), caller("operator"), caller("admin", may_reveal=True)
    bare = User.objects.create_user("bare", is_staff=True)
    ungrouped = Caller(tokens.make(of_shell(), bare, "ci", days=1))
    for path in LOOKS:
        assert ungrouped.get(path).status_code == 403
        assert [each.get(path).status_code for each in (viewer, operator, admin)] == [200] * 3
    logged = Entry.objects.count()
    for path, _, body in ORDERS:
        refused = viewer.post(path, body)
        assert refused.status_code == 403, refused.text
    reveal = f"credentials/{credential.pk}/reveal"
    for each in (viewer, operator):
        assert each.post(reveal, {"reason": "curious"}).status_code == 403
    asked = Entry.objects.filter(action="reveal_refused")
    assert [(one.who, one.session, one.reason) for one in asked.order_by("id")] == [
        (f"{group} (token ci)", SLUG, "curious") for group in ("viewer", "operator")
    ]
    assert viewer.post("sessions/nobody/teardown").status_code == 403  # and learns nothing of what exists
    assert operator.post("sessions/nobody/teardown").status_code == 404
    assert Entry.objects.count() == logged + 2
    assert not Undertaking.objects.exists()
    assert admin.post(reveal, {"reason": "the visitor lost it"}).json() == {
        "name": "NEON_ROLE_PASSWORD",
        "value": VALUE,
    }


@pytest.mark.parametrize(("path", "power", "body"), ORDERS)
def test_each_order_is_taken_and_audited_with_the_tokens_name(
    credential: Credential, caller: Callable[..., Caller], path: str, power: str, body: dict[str, Any]
) -> None:
    operator = caller("operator")
    reason = {} if path == "leaks" else {"reason": "because"}
    answer = operator.post(path, body | reason)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["power"], told["by"]) == (power, "operator (token ci)")
    entry = Entry.objects.filter(action=power).get()
    assert (entry.who, entry.where) == ("operator (token ci)", "127.0.0.1")
    assert entry.reason == (reason.get("reason") or "leaked: reported")
    assert VALUE not in answer.text + str(entry.detail)
    assert operator.get(f"undertakings/{told['id']}").json()["id"] == told["id"]


async def test_a_teardown_is_ordered_and_asked_after_until_all_is_gone(
    live: Session, vendor_settings: CloudUnderTest, member: Callable[[str], User]
) -> None:
    text = await db(lambda: tokens.make(of_shell(), member("operator"), "ci", days=1))()
    client, shown = AsyncClient(), {"Authorization": f"Bearer {text}"}
    answer = await client.generic("POST", f"/api/staff/sessions/{live.slug}/teardown", headers=shown)  # no body
    assert answer.status_code == 202
    assert answer.headers["Cache-Control"] == "no-store"
    made = await Undertaking.objects.aget(pk=answer.json()["id"])
    await carried_out(made, live)
    told = (await client.get(f"/api/staff/undertakings/{made.pk}", headers=shown)).json()
    assert told["finished_at"]
    assert [(one["label"], one["state"]) for one in told["errands"]] == [(live.slug, "done")]
    assert not vendor_settings.live(name=f"mk0r-{live.slug}")


def test_a_value_is_given_to_tokens_made_for_it_alone_and_written_down_first(
    credential: Credential, caller: Callable[..., Caller]
) -> None:
    path = f"credentials/{credential.pk}/reveal"
    plain = caller("admin")
    assert plain.post(path, {"reason": "lost"}).status_code == 403
    vault = Caller(tokens.make(of_shell(), User.objects.get(username="admin"), "vault", days=1, may_reveal=True))
    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "x", "more": 1}, None):
        assert vault.post(path, body).status_code == 422
    assert not Entry.objects.filter(action="reveal").exists()
    answer = vault.post(path, {"reason": "the visitor lost it"})
    assert (answer.status_code, answer.json()["value"]) == (200, VALUE)
    assert answer.headers["Cache-Control"] == "no-store"
    entry = Entry.objects.get(action="reveal")
    assert (entry.who, entry.session, entry.reason) == ("admin (token vault)", SLUG, "the visitor lost it")
    Credential.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = vault.post(path, {"reason": "again"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_shown")
    unknown = vault.post("credentials/00000000-0000-0000-0000-000000000000/reveal", {"reason": "x"})
    assert unknown.status_code == 404


def test_a_session_is_told_whole_and_without_a_value(credential: Credential, caller: Callable[..., Caller]) -> None:
    viewer = caller("viewer")
    answer = viewer.get(f"sessions/{SLUG}")
    told = answer.json()
    assert VALUE not in answer.text
    assert credential.ciphertext not in answer.text
    assert [one["value"] for one in told["credentials"]] == ["•••"]
    assert {one["provider"]: one["state"] for one in told["resources"]} == {"neon": "ready", "github": "failed"}
    assert told["events"][0]["type"] == "session.opened"
    assert viewer.get("sessions/nobody").json()["code"] == "not_found"


def test_sessions_come_in_pages_at_a_constant_number_of_queries(
    caller: Callable[..., Caller], django_assert_max_num_queries: Any
) -> None:
    viewer, at = caller("viewer"), timezone.now()
    slugs = [f"{number:012d}" for number in range(7)]
    for slug in slugs:  # two of each moment: the id decides
        made = Session.objects.create(slug=slug, created_at=at + timedelta(seconds=int(slug) // 2))
        Resource.objects.create(session=made, provider="neon", kind="project", name=slug)
    seen: list[str] = []
    path = "sessions?limit=3"
    with django_assert_max_num_queries(3 * 8):
        while True:
            told = viewer.get(path).json()
            seen += [one["slug"] for one in told["sessions"]]
            if told["next"] is None:
                break
            path = f"sessions?limit=3&before={told['next']}"
    assert sorted(seen) == slugs
    assert seen[0] == slugs[-1]
    Session.objects.filter(slug=slugs[2]).update(state="closed")
    assert [one["slug"] for one in viewer.get("sessions?state=closed").json()["sessions"]] == [slugs[2]]
    assert viewer.get("sessions?state=asleep").status_code == 422
    assert viewer.get("sessions?limit=0").status_code == 422
    assert viewer.get("sessions?before=nobody").status_code == 422


def test_the_audit_log_comes_in_pages_and_as_lines_to_carry_off(caller: Callable[..., Caller]) -> None:
    viewer = caller("viewer")
    long_ago = timezone.now() - timedelta(hours=1)
    for number in range(5):
        Entry.objects.create(who="sam", where="shell", action="teardown", subject=str(number), at=long_ago)
    newest = Entry.objects.create(who="ben", where="shell", action="reveal", session=SLUG)
    first = viewer.get("audit?action=teardown&limit=3").json()
    assert [one["subject"] for one in first["entries"]] == ["4", "3", "2"]
    then = viewer.get(f"audit?action=teardown&limit=3&before={first['next']}").json()
    assert ([one["subject"] for one in then["entries"]], then["next"]) == (["1", "0"], None)
    assert [one["id"] for one in viewer.get(f"audit?session={SLUG}").json()["entries"]] == [newest.pk]
    answer = viewer.get("audit?format=jsonl&limit=2")
    assert answer.headers["Content-Type"].startswith("application/jsonl")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["subject"] for one in lines] == ["0", "1"]
    rest = viewer.get(f"audit?format=jsonl&after={lines[-1]['id']}").text.splitlines()
    # The newest comes a minute late: one that was begun before it may still be on its way.
    assert [json.loads(line)["subject"] for line in rest] == ["2", "3", "4"]
    assert viewer.get("audit?format=jsonl&after=-1").status_code == 422


def test_vendors_are_told(credential: Credential, caller: Callable[..., Caller]) -> None:
    told = {one["provider"]: one for one in caller("viewer").get("vendors").json()["vendors"]}
    assert told["neon"]["state"] == "ok"
    assert told["neon"]["resources"]["stuck"] == 0


def test_a_leaked_value_leads_to_what_holds_it(credential: Credential, caller: Callable[..., Caller]) -> None:
    key = [str(credential.resource_id)]
    assert leaks.holders(VALUE) == key
    assert leaks.holders(f"  postgresql://role:{VALUE}@db.example:5432/app?x=1\n") == key
    for other in ("npg_somethingelse", "postgresql://role@db.example/app", "http://[broken"):
        with pytest.raises(NotFound):
            leaks.holders(other)
    Credential.objects.update(revoked_at=timezone.now(), ciphertext="", fingerprint="")
    with pytest.raises(NotFound):
        leaks.holders(VALUE)


def test_guessing_is_answered_with_when_to_come_again(transactional_db: None) -> None:
    guesser = Caller("mk0rs_" + "0" * 64)
    answers = [guesser.get("sessions").status_code for _ in range(guessing.MOST)]
    assert set(answers) == {401}
    answer = guesser.get("sessions")
    assert (answer.status_code, answer.json()["code"]) == (429, "limit")
    assert 0 < int(answer.headers["Retry-After"]) <= guessing.WINDOW


def test_every_endpoint_is_described_with_its_bearer_token() -> None:
    described = Client().get("/api/openapi.json").json()
    paths = {path.removeprefix("/api/staff/"): each for path, each in described["paths"].items() if "/staff/" in path}
    assert set(paths) == {
        "sessions", "sessions/{slug}", "sessions/{slug}/teardown", "sessions/{slug}/extend",
        "sessions/{slug}/resources/{provider}/retry", "vendors", "vendors/{provider}/pause",
        "vendors/{provider}/resume", "sweep", "undertakings/{key}", "audit", "credentials/{key}/reveal", "leaks",
    }  # fmt: skip
    schemes = described["components"]["securitySchemes"]
    for each in paths.values():
        for operation in each.values():
            assert [schemes[name] for one in operation["security"] for name in one] == [
                {"type": "http", "scheme": "bearer"}
            ]
            assert {"401", "403"} <= set(operation["responses"])
            assert operation["summary"]
            assert operation["description"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("sessions/%00", 404),
        ("sessions?before=%00", 422),
        ("audit?session=%00", 200),
        ("audit?who=%00", 200),
        ("audit?action=%00&format=jsonl", 200),
    ],
)
def test_what_no_query_takes_finds_nothing(
    caller: Callable[..., Caller], credential: Credential, path: str, status: int
) -> None:
    answer = caller("viewer").get(path)
    assert answer.status_code == status
    assert SLUG not in answer.text


def test_a_reason_is_kept_without_what_the_database_cannot_keep(
    caller: Callable[..., Caller], credential: Credential
) -> None:
    admin = caller("admin", may_reveal=True)
    assert admin.post(f"sessions/{SLUG}/teardown", {"reason": " sp\0am "}).status_code == 202
    assert admin.post(f"credentials/{credential.pk}/reveal", {"reason": "\0"}).status_code == 422
    assert admin.post(f"credentials/{credential.pk}/reveal", {"reason": "a leak\0"}).status_code == 200
    reasons = Entry.objects.filter(session=SLUG).order_by("id").values_list("action", "reason")
    assert list(reasons) == [("teardown", "spam"), ("reveal_refused", ""), ("reveal", "a leak")]
    assert Undertaking.objects.get().reason == "spam"
