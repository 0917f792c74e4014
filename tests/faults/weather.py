"""How vendors misbehave during a storm: every way a request can go wrong, on creates, reads and deletes."""

from __future__ import annotations

from typing import Any

# Shares per create, as measured against the original's shape: 5 % refused, 2 % throttled, 3 % done but told as failed …
_CREATES = {
    "neon": ["create_project"],
    "resend": ["create_audience", "create_api_key"],
    "github": ["create_repository"],
    "e2b": ["create_sandbox"],
}
_READS = {
    "neon": ["get_project", "list_projects", "get_connection_uri", "list_operations"],
    "resend": ["list_audiences", "list_api_keys", "get_audience"],
    "github": ["get_repository", "set_actions_permissions", "get_user"],
    "e2b": ["list_sandboxes", "get_sandbox", "connect_sandbox"],
}
_DELETES = {
    "neon": ["delete_project"],
    "resend": ["delete_audience", "delete_api_key"],
    "github": ["delete_repository"],
    "e2b": ["kill_sandbox"],
}
HANG = 12.0  # seconds: longer than any exchange is waited for, short enough that a storm passes


def _rule(vendor: str, operation: str, fault: str, probability: float, seconds: float | None = None) -> dict[str, Any]:
    rule = {"vendor": vendor, "operation": operation, "fault": fault, "probability": probability}
    return rule if seconds is None else rule | {"seconds": seconds}


def storm() -> list[dict[str, Any]]:
    """Rules for localcloud: what the first met rule of each request says, with latency on top."""
    rules = []
    for vendor, operations in _CREATES.items():
        for operation in operations:
            rules += [
                _rule(vendor, operation, "latency", 0.3, 0.3),
                _rule(vendor, operation, "status:500", 0.05),
                _rule(vendor, operation, "status:429", 0.02, 1),
                _rule(vendor, operation, "reset_after", 0.04),
                _rule(vendor, operation, "truncate", 0.02),
                _rule(vendor, operation, "garbage", 0.02),
                _rule(vendor, operation, "reset_before", 0.02),
                _rule(vendor, operation, "hang", 0.02, HANG),
            ]
    for vendor, operations in _READS.items():
        for operation in operations:
            rules += [
                _rule(vendor, operation, "status:503", 0.02),
                _rule(vendor, operation, "reset_before", 0.02),
                _rule(vendor, operation, "garbage", 0.01),
            ]
    for vendor, operations in _DELETES.items():
        for operation in operations:
            rules += [
                _rule(vendor, operation, "latency", 0.3, 0.3),
                _rule(vendor, operation, "status:500", 0.03),
                _rule(vendor, operation, "reset_after", 0.02),
                _rule(vendor, operation, "status:429", 0.01, 1),
            ]
    return rules


def slow(seconds: float) -> list[dict[str, Any]]:
    """Every create and delete takes that much longer, so that whatever is to happen meanwhile finds time to."""
    named = [(vendor, one) for group in (_CREATES, _DELETES) for vendor, its in group.items() for one in its]
    return [_rule(vendor, operation, "latency", 1.0, seconds) for vendor, operation in named]
