"""The main job: a sentence becomes an app whose form writes a row and sends a mail, and whose code is pushed."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.builder_page import app, build, until, wait_for_version
from tests.fixtures.installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.isolation, pytest.mark.slow]

SENTENCE = (
    "A sign-up list for a choir: people leave a name, an e-mail address, a date of birth and whether they can read "
    "music. Newest first, and send a mail for each one."
)


def _fill(form: Locator) -> None:
    """Fill each field of whatever form the app has with something its type takes."""
    values = {"email": "ada@example.org", "date": "1990-05-17", "number": "3", "tel": "+44 20 7946 0000"}
    for field in form.locator("input, textarea").all():
        kind = field.get_attribute("type") or "text"
        if kind == "checkbox":
            field.check()
        elif kind not in {"submit", "hidden", "radio"}:
            field.fill(values.get(kind, "Ada of the end-to-end test"))


def _environment(page: Page, slug: str) -> dict[str, str]:
    """Names and values of the session's `.env`, as the page of its owner may read them."""
    text = page.request.get(f"/api/sessions/{slug}/env").text()
    return {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in text.splitlines()) if value}


def test_a_sentence_becomes_a_working_app(
    product: Installation, visitor: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    page = visitor().new_page()
    slug = build(page, product.url, SENTENCE)
    wait_for_version(page, 1)

    form = app(page).locator("form").first
    expect(form).to_be_visible(timeout=30_000)
    _fill(form)
    form.locator("button[type=submit], button:not([type])").first.click()
    expect(app(page).get_by_text("Ada of the end-to-end test").first).to_be_visible(timeout=30_000)

    environment = _environment(page, slug)
    _has_the_row(environment)
    _has_the_mail(product)
    _has_the_pageview(product, slug)
    _has_the_commit(page, slug, tmp_path)


def _has_the_row(environment: dict[str, str]) -> None:
    with psycopg.connect(
        host=environment["NEON_HOST"], port=environment["NEON_PORT"], dbname=environment["NEON_DB_NAME"],
        user=environment["NEON_ROLE_NAME"], password=environment["NEON_ROLE_PASSWORD"],
    ) as connection:  # fmt: skip
        tables = connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND column_name ~ 'mail' ORDER BY 1"
        ).fetchall()
        assert tables
        rows = [connection.execute(f'SELECT * FROM "{table}"').fetchall() for (table,) in tables]  # type: ignore[arg-type]
    assert any("ada@example.org" in row for found in rows for row in found)


def _has_the_mail(product: Installation) -> None:
    cloud = product.cloud

    def arrived() -> bool:
        headers = {"Authorization": f"Bearer {cloud.keys['resend']}"}
        found = httpx.get(f"{cloud.base_url}/resend/emails?limit=100", headers=headers).json()["data"]
        mails = [httpx.get(f"{cloud.base_url}/resend/emails/{mail['id']}", headers=headers).text for mail in found]
        return any("Ada of the end-to-end test" in mail for mail in mails)

    until(arrived, "the mail")


def _has_the_pageview(product: Installation, slug: str) -> None:
    cloud = product.cloud

    def seen() -> bool:
        query = f"select count() from events where event = '$pageview' and $group_0 = 'mk0r-{slug}'"
        answer = httpx.post(
            f"{cloud.base_url}/posthog/api/projects/1/query/",
            headers={"Authorization": f"Bearer {cloud.info['operator_key']}"},
            json={"query": {"kind": "HogQLQuery", "query": query}},
        )
        answer.raise_for_status()
        return bool(answer.json()["results"][0][0] >= 1)

    until(seen, "the pageview")


def _branches(url: str, user: str, password: str) -> str:
    address = url.replace("://", f"://{user}:{password}@")
    return subprocess.run(["git", "ls-remote", "--heads", address], check=True, capture_output=True, text=True).stdout


def _has_the_commit(page: Page, slug: str, tmp_path: Path) -> None:
    clone = page.request.get(f"/api/sessions/{slug}/clone").json()
    until(lambda: _branches(clone["url"], clone["user"], clone["password"]), "the push")  # after the version was told
    subprocess.run([*shlex.split(clone["command"]), "-q", str(tmp_path / "clone")], check=True, timeout=60)
    log = subprocess.run(
        ["git", "-C", str(tmp_path / "clone"), "log", "--format=%s"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(log) == 1
    assert log[0].startswith(SENTENCE[:40])
    assert not (tmp_path / "clone" / ".env").exists()
