"""The JSON that Neon's API answers with, rendered from a project's row.

Member names and their presence follow the published description of API v2. Consumption figures are zero: nothing is
metered here.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

from localcloud.store import Object

HOST = "127.0.0.1"
ORGANIZATION = "org-local-cloud-00000001"
CREATION_SOURCE = "localcloud"


def error(status: int, message: str, code: str = "") -> web.Response:
    """An error in Neon's form."""
    request_id = str(uuid.uuid4())
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
        "owner_id": ORGANIZATION,
        "org_id": ORGANIZATION,
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


def created(item: Object, version: int, port: int) -> dict[str, Any]:
    """The answer to a project's creation."""
    data = item.data
    return {
        "project": project(item, version),
        "connection_uris": [
            {
                "connection_uri": uri(item, port),
                "connection_parameters": {
                    "database": data["database"],
                    "password": data["password"],
                    "role": data["role"],
                    "host": HOST,
                    "pooler_host": HOST,
                },
            }
        ],
        "roles": [role(item) | {"password": data["password"]}],
        "databases": [database(item)],
        "operations": [operation(item, number) for number in range(len(data["operations"]))],
        "branch": branch(item),
        "endpoints": [endpoint(item)],
    }


def uri(item: Object, port: int) -> str:
    """The connection string. It carries no `sslmode`: this Postgres is built without TLS."""
    data = item.data
    return f"postgresql://{quote(data['role'])}:{quote(data['password'])}@{HOST}:{port}/{quote(data['database'])}"


def role(item: Object) -> dict[str, Any]:
    return {
        "branch_id": item.data["branch_id"],
        "name": item.data["role"],
        "protected": False,
        "created_at": seconds(item.created_at),
        "updated_at": seconds(item.data["updated_at"]),
    }


def database(item: Object) -> dict[str, Any]:
    return {
        "id": item.data["database_number"],
        "branch_id": item.data["branch_id"],
        "name": item.data["database"],
        "owner_name": item.data["role"],
        "created_at": seconds(item.created_at),
        "updated_at": seconds(item.data["updated_at"]),
    }


def operation(item: Object, number: int) -> dict[str, Any]:
    kept = item.data["operations"][number]
    spent = datetime.fromisoformat(kept["updated_at"]) - datetime.fromisoformat(kept["created_at"])
    body: dict[str, Any] = kept | {
        "project_id": item.id,
        "branch_id": item.data["branch_id"],
        "created_at": seconds(kept["created_at"]),
        "updated_at": seconds(kept["updated_at"]),
        "total_duration_ms": int(spent.total_seconds() * 1000),
    }
    return body | {"endpoint_id": item.data["endpoint_id"]} if kept["action"] == "start_compute" else body


def _state(item: Object, number: int, before: str, after: str) -> dict[str, str]:
    if item.data["operations"][number]["status"] == "finished":
        return {"current_state": after}
    return {"current_state": before, "pending_state": after}


def branch(item: Object) -> dict[str, Any]:
    return {
        "id": item.data["branch_id"],
        "project_id": item.id,
        "name": (item.data["wishes"].get("branch") or {}).get("name") or "main",
        **_state(item, 0, "init", "ready"),
        "state_changed_at": seconds(item.data["operations"][0]["updated_at"]),
        "creation_source": CREATION_SOURCE,
        "primary": True,
        "default": True,
        "protected": False,
        "cpu_used_sec": 0,
        "compute_time_seconds": 0,
        "active_time_seconds": 0,
        "written_data_bytes": 0,
        "data_transfer_bytes": 0,
        "created_at": seconds(item.created_at),
        "updated_at": seconds(item.data["updated_at"]),
        "init_source": "parent-data",
    }


def endpoint(item: Object) -> dict[str, Any]:
    wishes = item.data["wishes"]
    limits = wishes.get("default_endpoint_settings") or {}
    return {
        "host": HOST,
        "id": item.data["endpoint_id"],
        "project_id": item.id,
        "branch_id": item.data["branch_id"],
        "autoscaling_limit_min_cu": limits.get("autoscaling_limit_min_cu", 0.25),
        "autoscaling_limit_max_cu": limits.get("autoscaling_limit_max_cu", 0.25),
        "region_id": wishes.get("region_id") or "aws-us-east-2",
        "type": "read_write",
        **_state(item, 1, "init", "active"),
        "settings": {},
        "pooler_enabled": False,
        "pooler_mode": "transaction",
        "disabled": False,
        "passwordless_access": False,
        "creation_source": CREATION_SOURCE,
        "created_at": seconds(item.created_at),
        "updated_at": seconds(item.data["updated_at"]),
        "proxy_host": HOST,
        "suspend_timeout_seconds": limits.get("suspend_timeout_seconds", 0),
        "provisioner": CREATION_SOURCE,
    }


def user(projects: int) -> dict[str, Any]:
    """The account behind the key."""
    return {
        "active_seconds_limit": 0,
        "billing_account": {
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
        "id": "00000000-0000-4000-8000-000000000001",
        "image": "",
        "login": "localcloud",
        "name": "localcloud",
        "last_name": "",
        "projects_limit": 1_000_000,
        "projects_count": projects,
        "branches_limit": 1,
        "max_autoscaling_limit": 0.25,
        "plan": "local",
    }
