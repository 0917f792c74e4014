"""F9: vendors answer garbage with a straight face. Each answer gets a class; nothing of it is stored, nothing escapes.

Two servers of our own play the vendor: one that always says the same, for whole sessions; one that says what Hypothesis
thinks of (25 answers for each session of the size), for every verb of every step.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.ground import begin, ground

TITLE = "garbage is classified, never stored, and raises nothing but what is expected of a vendor"
SMALL, FULL = 6, 200
PER_SESSION = 25
NAME = "mk0r-abcdefghijkl"
HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
VENDORS = ("github", "resend", "neon")


def like_the_real_thing(identity: Any, name: Any = NAME) -> bytes:
    """One body that fits every vendor's create and list, but for an id and a name of our choice."""
    item = {"id": identity, "name": name, "full_name": identity, "token": "re_12345678", "private": True}
    item["html_url"] = "http://github.test/acme/app"
    uri = {"connection_uri": "postgresql://owner:secret-pass@db.test/neondb"}
    return json.dumps({**item, "project": item, "projects": [item], "data": [item], "connection_uris": [uri]}).encode()


BODIES: dict[str, bytes] = {
    "html": HTML,
    "empty": b"",
    "cut": like_the_real_thing("abc")[:40],
    "null": b"null",
    "list": b"[]",
    "number": b"7",
    "deep": b"[" * 100_000,
    "not utf-8": b'{"id": "\xff\xfe"}',
    "nan": b'{"id": NaN}',
    "twice": b'{"id": "a", "id": null}',
    "null id": like_the_real_thing(None),
    "number id": like_the_real_thing(7),
    "object id": like_the_real_thing({"$ne": 1}),
    "path id": like_the_real_thing("../../admin"),
    "encoded path id": like_the_real_thing("..%2f..%2fadmin"),
    "url id": like_the_real_thing("http://169.254.169.254/"),
    "line id": like_the_real_thing("abc\r\nX-Evil: 1"),
    "empty id": like_the_real_thing(""),
    "long id": like_the_real_thing("a" * 5000),
    "nul id": like_the_real_thing("a\x00b"),
    "megabyte name": like_the_real_thing("../x", "n" * 1_000_000),
}


class Liar:
    """An HTTP server that answers every request with `status` and `body`."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0].strip()
                await reader.readexactly(int(length or 0))
                writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n" % self.status)
                writer.write(b"Content-Length: %d\r\n\r\n" % len(self.body) + self.body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def lying(self) -> AsyncIterator[None]:
        """Be every vendor but E2B while the block runs."""
        from django.conf import settings as product

        listening = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        names = [f"{vendor.upper()}_API_URL" for vendor in VENDORS]
        usual = {name: getattr(product, name) for name in names}
        try:
            for name in names:
                setattr(product, name, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
            yield
        finally:
            for name, value in usual.items():
                setattr(product, name, value)
            listening.close()


async def whole_session(liar: Liar, body: bytes) -> None:
    """A session at whom every vendor throws `body`: its legs fail in words, and no row holds anything of it."""
    from channels.db import database_sync_to_async

    from provisioning import services

    liar.status, liar.body = 200, body
    session = await database_sync_to_async(begin)()
    await services.converge(session.pk)

    def check() -> None:
        for row in session.resources.filter(provider__in=VENDORS):
            told = f"{row} after {body[:60]!r}"
            assert row.state == ("planned" if row.kind == "api_key" else "failed"), f"{told} is {row.state}"
            assert (row.external_id, row.url, row.meta) == ("", "", {}), f"{told} holds {row.external_id!r} {row.meta}"
            assert not row.credentials.exists(), f"{told} holds a secret"
            assert row.state == "planned" or row.error["message"], f"{told} says nothing"
            assert len(json.dumps(row.error)) < 1000, f"{told} repeats what the vendor wrote"

    await database_sync_to_async(check)()


answers = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(list(BODIES.values())),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["id", "name", "token", "project", "projects", "data", "full_name", "uri", "databases"])
                | st.text(max_size=8),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.builds(like_the_real_thing, st.text(max_size=60), st.text(max_size=60)),
)


def harmless(made: Any) -> None:
    """What a step took for an id can be put into a path and into a row."""
    parts = made.external_id.split("/")
    assert 0 < len(made.external_id) <= 200, f"{made.external_id!r} was taken for an id"
    assert len(parts) <= 2, f"{made.external_id!r} was taken for an id"
    for part in parts:
        assert part.isascii(), f"{made.external_id!r} was taken for an id"
        assert part.strip(".").replace("-", "").replace("_", "").replace(".", "").isalnum(), f"{made.external_id!r}"


async def every_verb(step: Any, order: Any, found: Any, made: Any) -> int:
    """Ask the liar everything a step can ask; how many answers were taken for good."""
    from provisioning.exceptions import VendorError

    taken = 0
    for ask in (
        lambda: step.create(order),
        lambda: step.find(order),
        lambda: step.adopt(order, found) if step.adoptable else step.find(order),
        lambda: step.exists(made),
        lambda: step.destroy(made),
    ):
        try:
            answer = await ask()
        except VendorError:
            continue
        taken += 1
        if isinstance(answer, type(made)):
            harmless(answer)
        for one in answer if isinstance(answer, list) else []:
            harmless(one)
    return taken


def fuzz(run: Callable[[Any], Any], liar: Liar, examples: int) -> dict[str, int]:
    """Every step under `examples` answers Hypothesis thinks of."""
    from provisioning.providers.base import Found, Made, Order
    from provisioning.providers.registry import STEPS

    now = datetime.now(UTC)
    order = Order(NAME[5:], NAME, 1, now, now + timedelta(hours=1))
    counts = {"answers": 0, "taken": 0}
    steps = [step for step in STEPS if step.provider in VENDORS]

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(status=st.sampled_from([200, 201, 201, 202, 204, 400, 404, 409, 422, 500]), body=answers)
    def throw(status: int, body: bytes) -> None:
        liar.status, liar.body = status, b"" if status == 204 else body
        for step in steps:
            external_id = "acme/app" if step.provider == "github" else "abc"
            found = Found(external_id, now, {"html_url": "http://github.test/acme/app"})
            counts["taken"] += run(every_verb(step, order, found, Made(external_id)))
        counts["answers"] += 1

    throw()
    return counts


def run(size: int, scratch: Path) -> dict[str, object]:
    """`size` sessions under fixed garbage, `size` × 25 answers out of Hypothesis."""
    with ground(scratch, E2B_API_KEY="") as _, asyncio.Runner() as runner:
        from provisioning import http, work

        work.backoff = lambda tries: 0.01 * tries
        liar = Liar()

        async def sessions() -> None:
            async with liar.lying():
                kinds = list(BODIES.values())
                for number in range(size):
                    # The last kinds first: a small run sees those that look most like the truth.
                    await whole_session(liar, kinds[-1 - number % len(kinds)])

        runner.run(sessions())
        lying = liar.lying()
        runner.run(lying.__aenter__())
        counts = fuzz(runner.run, liar, size * PER_SESSION)
        runner.run(lying.__aexit__(None, None, None))
        runner.run(http.close_clients())
        return {"sessions": size, "escaped": 0, "stored": 0, **counts}
