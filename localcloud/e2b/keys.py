"""Where the parts of the E2B stand-in find each other on the application."""

from __future__ import annotations

from aiohttp import web

from localcloud.e2b.sandboxes import Sandboxes
from localcloud.e2b.templates.builds import Builds
from localcloud.e2b.templates.catalogue import Catalogue
from localcloud.e2b.templates.uploads import Uploads

BUILDS: web.AppKey[Builds] = web.AppKey("e2b_builds", Builds)
UPLOADS: web.AppKey[Uploads] = web.AppKey("e2b_uploads", Uploads)
CATALOGUE: web.AppKey[Catalogue] = web.AppKey("e2b_catalogue", Catalogue)
SANDBOXES: web.AppKey[Sandboxes] = web.AppKey("e2b_sandboxes", Sandboxes)
