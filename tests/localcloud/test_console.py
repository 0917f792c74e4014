"""`/_cloud/`: who may look, and that nothing a stranger wrote can act there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.endpoint import listening
from tests.localcloud.wire import finished, project

EVIL = "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
PAGES = (
    "", "databases", "mailbox", "webhooks", "repositories", "events", "sandboxes", "faults", "limits", "ledger",
)  # fmt: skip


def login_url(cloud: CloudUnderTest) -> str:
    return str(json.loads((cloud.var / "cloud.json").read_text())["operator_login_url"])


@pytest.fixture
def sam(well: CloudUnderTest) -> Iterator[httpx.Client]:
    """Sam runs this machine and came in by the link."""
    with httpx.Client(base_url=f"http://localhost:{well.port}/_cloud", follow_redirects=True) as browser:
        assert browser.get(login_url(well)).status_code == 200
        yield browser


@pytest.fixture(scope="module")
def evil_things(cloud: CloudUnderTest) -> dict[str, str]:
    """One of each, with HTML in every text that an app can choose."""
    cloud.clear_faults()
    name = f"mk0r-{uuid.uuid4().hex[:12]}"
    made = project(cloud, name)
    with psycopg.connect(made["connection_uris"][0]["connection_uri"]) as connection:
        connection.execute('CREATE TABLE "<b>x</b>" (note text)')
        connection.execute('INSERT INTO "<b>x</b>" VALUES (%s)', (EVIL,))

    def send(path: str, key: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {cloud.keys[key]}"}
        answer = httpx.post(cloud.base_url + path, json=body, headers=headers, timeout=20)
        assert answer.is_success, answer.text
        return answer

    branch = {"branch": {"name": EVIL}, "endpoints": [{"type": "read_write"}]}
    branch_id = send(f"/neon/api/v2/projects/{made['project']['id']}/branches", "neon", branch).json()["branch"]["id"]
    mail: dict[str, Any] = {"from": "Ada <a@b.co>", "to": "b@c.co", "subject": EVIL, "html": EVIL, "text": EVIL}
    mail["attachments"] = [{"filename": "<b>.html", "content": "PGI+"}]
    sent = send("/resend/emails", "resend", mail).json()["id"]
    hook = {"endpoint": "http://127.0.0.1:9/<script>document.title='pwned'</script>", "events": ["contact.deleted"]}
    send("/resend/webhooks", "resend", hook)
    send("/github/user/repos", "github", {"name": name, "description": EVIL, "auto_init": True})
    properties = {"$groups": {"app": f"{name}{EVIL}"}, "$current_url": EVIL}
    event = {"api_key": cloud.keys["posthog"], "event": EVIL, "distinct_id": EVIL, "properties": properties}
    send("/posthog/e/", "posthog", event)
    finished(cloud, made["project"]["id"])
    return {"mail": sent, "project": made["project"]["id"], "branch": branch_id, "name": name}


class Acting(HTMLParser):
    """Collects whatever in a page could act: inline script, style, handlers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag in ("style", "object", "embed", "base") or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name.startswith("on") or name in ("style", "srcdoc")]
        if tag in ("script", "iframe") and not (names.get("src") or "").startswith("/_cloud/"):
            self.found.append(str(names.get("src")))


def test_a_stranger_sees_nothing(well: CloudUnderTest, evil_things: dict[str, str]) -> None:
    deep = (f"mailbox/{evil_things['mail']}/html", f"databases/{evil_things['project']}", "api/mail", "api/events")
    for path in (*PAGES, *deep):
        for cookies in ({}, {"mk0r_cloud": "0" * 64}):
            answer = httpx.get(f"{well.base_url}/_cloud/{path}", cookies=cookies)
            assert answer.status_code == 401, path
            assert "pwned" not in answer.text


def test_the_link_works_once_and_a_fresh_one_takes_its_place(well: CloudUnderTest) -> None:
    link = login_url(well)
    assert link.startswith("http://localhost:")  # cookies ignore ports: never the name bare previews live on
    first = httpx.get(link)
    assert first.status_code == 303
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/_cloud" in cookie
    assert "Domain" not in cookie
    assert httpx.get(link).status_code == 401
    assert login_url(well) != link
    assert httpx.get(login_url(well)).status_code == 303


def test_every_page_shows_what_is_there_as_text(sam: httpx.Client, evil_things: dict[str, str]) -> None:
    things = evil_things
    deep = (
        f"mailbox/{things['mail']}",
        f"databases/{things['project']}",
        f"databases/{things['project']}?branch={things['branch']}",
        f"repositories/mk0r-local/{things['name']}",
        f"repositories/mk0r-local/{things['name']}/file?path=README.md",
    )
    for path in (*PAGES, *deep):
        answer = sam.get(f"/{path}")
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert Acting(answer.text).found == [], path
        assert answer.headers["cache-control"] == "no-store"
    for branch in ("", f"?branch={things['branch']}"):
        shown = sam.get(f"/databases/{things['project']}{branch}").text
        assert "&lt;b&gt;x&lt;/b&gt;" in shown
        assert "document.title=" in shown  # the branch's name, as text


def test_a_mails_html_is_served_only_without_rights(sam: httpx.Client, evil_things: dict[str, str]) -> None:
    answer = sam.get(f"/mailbox/{evil_things['mail']}/html")
    assert answer.text == EVIL
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "allow-" not in policy
    assert "default-src 'none'" in policy
    attached = sam.get(f"/mailbox/{evil_things['mail']}/attachments/0")
    assert attached.headers["content-type"] == "application/octet-stream"
    assert attached.headers["content-disposition"].startswith("attachment")
    for path in ("mailbox/none", "databases/none", "repositories/a/b", f"mailbox/{evil_things['mail']}/attachments/9"):
        assert sam.get(f"/{path}").status_code == 404


def test_a_database_is_read_with_its_own_role_and_not_changed(well: CloudUnderTest, sam: httpx.Client) -> None:
    made = project(well, f"mk0r-{uuid.uuid4().hex[:12]}")
    uri = made["connection_uris"][0]["connection_uri"]
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE guests (name text)")
        connection.execute("INSERT INTO guests VALUES ('Ada')")
    page = sam.get(f"/databases/{made['project']['id']}").text
    assert "guests" in page
    assert "Ada" in page
    with psycopg.connect(uri) as connection:
        found = connection.execute("SELECT count(*) FROM guests").fetchone()
    assert found == (1,)


def test_a_database_is_shown_whatever_its_columns_hold(well: CloudUnderTest, sam: httpx.Client) -> None:
    made = project(well, f"mk0r-{uuid.uuid4().hex[:12]}")
    with psycopg.connect(made["connection_uris"][0]["connection_uri"]) as connection:
        connection.execute('CREATE TABLE leases (ends timestamptz, since date, "50 % off" boolean, scan bytea)')
        connection.execute("INSERT INTO leases VALUES ('infinity', '4713-01-01 BC', true, repeat('x', 10000)::bytea)")
        connection.execute("CREATE TABLE nothing ()")
    page = sam.get(f"/databases/{made['project']['id']}").text
    for shown in ("leases", "infinity", "4713-01-01 BC", "50 % off", "true", "nothing"):
        assert shown in page, shown
    assert "78" * 99 in page  # the beginning of the scan, and no more of it
    assert "78" * 100 not in page


def test_faults_are_ordered_and_cleared_by_form(well: CloudUnderTest, sam: httpx.Client) -> None:
    own = {"Origin": f"http://localhost:{well.port}"}
    wished = {"add": "1", "what": "neon *", "fault": "latency", "probability": "0.5", "seconds": "2"}
    page = sam.post("/faults", data=wished, headers=own)
    assert page.status_code == 200
    assert well.operator("GET", "faults") == [
        {"vendor": "neon", "operation": "*", "fault": "latency", "probability": 0.5, "seconds": 2.0, "met": 0}
    ]
    for headers in ({}, {"Origin": "http://5173-iabc.localhost:8001"}, {"Origin": f"http://127.0.0.1:{well.port}"}):
        assert sam.post("/faults", data={"clear": "1"}, headers=headers).status_code == 403
    refused = sam.post("/faults", data=wished | {"probability": "lots", "seconds": "7.5"}, headers=own)
    assert refused.status_code == 400
    assert "probability must be a number" in refused.text
    for kept in (
        'value="lots"',
        'value="7.5"',
        '<option value="neon *" selected>',
        '<option value="latency" selected>',
    ):
        assert kept in refused.text
    assert len(well.operator("GET", "faults")) == 1
    sam.post("/faults", data=wished | {"what": "resend create_api_key", "fault": "status:429"}, headers=own)
    first = json.dumps({name: value for name, value in well.operator("GET", "faults")[0].items() if name != "met"})
    for _ in range(2):  # pressed twice, the second takes no other
        sam.post("/faults", data={"remove": first}, headers=own)
        assert [rule["vendor"] for rule in well.operator("GET", "faults")] == ["resend"]
    sam.post("/faults", data={"clear": "1"}, headers=own)
    assert well.operator("GET", "faults") == []


@pytest.fixture
def page(well: CloudUnderTest, chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1440, "height": 900})
        shown.goto(login_url(well))
        yield shown
        browser.close()


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_strangers_mail_cannot_act_in_a_browser(
    well: CloudUnderTest, page: Page, evil_things: dict[str, str]
) -> None:
    base = f"http://localhost:{well.port}/_cloud"
    for path in (f"mailbox/{evil_things['mail']}", f"mailbox/{evil_things['mail']}/html", "events", "mailbox"):
        page.goto(f"{base}/{path}")
        page.wait_for_timeout(200)
        assert page.title() != "pwned"
        assert all(frame.title() != "pwned" for frame in page.frames)


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_fault_is_ordered_and_removed_by_keyboard(well: CloudUnderTest, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"http://localhost:{well.port}/_cloud/faults")
    page.get_by_label("Operation").focus()
    page.keyboard.type("Resend, create_api")
    page.keyboard.press("Tab")
    page.keyboard.type("reset_a")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    remove = page.get_by_role("button", name="Remove reset_after, Resend, create_api_key")
    remove.wait_for()
    assert well.operator("GET", "faults") == [
        {"vendor": "resend", "operation": "create_api_key", "fault": "reset_after", "probability": 1.0, "met": 0}
    ]
    box = remove.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width  # in sight without scrolling sideways
    remove.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Everything behaves.").wait_for()
    assert well.operator("GET", "faults") == []


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_pages_fit_a_phone_and_please_axe(well: CloudUnderTest, page: Page, evil_things: dict[str, str]) -> None:
    base = f"http://localhost:{well.port}/_cloud"
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    found: dict[str, Any] = {}
    page.set_viewport_size({"width": 390, "height": 844})
    for place, path in enumerate((*PAGES, f"databases/{evil_things['project']}", f"mailbox/{evil_things['mail']}")):
        page.emulate_media(color_scheme="dark" if place % 2 else "light")
        page.goto(f"{base}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        violations = Axe().run(page).response["violations"]
        serious = [item["id"] for item in violations if item["impact"] in ("serious", "critical")]
        if serious:
            found[path] = serious
    assert found == {}
    assert troubles == []


def test_templates_are_shown_with_how_their_build_stands(well: CloudUnderTest, sam: httpx.Client) -> None:
    with httpx.Client(base_url=f"{well.base_url}/e2b", headers={"X-API-KEY": well.keys["e2b"]}) as api:
        made = api.post("/v3/templates", json={"name": "shown-here"}).json()
        text = sam.get("/sandboxes").text
        assert "shown-here" in text
        assert "waiting" in text
        assert api.delete(f"/templates/{made['templateID']}").status_code == 204
    assert "shown-here" not in sam.get("/sandboxes").text


def test_webhooks_are_shown_with_their_attempts(well: CloudUnderTest, sam: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {well.keys['resend']}"}
    with listening() as endpoint, httpx.Client(base_url=f"{well.base_url}/resend", headers=headers) as resend:
        endpoint.statuses = [418]
        hook = resend.post("/webhooks", json={"endpoint": endpoint.url, "events": ["email.suppressed"]}).json()["id"]
        mail = {"from": "a@example.com", "to": "suppressed@resend.dev", "subject": EVIL, "text": "x"}
        resend.post("/emails", json=mail)
        endpoint.wait(lambda _: "attempting" in sam.get("/webhooks").text)
        page = sam.get("/webhooks").text
        for shown in (endpoint.url, "enabled", "email.suppressed", "418", "Next try", "suppressed@resend.dev"):
            assert shown in page, shown
        assert Acting(page).found == []
        resend.delete(f"/webhooks/{hook}")
        assert endpoint.url not in sam.get("/webhooks").text


def test_limits_are_shown_with_what_is_left_of_them(well: CloudUnderTest, sam: httpx.Client) -> None:
    assert sam.get("/limits").text.count("no limit") == 6
    well.operator("PUT", "limits", {"resend": {"requests": 1, "per_seconds": 60}})
    try:
        assert "with the next call" in sam.get("/limits").text
        httpx.get(f"{well.base_url}/resend/emails")
        page = sam.get("/limits").text
        assert "1 in 60 s" in page
        assert "with the next call" not in page
        assert page.count("no limit") == 5
        assert well.operator("GET", "limits") == {"resend": {"requests": 1, "per_seconds": 60.0}}
    finally:
        well.operator("DELETE", "limits")
