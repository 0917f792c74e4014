"""The token that opens one session's repository: minted once, shared, renewed, and revoked with the session."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async

from provisioning import clock, ledger, repository_access, services, standing
from provisioning.exceptions import NotAdmitted, VendorError
from provisioning.models import RepositoryToken, Resource
from provisioning.outcome import Outcome
from provisioning.providers.registry import step_for
from provisioning.secrets import Secret
from sessions_app import events
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.github_app import app_values
from tests.fixtures.recorder import Recorder, record

STEP = step_for("github", "repository")
MINT = "/github/app/installations/50000001/access_tokens"
in_db = database_sync_to_async


@pytest.fixture
def vendors(vendor_settings: CloudUnderTest, settings: Any) -> CloudUnderTest:
    for name, value in app_values(vendor_settings).items():
        setattr(settings, name, value)
    return vendor_settings


@pytest.fixture
def recorder(vendors: CloudUnderTest, settings: Any) -> Iterator[Recorder]:
    with record(vendors.base_url) as made:
        settings.GITHUB_API_URL = f"{made.base_url}/github"
        yield made


def _session() -> Session:
    session_id = uuid.uuid4()
    return Session.objects.create(id=session_id, slug=slug_for(session_id))


async def repository() -> Resource:
    """A session with nothing but a repository."""
    session = await in_db(_session)()
    row = await in_db(Resource.objects.create)(session=session, provider="github", kind="repository", state="planned",
                                               name=f"mk0r-{session.slug}")  # fmt: skip
    made = await STEP.create(await in_db(ledger.order_for)(await in_db(ledger.row)(row.pk)))
    await in_db(Resource.objects.filter(pk=row.pk).update)(state="ready", attempt=1, external_id=made.external_id)
    return await in_db(ledger.row)(row.pk)


def kept(row: Resource) -> list[RepositoryToken]:
    return list(RepositoryToken.objects.filter(resource=row))


async def opens(token: Secret, row: Resource) -> int:
    from provisioning import http

    headers, url = {"Authorization": f"Bearer {token.expose()}"}, f"{STEP.base_url}/repos/{row.external_id}"
    return (await http.exchange("github", "GET", url, headers=headers)).status


async def test_with_a_personal_token_that_is_what_opens_it(
    vendor_settings: CloudUnderTest, transactional_db: None
) -> None:
    row = await repository()
    token = await repository_access.credential(row)
    assert token.expose() == vendor_settings.keys["github"]
    assert not await in_db(repository_access.refused)(row, token)
    await repository_access.end(row)
    assert await opens(token, row) == 200  # it is mk0r's own and lives on
    assert await in_db(kept)(row) == []


async def test_all_who_want_it_get_the_one_that_was_minted(recorder: Recorder, transactional_db: None) -> None:
    row, other = await repository(), await repository()
    before = len(recorder.of(MINT))
    tokens = {one.expose() for one in await asyncio.gather(*(repository_access.credential(row) for _ in range(6)))}
    assert len(tokens) == 1
    assert len(recorder.of(MINT)) == before + 1
    token = await repository_access.credential(row)
    assert [await opens(token, row), await opens(token, other)] == [200, 404]
    assert (await repository_access.credential(other)).expose() not in tokens
    [held] = await in_db(kept)(row)
    assert token.expose() not in held.ciphertext
    assert timedelta(minutes=48) < held.fresh_until - await in_db(clock.now)() < timedelta(minutes=51)


async def test_it_is_renewed_before_its_end_and_when_it_is_taken_no_more(
    recorder: Recorder, vendors: CloudUnderTest, transactional_db: None
) -> None:
    row = await repository()
    first = await repository_access.credential(row)
    await in_db(RepositoryToken.objects.update)(fresh_until=await in_db(clock.now)())
    second = await repository_access.credential(row)
    assert second != first
    assert await in_db(repository_access.refused)(row, first)
    assert await repository_access.credential(row) == second
    assert await in_db(repository_access.refused)(row, second)
    assert await repository_access.credential(row) not in {first, second}
    assert len(await in_db(kept)(row)) == 3  # each is revoked in the end
    await in_db(RepositoryToken.objects.update)(
        expires_at=await in_db(clock.now)(), fresh_until=await in_db(clock.now)()
    )
    await repository_access.credential(row)
    assert len(await in_db(kept)(row)) == 1  # those whose hour is over are not


async def test_it_is_kept_out_of_what_is_written(
    vendors: CloudUnderTest, settings: Any, transactional_db: None
) -> None:
    row = await repository()
    token = await repository_access.credential(row)
    secrets = await in_db(events.secrets_of)(row.session)
    assert token.expose() in secrets
    assert settings.GITHUB_APP_PRIVATE_KEY in secrets
    other = await repository()
    assert token.expose() not in await in_db(events.secrets_of)(other.session)
    assert token.expose() not in await in_db(services.env_text)(row.session)


async def test_it_is_revoked_when_the_session_ends(vendors: CloudUnderTest, transactional_db: None) -> None:
    row = await repository()
    token, spare = await repository_access.credential(row), None
    await in_db(RepositoryToken.objects.update)(fresh_until=await in_db(clock.now)())
    spare = await repository_access.credential(row)
    vendors.set_faults([{"vendor": "github", "operation": "revoke_installation_token", "fault": "status:500"}])
    await in_db(services.request_teardown)(row.session)
    await services.converge(row.session_id)
    assert (await in_db(ledger.row)(row.pk)).state == "deleting"  # nothing is gone while it opens something
    assert [await opens(one, row) for one in (token, spare)] == [200, 200]
    vendors.clear_faults()
    await in_db(Resource.objects.filter(pk=row.pk).update)(next_at=None)
    await services.converge(row.session_id)
    assert (await in_db(ledger.row)(row.pk)).state == "gone"
    assert [await opens(one, row) for one in (token, spare)] == [401, 401]
    assert await in_db(kept)(row) == []


async def test_one_that_comes_after_the_end_is_revoked_at_once(
    recorder: Recorder, vendors: CloudUnderTest, transactional_db: None
) -> None:
    row = await repository()
    vendors.set_faults([{"vendor": "github", "operation": "create_installation_token", "fault": "late", "seconds": 4}])
    asking = asyncio.create_task(repository_access.credential(row))
    await asyncio.to_thread(vendors.await_fault)
    await in_db(Resource.objects.filter(pk=row.pk).update)(state="deleting")
    with pytest.raises(VendorError) as caught:
        await asking
    assert caught.value.outcome is Outcome.REJECTED
    assert [one.status for one in recorder.of("/github/installation/token", "DELETE")] == [204]
    assert await in_db(kept)(row) == []


async def test_a_vendor_that_asks_for_peace_is_not_asked_for_tokens(
    recorder: Recorder, vendors: CloudUnderTest, transactional_db: None
) -> None:
    row = await repository()
    fault = {"vendor": "github", "operation": "create_installation_token", "fault": "status:403", "retry_after": "40"}
    vendors.set_faults([fault])
    with pytest.raises(VendorError):
        await repository_access.credential(row)
    vendors.clear_faults()
    before = len(recorder.of(MINT))
    with pytest.raises(NotAdmitted) as caught:
        await repository_access.credential(row)
    assert 30 < caught.value.retry_in <= 40
    assert len(recorder.of(MINT)) == before
    assert (await in_db(standing.of)("github")).paused_until


async def test_a_repository_that_was_given_away_takes_its_token_no_more(
    vendors: CloudUnderTest, transactional_db: None
) -> None:
    row = await repository()
    token = await repository_access.credential(row)
    await repository_access.end_quietly(row)
    assert await opens(token, row) == 401
    vendors.set_faults([{"vendor": "github", "operation": "revoke_installation_token", "fault": "status:500"}])
    await repository_access.credential(row)
    await repository_access.end_quietly(row)
    assert len(await in_db(kept)(row)) == 1
