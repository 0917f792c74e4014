"""What a stand-in may answer although the vendor's description does not list it: few things, each with its reason.

Only the listing of a status is waived. The body that comes with it must still be the vendor's error body.
"""

from __future__ import annotations

# At every vendor: descriptions list these for some calls, and any call may get them.
ANYWHERE = {
    401: "refused for its key",
    413: "too large a body",
    429: "too many requests",
    501: "a call not covered",
}
# At one vendor, for any call.
VENDORS = {
    ("github", 301): "moved to another name",
    ("github", 307): "moved to another name",
    ("github", 400): "a body that is no JSON",
    ("github", 403): "not allowed to this caller",
    ("github", 404): "not there, or not for this caller to see",
    ("github", 422): "a body that cannot be used",
}
# For one call.
CALLS = {
    ("e2b", "POST /v2/sandboxes", 404): "no such template",
    ("e2b", "POST /v2/sandboxes", 422): "an idempotency key used for another sandbox",
}
# Members that a vendor's replies carry although an open schema does not name them.
BESIDE = {
    ("github", 4, ".status"): "every error carries its status, which only one of the error schemas names",
    ("github", 5, ".status"): "as above",
}


def unlisted(vendor: str, operation: str, status: int, *, ordered: bool) -> str:
    """Why *status* may come unlisted; empty where it may not."""
    if ordered:
        return "an error that a test ordered"
    if status >= 500 and status not in ANYWHERE:
        return "trouble of the vendor's own"
    return ANYWHERE.get(status) or VENDORS.get((vendor, status)) or CALLS.get((vendor, operation, status)) or ""


def beside(vendor: str, status: int, member: str) -> bool:
    """Whether the vendor is known to send *member* with such a status, unnamed."""
    return (vendor, status // 100, member) in BESIDE
