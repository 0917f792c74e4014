"""The E2B stand-in: the control plane below `/e2b`, and the way to each sandbox's envd and ports.

Speaks what the E2B SDK speaks; behind it stand process trees of this machine, kept apart as well as it can. `control`
is the control plane, `envd` the daemon inside each sandbox, `envd_door` the way to it, `ports` the way to what listens
inside, `sandboxes` the registry, `tree` the starter project, `templates` what else sandboxes boot from, `isolation` how
they are kept apart.
"""

from __future__ import annotations

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.e2b.composition import compose


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the stand-in to *app*; sandboxes live from the application's start to its cleanup."""
    compose(app, cloud)
