"""The vendor keys of one installation: random, made once, the same after every restart."""

from __future__ import annotations

import secrets
import string
from dataclasses import asdict, dataclass

from localcloud.store import Store

ALPHANUMERIC = string.ascii_letters + string.digits


def token(length: int, alphabet: str = ALPHANUMERIC) -> str:
    """A random string of *length* characters, unguessable from about 22 characters on."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Keys:
    """One key per vendor in that vendor's own form, and the operator's."""

    neon: str
    resend: str
    github: str
    posthog: str
    e2b: str
    anthropic: str
    operator: str

    def vendors(self) -> dict[str, str]:
        """The vendor keys by vendor name, as `cloud.json` holds them."""
        return {name: key for name, key in asdict(self).items() if name != "operator"}

    def __repr__(self) -> str:
        return "Keys(…)"


def load(store: Store) -> Keys:
    """The keys kept in *store*; made there at the first start."""
    kept = store.meta("keys") or {}
    fresh = Keys(
        neon="napi_" + token(64, string.ascii_lowercase + string.digits),
        resend=f"re_{token(8)}_{token(24)}",
        github="ghp_" + token(36),
        posthog="phc_" + token(43),
        e2b="e2b_" + secrets.token_hex(20),
        anthropic="sk-ant-api03-" + token(93),
        operator="cloud_" + token(40),
    )
    keys = Keys(**(asdict(fresh) | kept))
    if asdict(keys) != kept:
        store.set_meta("keys", asdict(keys))
    return keys
