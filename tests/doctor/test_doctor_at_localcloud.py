"""Doctor against every stand-in, well and misbehaving, and with keys that are wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from mk0r.doctor.examination import examine
from mk0r.doctor.report import State
from mk0r.vendors import VENDORS
from tests.doctor.conftest import ADDRESS, KEYS, VENDOR, check, look
from tests.fixtures.cloud import ROOT, CloudUnderTest
from tests.fixtures.settings import vendor_values

each = pytest.mark.parametrize("name", [vendor.name for vendor in VENDORS])


@each
async def test_a_stand_in_is_local_reachable_and_well(vendor_settings: CloudUnderTest, name: str) -> None:
    part = await look(name)
    assert (part.state, part.where) == (State.WELL, "local"), part.checks
    assert check(part, "reachable").said == f"127.0.0.1:{vendor_settings.port}"
    assert check(part, "key").state is State.WELL


@pytest.mark.parametrize("name", [vendor.name for vendor in VENDORS if vendor.name != "posthog"])
async def test_a_wrong_key_is_told_from_a_vendor_that_is_out(
    vendor_settings: CloudUnderTest, settings: Any, name: str
) -> None:
    setattr(settings, VENDOR[name].key, KEYS[name])
    part = await look(name)
    assert part.state is State.WRONG
    key = check(part, "key")
    assert "refused the key" in key.said
    assert VENDOR[name].key in key.next
    assert "https://" in key.next


@pytest.mark.parametrize("key", ["phx_0123456789abcdef0123456789", "no key at all"])
async def test_what_is_no_project_key_is_told(vendor_settings: CloudUnderTest, settings: Any, key: str) -> None:
    settings.POSTHOG_PROJECT_KEY = key
    part = await look("posthog")
    assert check(part, "key").state is State.WRONG
    assert "Project API key" in check(part, "key").next


@each
async def test_a_missing_key_names_its_setting(vendor_settings: CloudUnderTest, settings: Any, name: str) -> None:
    setattr(settings, VENDOR[name].key, "")
    if name == "anthropic":
        settings.ANTHROPIC_BASE_URL = "https://api.anthropic.com"
    part = await look(name)
    assert check(part, "key").next.startswith(f"Set {VENDOR[name].key}")


@each
@pytest.mark.parametrize(
    ("fault", "where", "words"),
    [
        ("status:500", "reachable", "answered 500"),
        ("status:503", "reachable", "answered 503"),
        ("status:429", "limits", "throttles for 7 s"),
        ("reset_before", "reachable", "cannot be reached"),
        ("garbage", "reachable", "no JSON"),
        ("truncate", "reachable", "no JSON"),
        ("flood", "reachable", "no JSON"),
    ],
)
async def test_misbehaviour_is_named_and_has_a_next_step(
    vendor_settings: CloudUnderTest, name: str, fault: str, where: str, words: str
) -> None:
    seconds = {"seconds": 7} if fault == "status:429" else {}
    vendor_settings.set_faults([{"vendor": name, "operation": "*", "fault": fault, **seconds}])
    part = await look(name)
    assert part.state is State.WRONG
    assert words in check(part, where).said
    assert check(part, where).next


async def test_vendors_that_hang_cost_one_deadline_together_and_each_says_so(vendor_settings: CloudUnderTest) -> None:
    vendor_settings.set_faults([{"vendor": "*", "operation": "*", "fault": "hang"}])
    began = time.monotonic()
    report = await examine(4)
    took = time.monotonic() - began
    assert took < 20  # one after the other they would take 24
    for part in report.parts:
        if part.part in VENDOR:
            assert part.state is State.WRONG
            assert "within 4 s" in part.checks[-1].said
            assert "make run" in part.checks[-1].next


async def test_one_vendor_that_is_out_hides_nothing_of_the_others(vendor_settings: CloudUnderTest) -> None:
    vendor_settings.set_faults([{"vendor": "neon", "operation": "*", "fault": "status:503"}])
    states = {part.part: part.state for part in (await examine()).parts}
    assert {name for name in VENDOR if states[name] is State.WRONG} == {"neon"}


async def test_a_vendor_whose_port_is_closed_cannot_be_reached(vendor_settings: CloudUnderTest, settings: Any) -> None:
    for name in VENDOR:
        setattr(settings, ADDRESS[name], "http://127.0.0.1:9")
    for part in await asyncio.gather(*(look(name) for name in VENDOR)):
        assert "127.0.0.1:9 cannot be reached" in check(part, "reachable").said


async def test_a_key_that_may_only_send_is_not_enough(vendor_settings: CloudUnderTest, settings: Any) -> None:
    import httpx

    full = {"Authorization": f"Bearer {vendor_settings.keys['resend']}", "User-Agent": "test"}
    made = httpx.post(
        f"{settings.RESEND_API_URL}/api-keys", json={"name": "doctor", "permission": "sending_access"}, headers=full
    ).json()
    settings.RESEND_API_KEY = made["token"]
    key = check(await look("resend"), "key")
    assert (key.state, key.said) == (State.WRONG, "a key that may only send: no session can get one of its own")
    assert "Full access" in key.next


async def test_a_template_that_is_not_there_names_the_command(vendor_settings: CloudUnderTest, settings: Any) -> None:
    settings.E2B_TEMPLATE = "elsewhere"
    template = check(await look("e2b"), "template")
    assert template.said == "elsewhere, of E2B_TEMPLATE, is not there"
    assert "manage.py build_template" in template.next


async def test_a_model_that_is_not_listed_is_told_with_those_that_are(
    vendor_settings: CloudUnderTest, settings: Any
) -> None:
    settings.MK0R_MODEL = "claude-nobody-1"
    model = check(await look("anthropic"), "model")
    assert model.state is State.WRONG
    assert "claude-sonnet-5-5" in model.next


async def test_github_names_its_scopes_and_an_owner_that_is_a_person_is_refused(
    vendor_settings: CloudUnderTest, settings: Any
) -> None:
    part = await look("github")
    assert check(part, "scopes").said == "delete_repo, repo"
    settings.GITHUB_OWNER = "mk0r-local"
    assert "only an organisation" in check(await look("github"), "owner").said
    settings.GITHUB_OWNER = "mk0r-local-org"
    assert check(await look("github"), "owner").state is not State.WRONG
    settings.GITHUB_OWNER = "mk0r-local-nobody"
    assert "is nobody" in check(await look("github"), "owner").said


@pytest.mark.django_db
def test_the_command_prints_json_as_documented_and_lines_without_a_key(
    vendor_settings: CloudUnderTest, settings: Any, tmp_path: Any
) -> None:
    settings.MK0R_VAR = tmp_path
    said = StringIO()
    call_command("doctor", "--json", stdout=said)  # it ends without SystemExit: all is well
    told = json.loads(said.getvalue())
    assert set(told) == {"version", "status", "parts", "refusals"}
    assert (told["version"], told["status"], told["refusals"]) == (1, 0, [])
    assert {part["part"] for part in told["parts"]} == {"database", *VENDOR}
    for part in told["parts"]:
        assert set(part) == {"part", "where", "state", "checks"}
        for one in part["checks"]:
            assert set(one) == {"check", "state", "said", "next"}
            assert one["state"] in ("well", "note", "wrong")
    plain = StringIO()
    call_command("doctor", stdout=plain)
    for key in vendor_settings.keys.values():
        assert key not in said.getvalue() + plain.getvalue()
    settings.E2B_TEMPLATE = "elsewhere"
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=StringIO())
    assert ended.value.code == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MK0R_PORT", "eighty", "MK0R_PORT: invalid literal"),
        ("GITHUB_BUDGET", "80 a minute", "GITHUB_BUDGET: '80 a minute'"),
        ("DATABASE_URL", "postgres://mk0r:sesame/street@db:5x/mk0r", "DATABASE_URL is no database's address"),
    ],
)
def test_settings_that_cannot_be_read_are_named_and_end_with_2(
    cloud: CloudUnderTest, tmp_path: Any, name: str, value: str, words: str
) -> None:
    secrets = {"SECRET_KEY": "x" * 60, "MK0R_ENCRYPTION_KEYS": "x", "MK0R_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]} | vendor_values(cloud) | secrets | {name: value}, timeout=150,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "sesame" not in done.stderr
