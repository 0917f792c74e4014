"""What the pages tell a browser to forbid, and what a visitor types into them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.signing import Signer
from django.test import AsyncClient, Client

from sessions_app import visitors
from sessions_app.models import Session, Turn

pytestmark = pytest.mark.django_db
HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}{% include 'x' %}"


@pytest.fixture
def ada(client: Client) -> Session:
    """Ada's session, whose every text is hostile."""
    secret = "ada-" + "s" * 40
    client.cookies[visitors.cookie_name()] = Signer(salt="mk0r.visitor").sign(secret)
    session = Session.objects.create(
        slug="abcdefghijkl", visitor_hash=visitors._visitor(secret).hash, title=HOSTILE[:200]
    )
    Turn.objects.create(session=session, number=1, prompt=HOSTILE, state="failed", summary=HOSTILE)
    return session


def test_what_was_typed_stays_text(client: Client, ada: Session) -> None:
    page = client.get(f"/s/{ada.slug}").content.decode()
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert "{{7*7}}" in page
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all('type="application/json"' in each or 'src="/static/' in each for each in scripts)


def test_a_page_forbids_what_it_does_not_need(client: Client, ada: Session) -> None:
    for path in ("/", f"/s/{ada.slug}", "/s/zzzzzzzzzzzz"):
        answer = client.get(path)
        policy = dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert "'self'" not in policy["frame-src"]
        assert (answer["X-Frame-Options"], answer["X-Content-Type-Options"]) == ("DENY", "nosniff")
        assert (answer["Referrer-Policy"], answer["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")
    assert "no-store" in client.get(f"/s/{ada.slug}")["Cache-Control"]


def test_the_visitor_cookie_is_out_of_scripts_reach_and_bound_to_the_host(client: Client, settings: Any) -> None:
    cookie = client.get("/").cookies["mk0r_visitor"]
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (True, "Lax", "", "/")
    settings.PUBLIC_URL = "https://mk0r.example"
    cookie = Client().get("/", secure=True).cookies["__Host-mk0r_visitor"]
    assert (cookie["secure"], cookie["httponly"], cookie["domain"], cookie["path"]) == (True, True, "", "/")


@pytest.mark.parametrize("forged", ["", "x", "a:b", "a" * 300, "\u00e9:x", "secret", "secret:AAAA"])
def test_a_cookie_that_was_not_signed_here_is_nobodys(client: Client, ada: Session, forged: str) -> None:
    client.cookies[visitors.cookie_name()] = forged
    assert client.get(f"/s/{ada.slug}").status_code == 404
    assert client.get(f"/api/sessions/{ada.slug}").status_code == 404


@pytest.mark.django_db(transaction=True)
async def test_another_visitors_session_is_a_404_on_every_call(async_client: AsyncClient, ada: Session) -> None:
    async_client.cookies[visitors.cookie_name()] = Signer(salt="mk0r.visitor").sign("mallory")
    base = f"/api/sessions/{ada.slug}"
    calls = [("get", ""), ("delete", ""), ("post", "/turns/current/cancel"), ("post", "/undo"), ("post", "/redo")]
    calls += [("get", part) for part in ("/env", "/clone", "/events", "/versions", "/receipt")]
    calls += [("post", "/versions/1/restore"), ("post", "/resources/neon/retry")]
    seen = {(method, part): (await getattr(async_client, method)(base + part)).status_code for method, part in calls}
    assert set(seen.values()) == {404}, seen
    asked = await async_client.post(f"{base}/turns", {"prompt": "x"}, content_type="application/json")
    assert asked.status_code == 404
