"""`cloud.json`: how others learn where localcloud listens and with which keys."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from localcloud import operator
from localcloud.cloud import Cloud


def announce(cloud: Cloud) -> None:
    """Write `cloud.json`, readable by this user only and never half written."""
    text = json.dumps(
        {
            "base_url": cloud.base_url,
            "port": cloud.config.port,
            "pid": os.getpid(),
            "operator_key": cloud.keys.operator,
            "keys": cloud.keys.vendors(),
            "github_owner": cloud.github_owner,
            "postgres_port": cloud.postgres_port,
            "operator_login_url": operator.login_url(cloud),
        }
        | cloud.extra,
        indent=2,
    )
    target = cloud.config.announcement
    descriptor, temporary = tempfile.mkstemp(prefix=".cloud-", dir=target.parent)  # 0600 by its contract
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    Path(temporary).replace(target)
