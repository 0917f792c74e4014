"""The Neon stand-in: API v2 for projects and their branches, on localcloud's own Postgres cluster.

Every branch is a set of roles and databases of its own there. Wire facts follow Neon's published OpenAPI description of
API v2. What differs from the real service is said in the answers: the Postgres version is the one that runs here, the
host is this machine, there is no TLS, and of a branch's past there is only what snapshots recorded.
"""

from __future__ import annotations

from localcloud.neon.app import setup

__all__ = ["setup"]
