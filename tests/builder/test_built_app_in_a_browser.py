"""A built app as a person uses it, in the frame of another site, at desktop and phone width."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from embedded.postgres import Cluster
from localcloud.anthropic import code, sqlcode
from localcloud.anthropic.grammar.sentence import read_sentence
from tests.builder.conftest import Server, copy_project, dev_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
expect.set_options(timeout=30_000)  # milliseconds; a busy machine is no fault of the app

SENTENCE = (
    "A todo list with task, due date, priority (low, medium, high), price in €, link, notes and done yes/no. "
    "Search. Show the total of the prices. Make it green."
)


@pytest.fixture(scope="module")
def server(starter_tree: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Server]:
    """The app of `SENTENCE`, served."""
    spec = read_sentence(SENTENCE).spec
    assert spec is not None
    project = copy_project(starter_tree, tmp_path_factory.mktemp("browser") / "app")
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as connection:
        connection.execute("create database todos")
    (project / ".env").write_text(f"DATABASE_URL='{cluster.dsn('todos')}'\n")
    files = code.app_files(spec) | {"src/theme.css": code.theme(spec)}
    files[code.migration_file(1, spec.table)] = sqlcode.migration(spec)
    for path, text in files.items():
        (project / path).write_text(text)
    with dev_server(project) as running:
        yield running


@pytest.fixture(scope="module")
def other_site(server: Server) -> Iterator[str]:
    """A page of another site that frames the app and writes down what the app tells it."""
    body = (
        '<!doctype html><html lang="en"><title>Frame</title><body><script>window.told = [];'
        "addEventListener('message', (event) => told.push(event.data))</script>"
        '<iframe title="App" sandbox="allow-scripts allow-same-origin allow-forms" '
        f'style="border:0;width:100%;height:95vh" src="{server.url}/"></iframe>'
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://localhost:{httpd.server_address[1]}/"
    httpd.shutdown()
    thread.join(60)
    httpd.server_close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def framed(page: Page, url: str) -> FrameLocator:
    page.goto(url)
    return page.frame_locator("iframe")


def add(app: FrameLocator, task: str, price: str = "") -> None:
    form = app.get_by_role("region", name="New todo")
    form.get_by_label("Task", exact=True).fill(task)
    form.get_by_label("Price (EUR)").fill(price)
    form.get_by_role("button", name="Add todo").click()
    expect(app.get_by_role("list").get_by_text(task, exact=True)).to_be_visible(timeout=30_000)
    expect(form.get_by_label("Task", exact=True)).to_have_value("")


def test_an_empty_form_is_refused_and_says_which_field(page: Page, other_site: str) -> None:
    app = framed(page, other_site)
    app.get_by_role("button", name="Add todo").click(timeout=30_000)
    expect(app.get_by_role("alert")).to_have_text("Task is needed.")
    expect(app.get_by_label("Task", exact=True)).to_be_focused()


def test_entries_are_added_ticked_edited_searched_summed_and_deleted(page: Page, other_site: str) -> None:
    app = framed(page, other_site)
    expect(app.get_by_text("No todos yet")).to_be_visible(timeout=30_000)
    add(app, "Buy stamps", "2.50")
    add(app, "Water the plants", "10")
    expect(app.get_by_text("2 todos")).to_be_visible()
    expect(app.get_by_role("definition")).to_have_text(re.compile(r"12[.,]50"))

    app.get_by_role("checkbox", name="Buy stamps: Done").check()
    app.get_by_role("button", name="Edit Buy stamps").click()
    dialog = app.get_by_role("dialog")
    expect(dialog.get_by_label("Done")).to_be_checked()
    dialog.get_by_label("Task", exact=True).fill("Buy more stamps")
    dialog.get_by_label("Priority").select_option("high")
    dialog.get_by_role("button", name="Save changes").click()
    expect(app.get_by_role("list").get_by_text("Buy more stamps")).to_be_visible()
    expect(dialog).to_have_count(0)

    app.get_by_role("searchbox", name="Search").fill("stamps HIGH")
    expect(app.get_by_role("listitem")).to_have_count(1)
    app.get_by_role("searchbox", name="Search").fill("nothing like it")
    expect(app.get_by_text("Nothing matches")).to_be_visible()
    app.get_by_role("searchbox", name="Search").fill("")

    for task in ("Buy more stamps", "Water the plants"):
        app.get_by_role("button", name=f"Delete {task}").click()
        app.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(app.get_by_role("list").get_by_text(task)).to_have_count(0)
    expect(app.get_by_text("No todos yet")).to_be_visible()


def test_the_frame_hears_that_the_app_is_ready_and_where_it_is(page: Page, other_site: str) -> None:
    app = framed(page, other_site)
    expect(app.get_by_role("heading", name="Todo list")).to_be_visible(timeout=30_000)
    page.wait_for_function("told.some((item) => item.type === 'location')")
    told = page.evaluate("told")
    assert all(item["source"] == "mk0r-preview" for item in told)
    assert {"source": "mk0r-preview", "type": "location", "path": "/"} in told


def test_a_failing_server_is_told_and_what_was_typed_is_kept(page: Page, other_site: str) -> None:
    app = framed(page, other_site)
    expect(app.get_by_role("heading", name="Todo list")).to_be_visible(timeout=30_000)
    page.route("**/api/todos", lambda route: route.abort())
    app.get_by_label("Task", exact=True).fill("Kept")
    app.get_by_role("button", name="Add todo").click()
    expect(app.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(app.get_by_label("Task", exact=True)).to_have_value("Kept")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_scrolls_sideways_and_axe_finds_nothing_serious(
    browser: Browser, server: Server, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(server.url)
    created = page.request.post(
        f"{server.url}/api/todos",
        data={"task": "x" * 200, "notes": "long " * 100, "link": "https://example.org/", "priority": "low", "price": 3},
    )
    page.reload()
    expect(page.get_by_role("listitem")).to_have_count(1, timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = [item for item in Axe().run(page).response["violations"] if item["impact"] in ("serious", "critical")]
    page.request.delete(f"{server.url}/api/todos/{created.json()['id']}")
    context.close()
    assert not found, [(item["id"], item["nodes"][0]["html"]) for item in found]


def test_what_went_wrong_is_over_once_the_code_is_mended(page: Page, other_site: str, server: Server) -> None:
    app = framed(page, other_site)
    expect(app.get_by_role("heading", name="Todo list")).to_be_visible(timeout=30_000)
    page.wait_for_function("told.some((item) => item.type === 'ready')")
    source = server.log.parent / "app" / "src" / "App.tsx"
    text = source.read_text()
    source.write_text(text.replace("return (", "missing.call()\n  return (", 1))
    expect(app.get_by_role("alert")).to_contain_text("missing is not defined", timeout=30_000)
    page.wait_for_function("told.at(-1).type === 'error'")  # said after the change, so it counts
    source.write_text(text.replace("Todo list", "Todo list, mended"))
    expect(app.get_by_role("heading", name="Todo list, mended")).to_be_visible(timeout=30_000)
    page.wait_for_function(
        "told.map((item) => item.type).lastIndexOf('ready') > told.findLastIndex((item) => item.type === 'error')"
    )
    source.write_text(text)
    expect(app.get_by_role("heading", name="Todo list", exact=True)).to_be_visible(timeout=30_000)


def test_an_app_that_stops_while_nobody_sees_it_is_not_called_ready_afterwards(
    page: Page, other_site: str, server: Server
) -> None:
    app = framed(page, other_site)
    expect(app.get_by_role("heading", name="Todo list")).to_be_visible(timeout=30_000)
    source = server.log.parent / "app" / "src" / "App.tsx"
    text = source.read_text()
    source.write_text(text.replace("return (", "missing.call()\n  return (", 1))
    try:
        expect(app.get_by_role("alert")).to_contain_text("missing is not defined", timeout=30_000)
        page.evaluate("told.length = 0; frame = document.querySelector('iframe')")
        page.evaluate("frame.style.display = 'none'; frame.src += '?again'")
        page.wait_for_function("told.some((item) => item.type === 'error')", timeout=60_000)
        page.evaluate("frame.style.display = ''")
        page.wait_for_function("told.some((item) => item.type === 'ready')", timeout=60_000)
        assert page.evaluate("told.findLast((item) => item.type !== 'location').type") == "error"
    finally:
        source.write_text(text)
