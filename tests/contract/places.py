"""The two places where the contract holds: localcloud, and the vendor itself where a `LIVE_…` key says that it may.

The names begin with `LIVE_` so that keys which happen to be in the environment cost nobody money by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "mk0r-live-test-"  # no slug: every installation's sweep takes it for a stranger's and leaves it alone
FOREIGN = f"not-{PREFIX}one"  # has ours in it, but does not begin with it; the same in every run, so that it is found


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tests run, and how long an answer may take to be true there, in seconds."""

    name: str
    patience: float
    pause: float


LOCAL = Place("localcloud", patience=60, pause=0.1)
LIVE = Place("live", patience=90, pause=1)


@dataclass(frozen=True, slots=True)
class Account:
    """What a real vendor is spoken to with: the setting of the key, and the others with their defaults."""

    key: str
    settings: Mapping[str, str]


ACCOUNTS = {
    "neon": Account("NEON_API_KEY", {"NEON_API_URL": "https://console.neon.tech/api/v2", "NEON_ORG_ID": ""}),
    "resend": Account("RESEND_API_KEY", {"RESEND_API_URL": "https://api.resend.com", "RESEND_DOMAIN_ID": ""}),
    "github": Account("GITHUB_TOKEN", {"GITHUB_API_URL": "https://api.github.com", "GITHUB_OWNER": ""}),
    "e2b": Account(
        "E2B_API_KEY", {"E2B_API_URL": "https://api.e2b.app", "E2B_SANDBOX_URL": "", "E2B_TEMPLATE": "base"}
    ),
}


def live_settings(provider: str, environment: Mapping[str, str]) -> dict[str, str] | None:
    """The product's settings for the real vendor, None where no key says that it may be asked."""
    account = ACCOUNTS[provider]
    key = environment.get(f"LIVE_{account.key}")
    if not key:
        return None
    others = {name: environment.get(f"LIVE_{name}") or default for name, default in account.settings.items()}
    return {account.key: key} | {name: value.rstrip("/") for name, value in others.items()}
