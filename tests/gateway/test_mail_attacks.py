"""Ways round the mail door: paths that climb, mails that are not counted, leases that have run out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from django.utils import timezone
from yarl import URL

from gateway.models import MailSend
from provisioning.models import Credential
from sessions_app.models import Session
from tests.gateway.conftest import Upstream, in_db

MAIL = {"from": "Shop <shop@mail.example>", "to": ["ben@example.org"], "subject": "Hi", "text": "Hello"}


@pytest.fixture
def door(site: str, upstream: Upstream, settings: Any) -> str:
    settings.RESEND_API_URL = upstream.url
    upstream.answer = everything
    return f"{site}/gateway/mail"


async def everything(request: web.Request) -> web.Response:
    """A vendor whose every list holds Ada's audience, so that only the path keeps a caller out."""
    return web.json_response({"data": [{"id": "aud-ada"}, {"id": "aud-mallory"}]})


async def test_no_contact_climbs_out_of_the_list_of_contacts(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any
) -> None:
    for contact in ("%2e%2e", "%2e", "..%2e", "..", ".", "%252e%252e", "a%2fb", "..%5c", "%2e%2e;", "..%23"):
        for tail in ("", "/segments", "/segments/aud-ada"):
            url = URL(f"{door}/contacts/{contact}{tail}", encoded=True)
            async with http.get(url, headers={"Authorization": f"Bearer {mail_key(ada)}"}) as response:
                assert response.status >= 400
    assert not upstream.seen


async def test_a_mail_whose_sender_hangs_up_still_counts(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, settings: Any
) -> None:
    """Otherwise every mail would be free of the limit by breaking off right after it was taken."""
    taken = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        taken.set()
        await asyncio.sleep(120)
        return web.Response()

    settings.MK0R_MAIL_LIMIT = 1
    upstream.answer = slow
    headers = {"Authorization": f"Bearer {mail_key(ada)}"}
    sending = asyncio.create_task(http.post(f"{door}/emails", json=MAIL, headers=headers).__aenter__())
    await asyncio.wait_for(taken.wait(), 30)
    sending.cancel()
    await asyncio.wait_for(upstream.cancelled.wait(), 30)
    for _ in range(1500):
        if await in_db(MailSend.objects.exists):
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert [send.refused for send in await in_db(lambda: list(MailSend.objects.all()))] == [False]


@pytest.mark.parametrize("status", [500, 200])
async def test_a_mail_whose_fate_is_unknown_counts(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, status: int
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text="<h1>maybe")

    upstream.answer = answer
    async with http.post(f"{door}/emails", json=MAIL, headers={"Authorization": f"Bearer {mail_key(ada)}"}) as response:
        assert response.status >= 500
    assert [send.refused for send in await in_db(lambda: list(MailSend.objects.all()))] == [False]


async def test_recipients_in_one_string_are_counted_each(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, settings: Any
) -> None:
    settings.MK0R_MAIL_LIMIT = 3
    mail = MAIL | {"to": "a@b.c, d@e.f", "bcc": ["g@h.i, j@k.l"]}
    async with http.post(f"{door}/emails", json=mail, headers={"Authorization": f"Bearer {mail_key(ada)}"}) as response:
        assert response.status == 429


@pytest.mark.parametrize(
    "sender",
    [
        "a@evil.example, <shop@mail.example>",
        "shop@mail.example>, <a@evil.example",
        "x <a@evil.example> <s@mail.example>",
    ],
)
async def test_a_sender_that_two_parsers_read_differently_is_refused(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, sender: str
) -> None:
    headers = {"Authorization": f"Bearer {mail_key(ada)}"}
    async with http.post(f"{door}/emails", json=MAIL | {"from": sender}, headers=headers) as response:
        assert response.status == 403
    assert not upstream.seen


async def test_a_key_is_dead_when_its_lease_has_run_out(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any
) -> None:
    """Also while nobody has got round to ending the session (I-12, I-14)."""

    def run_out() -> None:
        past = timezone.now() - timedelta(seconds=1)
        Session.objects.filter(pk=ada.pk).update(expires_at=past)
        Credential.objects.filter(resource__session=ada).update(expires_at=past)

    await in_db(run_out)
    async with http.post(f"{door}/emails", json=MAIL, headers={"Authorization": f"Bearer {mail_key(ada)}"}) as response:
        assert response.status == 403
    assert not upstream.seen
