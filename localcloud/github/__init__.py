"""The GitHub stand-in: REST for repositories under `/github`, and real bare repositories behind smart HTTP.

Wire facts follow GitHub's published OpenAPI description. One user account owns `/user/repos`, one organization owns
`/orgs/…/repos`; git itself is the machine's own `git http-backend`.
"""

from __future__ import annotations

from localcloud.github.app import setup

__all__ = ["setup"]
