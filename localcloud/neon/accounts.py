"""Whose key a request carries: ours, or that of a stranger who may be given a project.

The stranger's key is in `cloud.json` as `neon_friend_key`. Each account sees the projects of its own organization only.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from localcloud.cloud import Cloud
from localcloud.keys import token
from localcloud.operator import same
from localcloud.store import Object

FRIEND_KEY = "neon_friend_key"


@dataclass(frozen=True, slots=True)
class Account:
    """One key, the person behind it and the organization it works for."""

    key: str
    login: str
    organization: str
    user_id: str

    def owns(self, project: Object) -> bool:
        return bool(project.data.get("organization", OURS) == self.organization)


OURS = "org-local-cloud-00000001"


class Accounts:
    """The two accounts of one localcloud."""

    def __init__(self, cloud: Cloud) -> None:
        friend = cloud.store.meta(FRIEND_KEY)
        if friend is None:
            friend = "napi_" + token(64, string.ascii_lowercase + string.digits)
            cloud.store.set_meta(FRIEND_KEY, friend)
        cloud.extra[FRIEND_KEY] = friend
        self._all = (
            Account(cloud.keys.neon, "localcloud", OURS, "00000000-0000-4000-8000-000000000001"),
            Account(friend, "friend", "org-local-friend-00000002", "00000000-0000-4000-8000-000000000002"),
        )

    def by_header(self, authorization: str) -> Account | None:
        """The account whose key an `Authorization` header carries."""
        scheme, _, key = authorization.partition(" ")
        known = scheme.lower() == "bearer"
        return next((one for one in self._all if known and same(key.strip(), one.key)), None)
