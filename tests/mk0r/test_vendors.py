"""Which combinations of real and local vendors are refused at the start, and how the refusal reads."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mk0r.vendors import cloud_environment, keyless, local_vendors, refusals

ALL_REAL = {
    "NEON_API_KEY": "n", "RESEND_API_KEY": "r", "GITHUB_TOKEN": "g", "POSTHOG_PROJECT_KEY": "p", "E2B_API_KEY": "e",
    "ANTHROPIC_API_KEY": "a", "PUBLIC_URL": "https://apps.example.com", "MK0R_BUDGET_USD": "1.5",
}  # fmt: skip


def test_without_any_key_all_six_are_local_and_nothing_is_refused() -> None:
    assert [vendor.name for vendor in local_vendors({})] == ["posthog", "github", "resend", "e2b", "neon", "anthropic"]
    assert refusals({}) == []


def test_with_every_key_none_is_local() -> None:
    assert local_vendors(ALL_REAL) == []
    assert refusals(ALL_REAL) == []


def test_a_real_sandbox_without_a_public_address_is_refused_by_name() -> None:
    environment = {name: value for name, value in ALL_REAL.items() if name != "PUBLIC_URL"}
    assert any("PUBLIC_URL" in sentence for sentence in refusals(environment))


def test_a_real_sandbox_with_a_local_database_is_refused_by_name() -> None:
    environment = {name: value for name, value in ALL_REAL.items() if name != "NEON_API_KEY"}
    assert [sentence for sentence in refusals(environment) if "NEON_API_KEY" in sentence]


def test_a_real_model_key_on_a_public_address_needs_a_budget() -> None:
    environment = {name: value for name, value in ALL_REAL.items() if name != "MK0R_BUDGET_USD"}
    assert any("MK0R_BUDGET_USD" in sentence for sentence in refusals(environment))


def test_a_model_server_without_a_key_counts_as_real() -> None:
    names = [vendor.name for vendor in local_vendors({"ANTHROPIC_BASE_URL": "http://127.0.0.1:11434"})]
    assert "anthropic" not in names


AS_APP = {
    "GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": "pem", "GITHUB_INSTALLATION_ID": "2", "GITHUB_OWNER": "acme",
}  # fmt: skip


def test_an_app_makes_github_real_as_a_token_does() -> None:
    environment = {name: value for name, value in ALL_REAL.items() if name != "GITHUB_TOKEN"} | AS_APP
    assert local_vendors(environment) == []
    assert refusals(environment) == []


def test_a_token_and_an_app_are_one_too_many() -> None:
    [sentence] = refusals(ALL_REAL | AS_APP)
    assert "GITHUB_TOKEN and GITHUB_APP_ID are both set" in sentence


@pytest.mark.parametrize("name", AS_APP)
def test_half_an_app_is_refused_by_what_is_missing(name: str) -> None:
    environment = {key: value for key, value in AS_APP.items() if key != name}
    [sentence] = refusals(environment)
    assert f"set {name}" in sentence
    assert ("an organisation" in sentence) == (name == "GITHUB_OWNER")


def test_that_github_has_no_key_is_told_and_stops_nothing(settings: Any) -> None:
    settings.GITHUB_API_URL, settings.GITHUB_TOKEN, settings.GITHUB_APP_ID = "https://api.github.com", "", ""
    [sentence] = keyless(settings)
    assert "GITHUB_TOKEN" in sentence
    assert "GITHUB_APP_ID" in sentence
    settings.GITHUB_APP_ID = "1"
    assert keyless(settings) == []
    settings.GITHUB_APP_ID, settings.GITHUB_API_URL = "", "http://127.0.0.1:8001/github"
    assert keyless(settings) == []


def test_local_vendors_get_the_address_and_the_key_of_localcloud() -> None:
    cloud = {"base_url": "http://127.0.0.1:8001", "keys": dict.fromkeys(("neon", "e2b"), "k")}
    chosen = [vendor for vendor in local_vendors({}) if vendor.name in {"neon", "e2b"}]
    assert cloud_environment(cloud, chosen) == {
        "E2B_API_KEY": "k",
        "E2B_API_URL": "http://127.0.0.1:8001/e2b",
        "E2B_SANDBOX_URL": "http://127.0.0.1:8001",
        "NEON_API_KEY": "k",
        "NEON_API_URL": "http://127.0.0.1:8001/neon/api/v2",
        "NEON_CONSOLE_URL": "http://localhost:8001/_cloud/databases",
    }


def test_a_worker_says_so_when_it_starts(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.GITHUB_API_URL, settings.GITHUB_TOKEN, settings.GITHUB_APP_ID = "https://api.github.com", "", ""
    said = io.StringIO()

    def run(job: Any) -> None:
        job.close()

    monkeypatch.setattr("asyncio.run", run)
    call_command("worker", stderr=said)
    assert "GitHub has no key" in said.getvalue()


def test_web_itself_refuses_a_token_and_an_app(settings: Any) -> None:
    settings.GITHUB_TOKEN, settings.GITHUB_APP_ID = "ghp_0123456789", "1"
    with pytest.raises(CommandError, match="GITHUB_TOKEN and GITHUB_APP_ID are both set"):
        call_command("web")


def test_web_itself_refuses_what_cannot_work(settings: Any) -> None:
    settings.PUBLIC_URL, settings.IS_PUBLIC, settings.MK0R_BUDGET_USD = "https://apps.example.com", True, 0.0
    settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = "https://api.anthropic.com", "sk-ant-real"
    with pytest.raises(CommandError, match="MK0R_BUDGET_USD"):
        call_command("web")
