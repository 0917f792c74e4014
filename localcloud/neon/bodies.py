"""The JSON that Neon's API answers with about projects and accounts, and its errors.

Member names and their presence follow the published description of API v2. Consumption figures are zero: nothing is
metered here.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from localcloud.neon.accounts import OURS, Account
from localcloud.neon.branches import BRANCHES_LIMIT
from localcloud.neon.operations import Operation
from localcloud.store import Object

HOST = "127.0.0.1"
CREATION_SOURCE = "localcloud"


def error(status: int, message: str, code: str = "", request_id: str = "") -> web.Response:
    """An error in Neon's form, under the id that the client chose for its request, or one of ours."""
    request_id = request_id or str(uuid.uuid4())
    return web.json_response(
        {"code": code, "message": message, "request_id": request_id},
        status=status,
        headers={"x-neon-ret-request-id": request_id},
    )


def seconds(moment: str) -> str:
    """A moment of the store as Neon writes it: UTC, whole seconds."""
    return moment[:19] + "Z"


def project(item: Object, version: int, *, listed: bool = False) -> dict[str, Any]:
    """A `Project`, or with *listed* a `ProjectListItem`, which lacks the consumption figures."""
    wishes = item.data["wishes"]
    owner = item.data.get("organization", OURS)
    settings = {"allowed_ips": {"ips": [], "protected_branches_only": False}, "enable_logical_replication": False}
    endpoint = {"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25, "suspend_timeout_seconds": 0}
    body = {
        "id": item.id,
        "platform_id": "aws",
        "region_id": wishes.get("region_id") or "aws-us-east-2",
        "name": item.name,
        "provisioner": CREATION_SOURCE,
        "default_endpoint_settings": endpoint | (wishes.get("default_endpoint_settings") or {}),
        "settings": settings | (wishes.get("settings") or {}),
        "pg_version": version,
        "proxy_host": HOST,
        "branch_logical_size_limit": 512,
        "branch_logical_size_limit_bytes": 512 * 1024 * 1024,
        "store_passwords": wishes.get("store_passwords", True),
        "active_time": 0,
        "cpu_used_sec": 0,
        "creation_source": CREATION_SOURCE,
        "created_at": seconds(item.created_at),
        "updated_at": seconds(item.data["updated_at"]),
        "owner_id": owner,
        "org_id": owner,
    }
    if not listed:
        del body["active_time"]
        month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        body |= {
            "data_storage_bytes_hour": 0,
            "data_transfer_bytes": 0,
            "written_data_bytes": 0,
            "compute_time_seconds": 0,
            "active_time_seconds": 0,
            "history_retention_seconds": wishes.get("history_retention_seconds", 0),
            "consumption_period_start": month.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "consumption_period_end": following.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    return body


def recoverable(item: Object, version: int, until: str) -> dict[str, Any]:
    """A deleted project in the list of those that can be recovered."""
    dates = {"deleted_at": seconds(item.deleted_at or ""), "recoverable_until": seconds(until)}
    return project(item, version, listed=True) | dates


def operation(project_id: str, kept: Operation) -> dict[str, Any]:
    spent = datetime.fromisoformat(kept["updated_at"]) - datetime.fromisoformat(kept["created_at"])
    return {name: value for name, value in kept.items() if name != "work"} | {
        "project_id": project_id,
        "created_at": seconds(kept["created_at"]),
        "updated_at": seconds(kept["updated_at"]),
        "total_duration_ms": int(spent.total_seconds() * 1000),
    }


def transfer(project_id: str, request: dict[str, str]) -> dict[str, str]:
    dates = {name: seconds(request[name]) for name in ("created_at", "expires_at")}
    return {"id": request["id"], "project_id": project_id} | dates


def user(account: Account, limit: int | None) -> dict[str, Any]:
    """The account behind the key."""
    return {
        "active_seconds_limit": 0,
        "billing_account": {
            "state": "active",
            "payment_method": "none",
            "payment_source": {"type": ""},
            "subscription_type": "free_v2",
            "quota_reset_at_last": "1970-01-01T00:00:00Z",
            "name": "localcloud",
            "email": "operator@localhost",
            "address_city": "",
            "address_country": "",
            "address_line1": "",
            "address_line2": "",
            "address_postal_code": "",
            "address_state": "",
        },
        "auth_accounts": [],
        "email": "operator@localhost",
        "id": account.user_id,
        "image": "",
        "login": account.login,
        "name": account.login,
        "last_name": "",
        "projects_limit": limit or 1_000_000,
        "branches_limit": BRANCHES_LIMIT,
        "max_autoscaling_limit": 0.25,
        "plan": "local",
    }
