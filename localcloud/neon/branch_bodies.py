"""The JSON that Neon's API answers with about a branch and what is on it: its compute, roles, databases, snapshots."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from localcloud.neon.bodies import CREATION_SOURCE, HOST, operation, seconds
from localcloud.neon.operations import Operation
from localcloud.neon.records import Thing
from localcloud.store import Object


def uri(role: Thing, database: Thing, port: int) -> str:
    """The connection string. It carries no `sslmode`: this Postgres is built without TLS."""
    return f"postgresql://{quote(role['name'])}:{quote(role['password'])}@{HOST}:{port}/{quote(database['name'])}"


def connections(branch: Object, port: int) -> dict[str, Any]:
    """`connection_uris`, which are told when the branch has a compute, and one role and one database."""
    roles, databases = branch.data["roles"], branch.data["databases"]
    if not branch.data["endpoint"] or len(roles) != 1 or len(databases) != 1:
        return {}
    parameters = {
        "database": databases[0]["name"],
        "password": roles[0]["password"],
        "role": roles[0]["name"],
        "host": HOST,
        "pooler_host": HOST,
    }
    one = {"connection_uri": uri(roles[0], databases[0], port), "connection_parameters": parameters}
    return {"connection_uris": [one]}


def created(project: Object, row: Object, operations: list[Operation], port: int) -> dict[str, Any]:
    """What the creation of a branch, or of a project with its first branch, tells about the branch."""
    return connections(row, port) | {
        "branch": branch(project, row),
        "roles": [role(row, one, told=True) for one in row.data["roles"]],
        "databases": [database(row, one) for one in row.data["databases"]],
        "endpoints": [endpoint(project, row)] if row.data["endpoint"] else [],
        "operations": [operation(project.id, one) for one in operations],
    }


def branch(project: Object, row: Object) -> dict[str, Any]:
    data = row.data
    default = project.data["default_branch"] == row.id
    body = {
        "id": row.id,
        "project_id": project.id,
        "name": row.name,
        "current_state": data["state"],
        "state_changed_at": seconds(data["state_changed_at"]),
        "creation_source": CREATION_SOURCE,
        "primary": default,
        "default": default,
        "protected": data["protected"],
        "cpu_used_sec": 0,
        "compute_time_seconds": 0,
        "active_time_seconds": 0,
        "written_data_bytes": 0,
        "data_transfer_bytes": 0,
        "created_at": seconds(data["created_at"]),
        "updated_at": seconds(data["updated_at"]),
        "init_source": "parent-data",
    }
    more = {
        "pending_state": None if data["state"] == "ready" else "ready",
        "parent_id": data["parent"],
        "parent_lsn": data["lsn"] if data["parent"] else None,
        "parent_timestamp": seconds(data["at"]) if data["parent"] and data["at"] else None,
        "last_reset_at": seconds(data["reset_at"]) if data.get("reset_at") else None,
        "restored_from": data.get("restored_from"),
    }
    return body | {name: value for name, value in more.items() if value is not None}


def annotation(row: Object) -> dict[str, Any]:
    dates = {name: seconds(row.data["created_at"]) for name in ("created_at", "updated_at")}
    return {"object": {"type": "console/branch", "id": row.id}, "value": row.data["annotation"]} | dates


def endpoint(project: Object, row: Object) -> dict[str, Any]:
    """The compute of a branch that has one."""
    kept: Thing = row.data["endpoint"]
    wishes = kept["wishes"]
    body = {
        "host": HOST,
        "id": kept["id"],
        "project_id": project.id,
        "branch_id": row.id,
        "autoscaling_limit_min_cu": wishes.get("autoscaling_limit_min_cu", 0.25),
        "autoscaling_limit_max_cu": wishes.get("autoscaling_limit_max_cu", 0.25),
        "region_id": project.data["wishes"].get("region_id") or "aws-us-east-2",
        "type": "read_write",
        "current_state": kept["state"],
        "settings": wishes.get("settings", {}),
        "pooler_enabled": False,
        "pooler_mode": "transaction",
        "disabled": wishes.get("disabled", False),
        "passwordless_access": False,
        "creation_source": CREATION_SOURCE,
        "created_at": seconds(kept["created_at"]),
        "updated_at": seconds(kept["updated_at"]),
        "proxy_host": HOST,
        "suspend_timeout_seconds": wishes.get("suspend_timeout_seconds", 0),
        "provisioner": CREATION_SOURCE,
    }
    more = {"pending_state": kept["pending"], "name": wishes.get("name")}
    more |= {name: seconds(kept[name]) for name in ("started_at", "suspended_at") if kept.get(name)}
    return body | {name: value for name, value in more.items() if value is not None}


def role(row: Object, kept: Thing, *, told: bool = False) -> dict[str, Any]:
    """A role, with its password when it may be *told*."""
    body = {
        "branch_id": row.id,
        "name": kept["name"],
        "protected": False,
        "authentication_method": "password" if kept["login"] else "no_login",
        "created_at": seconds(kept["created_at"]),
        "updated_at": seconds(kept["updated_at"]),
    }
    return body | ({"password": kept["password"]} if told and kept["login"] else {})


def database(row: Object, kept: Thing) -> dict[str, Any]:
    return {
        "id": kept["number"],
        "branch_id": row.id,
        "name": kept["name"],
        "owner_name": kept["owner"],
        "created_at": seconds(kept["created_at"]),
        "updated_at": seconds(kept["updated_at"]),
    }


def snapshot(row: Object) -> dict[str, Any]:
    """A snapshot; where in time and in the log it stands is known once it has been taken."""
    body = {
        "id": row.id,
        "name": row.name,
        "source_branch_id": row.data["source"],
        "created_at": seconds(row.created_at),
        "manual": True,
    }
    more = {"lsn": row.data["lsn"], "timestamp": seconds(row.data["at"]) if row.data["at"] else None}
    return body | {name: value for name, value in more.items() if value is not None}
