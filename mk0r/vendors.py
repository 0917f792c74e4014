"""Which vendors are real and which are stand-ins, and which combinations can work.

A vendor is real when its key is set. A sandbox in E2B's cloud reaches only what the internet reaches, so it needs a
PUBLIC_URL, and no vendor whose address only this machine knows may stand in a `.env` there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Vendor:
    """One vendor: the setting that makes it real, and the settings that point at its stand-in."""

    name: str
    label: str
    key: str
    addresses: Mapping[str, str]  # setting -> path below localcloud's base URL
    in_env: bool  # whether the sandbox itself speaks to it, by an address in `/app/.env`
    other_key: str = ""  # a setting that makes it real as well, in place of `key`
    pages: Mapping[str, str] = field(default_factory=dict)  # setting -> where a person looks, below localcloud's

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings of which one makes it real."""
        return (self.key, self.other_key) if self.other_key else (self.key,)


VENDORS = (
    Vendor("posthog", "PostHog", "POSTHOG_PROJECT_KEY", {"POSTHOG_HOST": "/posthog"}, in_env=True),
    Vendor(
        "github",
        "GitHub",
        "GITHUB_TOKEN",
        {"GITHUB_API_URL": "/github", "GITHUB_GIT_URL": "/github/git"},
        in_env=False,
        other_key="GITHUB_APP_ID",
    ),
    Vendor("resend", "Resend", "RESEND_API_KEY", {"RESEND_API_URL": "/resend"}, in_env=False),
    Vendor("e2b", "E2B", "E2B_API_KEY", {"E2B_API_URL": "/e2b", "E2B_SANDBOX_URL": ""}, in_env=False),
    Vendor(
        "neon",
        "Neon",
        "NEON_API_KEY",
        {"NEON_API_URL": "/neon/api/v2"},
        in_env=True,
        pages={"NEON_CONSOLE_URL": "/_cloud/databases"},
    ),
    Vendor("anthropic", "Anthropic", "ANTHROPIC_API_KEY", {"ANTHROPIC_BASE_URL": "/anthropic"}, in_env=False),
)
# What an App needs besides the setting that says that it is one.
GITHUB_APP = ("GITHUB_APP_PRIVATE_KEY", "GITHUB_INSTALLATION_ID")


def local_vendors(environment: Mapping[str, str]) -> list[Vendor]:
    """Vendors whose key is not in `environment`, and whose address nobody set: localcloud stands in for them.

    A model server that wants no key (`ANTHROPIC_BASE_URL` alone) counts as real.
    """
    return [
        vendor for vendor in VENDORS if not any(environment.get(name) for name in (*vendor.keys, *vendor.addresses))
    ]


def refusals(environment: Mapping[str, str]) -> list[str]:
    """Why these settings cannot work together, each a sentence that names what is missing; empty when they can."""
    local = {vendor.name for vendor in local_vendors(environment)}
    found = []
    if "e2b" not in local:
        if not environment.get("PUBLIC_URL"):
            found.append("E2B_API_KEY is set, but a sandbox in E2B's cloud cannot reach this machine: set PUBLIC_URL.")
        found += [
            f"E2B_API_KEY is set, but {vendor.label} is local, and a sandbox in E2B's cloud cannot reach it: "
            f"set {vendor.key}."
            for vendor in VENDORS
            if vendor.in_env and vendor.name in local
        ]
    budget = environment.get("MK0R_BUDGET_USD", "")
    public = environment.get("PUBLIC_URL", "")
    if environment.get("ANTHROPIC_API_KEY") and public and not is_this_machine(public) and not budget:
        found.append("A real ANTHROPIC_API_KEY on a public address needs a limit: set MK0R_BUDGET_USD.")
    return found + _github_refusals(environment)


def _github_refusals(environment: Mapping[str, str]) -> list[str]:
    """mk0r is at GitHub by a token, or as an App with all that an App needs."""
    as_app = [name for name in ("GITHUB_APP_ID", *GITHUB_APP) if environment.get(name)]
    if not as_app:
        return []
    if environment.get("GITHUB_TOKEN"):
        return [f"GITHUB_TOKEN and {as_app[0]} are both set: mk0r is at GitHub by a token or as an App. Unset one."]
    needed = ("GITHUB_APP_ID", *GITHUB_APP, "GITHUB_OWNER")
    missing = [name for name in needed if not environment.get(name)]
    if not missing:
        return []
    why = " (an organisation: an App makes no repositories for a person)" if "GITHUB_OWNER" in missing else ""
    return [f"{as_app[0]} is set, and an App needs more: set {' and '.join(missing)}{why}."]


def isolation_refusal(environment: Mapping[str, str], mode: str) -> str | None:
    """Why a real model may not drive the sandboxes of this machine in `mode`, as `cloud.json` names it; None if it may.

    A model server on this machine that wants no key counts as the person's own affair.
    """
    if mode != "plain" or environment.get("MK0R_ALLOW_UNISOLATED", "").lower() in {"1", "true", "yes", "on"}:
        return None
    if "e2b" not in {vendor.name for vendor in local_vendors(environment)}:
        return None
    address = environment.get("ANTHROPIC_BASE_URL", "")
    if not environment.get("ANTHROPIC_API_KEY") and (not address or is_this_machine(address)):
        return None
    cause = "ANTHROPIC_API_KEY" if environment.get("ANTHROPIC_API_KEY") else "ANTHROPIC_BASE_URL"
    return (
        f"{cause} is set, but nothing isolates sandboxes on this machine: a real model would run its commands as your "
        "user, with your files. Install bubblewrap or allow user namespaces, set E2B_API_KEY for sandboxes in E2B's "
        "cloud, or set MK0R_ALLOW_UNISOLATED=1 to allow it as it is."
    )


def is_this_machine(url: str) -> bool:
    """Whether an address leads to loopback."""
    host = (urlsplit(url).hostname or "").lower()
    return host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127.")


def isolation_words(mode: str) -> str:
    """The isolation mode of `cloud.json` for a person."""
    return {
        "plain": "plain processes, not isolated",
        "none": "none can be started (MK0R_ISOLATION asks for what does not work here)",
    }.get(mode, f"isolated by {mode}")


def is_local(vendor: Vendor, settings: Any) -> bool:
    """Whether the product's settings point `vendor` at this machine."""
    return is_this_machine(str(getattr(settings, next(iter(vendor.addresses)))))


def configured(settings: Any) -> dict[str, str]:
    """The product's settings as the start judges them: a stand-in's key is not a key, loopback is no public address."""
    values = {
        "PUBLIC_URL": settings.PUBLIC_URL if settings.IS_PUBLIC else "",
        "MK0R_BUDGET_USD": str(settings.MK0R_BUDGET_USD or ""),
    }
    for vendor in VENDORS:
        if not is_local(vendor, settings):
            values |= {name: str(getattr(settings, name, "")) for name in vendor.keys}
    github = ("GITHUB_TOKEN", "GITHUB_APP_ID", *GITHUB_APP, "GITHUB_OWNER")
    return values | {name: str(getattr(settings, name, "")) for name in github}


def keyless(settings: Any) -> list[str]:
    """What will be missing for want of a key, each a sentence: no reason not to start, but one to be told."""
    github = next(vendor for vendor in VENDORS if vendor.name == "github")
    if is_local(github, settings) or any(getattr(settings, name, "") for name in github.keys):
        return []
    more = " and ".join((*GITHUB_APP, "GITHUB_OWNER"))
    return [f"GitHub has no key, so sessions get no repository: set GITHUB_TOKEN, or GITHUB_APP_ID with {more}."]


def cloud_environment(cloud: Mapping[str, Any], local: list[Vendor]) -> dict[str, str]:
    """Settings that point `local` vendors at the localcloud described by its `cloud.json`."""
    base, keys = str(cloud["base_url"]), cloud["keys"]
    settings: dict[str, str] = {}
    for vendor in local:
        settings[vendor.key] = str(keys[vendor.name])
        settings.update({name: f"{base}{path}" for name, path in vendor.addresses.items()})
        # A person's cookie there is one of the name localhost.
        settings.update({name: f"http://localhost:{urlsplit(base).port}{path}" for name, path in vendor.pages.items()})
    return settings
