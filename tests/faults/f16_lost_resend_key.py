"""F16: Resend mints a key and the answer is lost. The token was shown to nobody, so the key goes and another comes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.ground import begin, ground

TITLE = "a key whose reply was lost is deleted, another is minted, and exactly one lives: the one we hold"
SMALL, FULL = 4, 200
LOSSES = ["reset_after", "garbage", "truncate"]


def sends(under: Any, key: str) -> bool:
    """Whether Resend lets `key` send."""
    mail = {"from": "app@mk0r.test", "to": ["ada@example.com"], "subject": "Hello", "text": "Hello"}
    answer = httpx.post(
        f"{under.environment['RESEND_API_URL']}/emails", json=mail, headers={"Authorization": f"Bearer {key}"}
    )
    return answer.status_code == 200


def key_of(session: Any) -> str:
    """The key the session's `.env` holds; synchronous database code."""
    from provisioning import services

    return services.env_entries(session)["RESEND_API_KEY"].expose()


async def lose_and_mend(under: Any, session: Any, loss: str) -> None:
    """Converge with every minted key's reply lost, until the leg is in doubt for it; then with none lost."""
    from provisioning import services, signals

    doubted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear(sender: object, session_id: Any, provider: str, state: str, kind: str, **_: Any) -> None:
        if (session_id, provider, state, kind) == (session.pk, "resend", "unknown", "api_key"):
            loop.call_soon_threadsafe(doubted.set)

    under.cloud.set_faults([{"vendor": "resend", "operation": "create_api_key", "fault": loss}])
    signals.resource_changed.connect(hear)
    try:
        converging = asyncio.ensure_future(services.converge(session.pk))
        await asyncio.wait({converging, asyncio.ensure_future(doubted.wait())}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(under.cloud.clear_faults)
        await converging
    finally:
        signals.resource_changed.disconnect(hear)


async def one(under: Any, number: int) -> int:
    """One session; how many keys were minted for it."""
    from channels.db import database_sync_to_async

    from provisioning import services

    session = await database_sync_to_async(begin)()
    await lose_and_mend(under, session, LOSSES[number % len(LOSSES)])
    minted = under.cloud.ledger(vendor="resend", kind="api_key", name=f"mk0r-{session.slug}")
    live = [key for key in minted if not key["deleted_at"]]
    assert len(minted) >= 2, "no reply was lost"
    assert len(live) == 1, f"{len(live)} keys of one session live"
    assert live[0]["id"] == minted[-1]["id"], "an old key outlived the new one"
    row = await database_sync_to_async(session.resources.get)(provider="resend", kind="api_key")
    assert (row.state, row.external_id) == ("ready", live[0]["id"]), f"{row} is {row.state} and names {row.external_id}"
    assert sends(under, await database_sync_to_async(key_of)(session)), "the key we hold cannot send"
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    assert not under.cloud.live(vendor="resend", kind="api_key", name=f"mk0r-{session.slug}"), "a key outlived its app"
    return len(minted)


async def measure(under: Any, size: int) -> dict[str, Any]:
    from provisioning import http

    minted = [await one(under, number) for number in range(size)]
    await http.close_clients()
    return {"sessions": size, "minted": sum(minted), "live_per_session": 1, "left": 0}


def run(size: int, scratch: Path) -> dict[str, object]:
    """Lose the key of `size` sessions."""
    with ground(scratch, E2B_API_KEY="") as under:
        return asyncio.run(measure(under, size))
