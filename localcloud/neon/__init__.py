"""The Neon stand-in: API v2 for projects, backed by a role and a database each on localcloud's own Postgres cluster.

Wire facts follow Neon's published OpenAPI description of API v2. What differs from the real service is said in the
answers: the Postgres version is the one that runs here, the host is this machine, there is no TLS and no branching.
"""

from __future__ import annotations

from localcloud.neon.app import setup

__all__ = ["setup"]
