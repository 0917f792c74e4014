"""`manage.py doctor`: for each vendor whether it is local or real and whether it answers, and what to do if not."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection

from mk0r.vendors import VENDORS, Vendor, configured, is_local, isolation_refusal, isolation_words, refusals

_SECONDS = 10.0
# A cheap read that only a valid key may make. PostHog's capture key can only write: there, reachability is all.
_PROBES = {
    "neon": ("NEON_API_URL", "/projects?limit=1", "Authorization", "Bearer {}"),
    "resend": ("RESEND_API_URL", "/audiences", "Authorization", "Bearer {}"),
    "github": ("GITHUB_API_URL", "/user", "Authorization", "Bearer {}"),
    "posthog": ("POSTHOG_HOST", "/array/{}/config", "", ""),
    "e2b": ("E2B_API_URL", "/v2/sandboxes?limit=1", "X-API-KEY", "{}"),
    "anthropic": ("ANTHROPIC_BASE_URL", "/v1/models", "x-api-key", "{}"),
}


@dataclass(frozen=True)
class Finding:
    """What was found out about one part, and the next step where it is not well."""

    part: str
    where: str
    ok: bool
    said: str
    next: str = ""


class Command(BaseCommand):
    help = (
        "Check the database and every vendor: local or real, reachable, key valid. Exit status 1 if something is not."
    )
    requires_system_checks = ()  # what they would stop at is told here, beside everything else

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json` for scripts."""
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found; exit with 1 when a part is not well."""
        findings = [_database(), *asyncio.run(_vendors()), *_sandboxes()]
        problems = refusals(configured(settings))
        if options["json"]:
            self.stdout.write(json.dumps({"findings": [asdict(f) for f in findings], "refusals": problems}))
        else:
            for found in findings:
                mark = "ok  " if found.ok else "FAIL"
                self.stdout.write(f"{mark} {found.part:<10} {found.where:<6} {found.said}")
                if found.next:
                    self.stdout.write(f"     {'':<10} {'':<6} -> {found.next}")
            for problem in problems:
                self.stdout.write(f"FAIL {problem}")
        if problems or not all(found.ok for found in findings):
            sys.exit(1)


def _database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            row = cursor.fetchone()
    except DatabaseError as error:
        return Finding(
            "database", "", ok=False, said=str(error).strip(), next="Check DATABASE_URL; `make run` starts one."
        )
    return Finding("database", "", ok=True, said=f"PostgreSQL {row[0]}")


def _sandboxes() -> list[Finding]:
    """How the sandboxes of this machine are kept apart, as localcloud found out; nothing where they are E2B's."""
    if not any(vendor.name == "e2b" and is_local(vendor, settings) for vendor in VENDORS):
        return []
    try:
        cloud = json.loads((settings.MK0R_VAR / "cloud.json").read_text())
        mode = str(cloud["isolation"])
    except (OSError, ValueError, KeyError, TypeError):
        return []  # localcloud does not run, which its vendors' lines say, or is still finding out
    environment = {**configured(settings), "MK0R_ALLOW_UNISOLATED": "1" if settings.MK0R_ALLOW_UNISOLATED else ""}
    problem = isolation_refusal(environment, mode) or str(cloud.get("isolation_trouble", ""))
    return [Finding("sandboxes", "local", ok=not problem, said=isolation_words(mode), next=problem)]


async def _vendors() -> list[Finding]:
    async with httpx.AsyncClient(timeout=_SECONDS, headers={"User-Agent": "mk0r-doctor"}) as client:
        return list(await asyncio.gather(*(_vendor(client, vendor) for vendor in VENDORS)))


async def _vendor(client: httpx.AsyncClient, vendor: Vendor) -> Finding:
    setting, path, header, form = _PROBES[vendor.name]
    base, key = str(getattr(settings, setting)), str(getattr(settings, vendor.key))
    where = "local" if is_local(vendor, settings) else "real"
    if not key:
        return Finding(vendor.label, where, ok=False, said="no key", next=f"Set {vendor.key}, or run `make run`.")
    headers = {header: form.format(key)} if header else {}
    if vendor.name == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
    try:
        answer = await client.get(base + path.format(key), headers=headers)
    except httpx.HTTPError as error:
        said = f"{urlsplit(base).netloc} cannot be reached: {type(error).__name__}"
        return Finding(vendor.label, where, ok=False, said=said, next=f"Check {setting} and the network.")
    if answer.status_code in (401, 403):
        said = f"{urlsplit(base).netloc} refused the key ({answer.status_code})"
        return Finding(vendor.label, where, ok=False, said=said, next=f"Replace {vendor.key}, or give it more rights.")
    if answer.status_code >= 400:
        said = f"{urlsplit(base).netloc} answered {answer.status_code}"
        return Finding(vendor.label, where, ok=False, said=said, next="Try again; see the vendor's status page.")
    return Finding(vendor.label, where, ok=True, said=urlsplit(base).netloc)
