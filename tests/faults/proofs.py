"""Whether the secrets that sessions were given open what they are for: asked of the vendors, not of our rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import aiohttp
import psycopg

from provisioning import envfile
from tests.faults.house import House
from tests.faults.visitors import Visit, Visitors

_AT_A_TIME = 10


async def lost_secrets(house: House, visitors: Visitors, visits: Iterable[Visit]) -> list[str]:
    """Of open sessions: what a ready leg's `.env` entries lack or cannot open. Vendors have to behave meanwhile."""
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def one(visit: Visit) -> list[str]:
        async with gate:
            return await _lost(house, visitors, visit)

    return [what for its in await asyncio.gather(*(one(visit) for visit in visits)) for what in its]


async def _lost(house: House, visitors: Visitors, visit: Visit) -> list[str]:
    state = await visitors.ask("GET", f"/{visit.slug}", visit)
    ready = {one["provider"] for one in state["resources"] if one["state"] == "ready"}
    entries = envfile.parse(await visitors.env(visit))
    lost = []
    if "neon" in ready and not await _opens(entries.get("DATABASE_URL", "")):
        lost.append(f"{visit.slug} DATABASE_URL")
    if "resend" in ready and not await _authenticates(house, entries.get("RESEND_API_KEY", "")):
        lost.append(f"{visit.slug} RESEND_API_KEY")
    return lost


async def _opens(url: str) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(url or "postgres://127.0.0.1:1/", connect_timeout=10) as held:
            await held.execute("select 1")
    except psycopg.Error:
        return False
    return True


async def _authenticates(house: House, key: str) -> bool:
    """A sending key is refused everything but sending, in other words than one that is not known."""
    url = f"{house.cloud.base_url}/resend/api-keys"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Authorization": f"Bearer {key or 're_none'}"}) as answer,
    ):
        said = await answer.json()
        return answer.status == 200 or said.get("name") == "restricted_api_key"
