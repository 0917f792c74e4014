"""What every provider promises: the same tests for all of them, at localcloud and at the vendor itself."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioning.exceptions import VendorError
from provisioning.outcome import Outcome
from provisioning.providers.registry import pause_sandbox
from tests.contract.conftest import REMOTE, Contract, everywhere
from tests.contract.places import ACCOUNTS


@everywhere(REMOTE)
async def test_what_is_made_is_found_by_its_name_and_gone_after_destroy(contract: Contract) -> None:
    step, wanted = contract.step, contract.order()
    assert await contract.find(wanted, many=0) == []
    made = await contract.create(wanted)
    await contract.finish(wanted, made)
    await contract.finish(wanted, made)  # a crash may have it done twice
    found = await contract.find(wanted, many=1)
    assert [one.external_id for one in found] == [made.external_id]
    assert found[0].belongs_to(wanted)
    assert await step.exists(made)
    await contract.destroy(made)
    assert not await step.exists(made)
    assert await contract.find(wanted, many=0) == []
    await contract.destroy(made)  # I-8


@everywhere(REMOTE)
async def test_the_inventory_holds_all_that_was_made_past_the_first_page_and_no_other_names(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = contract.step
    many, page = (2, 1) if step.provider == "e2b" else (5, 2)
    monkeypatch.setattr(sys.modules[type(step).__module__], "_PAGE", page)
    before = datetime.now(UTC)
    made = {(await contract.create(one)).external_id: one for one in [contract.order() for _ in range(many)]}
    other = await contract.create(contract.foreign())
    if step.provider == "e2b":
        assert await pause_sandbox(next(iter(made)))
    listed = await contract.inventory(until=set(made))
    assert {identity: listed[identity].name for identity in made} == {key: one.name for key, one in made.items()}
    assert other.external_id not in listed
    skew = timedelta(seconds=1) if step.local else timedelta(minutes=1)  # clocks differ
    for identity, one in listed.items():
        assert one.name.startswith("mk0r-")
        if identity in made:
            assert one.created_at is not None
            assert before - skew <= one.created_at <= datetime.now(UTC) + skew


@everywhere([step for step in REMOTE if step.adoptable])
async def test_what_is_adopted_brings_the_same_as_what_was_made(contract: Contract) -> None:
    wanted = contract.order()
    made = await contract.create(wanted)
    (found,) = await contract.find(wanted, many=1)
    adopted = await contract.step.adopt(wanted, found)
    assert adopted.external_id == made.external_id
    assert contract.step.env(adopted) == contract.step.env(made)
    assert adopted.meta == made.meta


@everywhere(REMOTE)
async def test_a_name_that_only_resembles_ours_is_not_found(contract: Contract) -> None:
    wanted = contract.order()
    await contract.create(contract.order(wanted.name + "-2"))
    assert await contract.find(wanted, many=0) == []


@everywhere(REMOTE)
async def test_a_wrong_key_is_a_fault_of_configuration(contract: Contract, settings: Any) -> None:
    key = ACCOUNTS[contract.step.provider].key
    right = getattr(settings, key)
    setattr(settings, key, "wrong-key-0000000000000000")
    with pytest.raises(VendorError) as caught:
        await contract.step.create(contract.order())
    setattr(settings, key, right)
    assert caught.value.outcome is Outcome.CONFIG
