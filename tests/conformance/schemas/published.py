"""JSON schemas of the types that vendors publish with their JavaScript clients, made once per set of packages."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from embedded.node import node, node_environment
from tests.conformance.schemas.schema import Book
from tests.fixtures.packages import SCRIPTS, packages, workshop

_SECONDS = 120
_MADE_FROM = ("schemas.mjs", "schemas.ts", "tsconfig.json")


@cache
def types() -> dict[str, Any]:
    """By vendor, the schemas that `npm/schemas.mjs` writes."""
    digest = hashlib.sha256(b"".join((SCRIPTS / name).read_bytes() for name in _MADE_FROM)).hexdigest()[:12]
    kept = packages() / f"schemas-{digest}.json"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=packages()) as fresh:
            made = Path(fresh) / "schemas.json"
            subprocess.run(
                [str(node()), "schemas.mjs", str(made)], cwd=workshop(Path(fresh)), env=node_environment(),
                check=True, timeout=_SECONDS,
            )  # fmt: skip
            made.rename(kept)
    return dict(json.loads(kept.read_bytes()))


@cache
def book(vendor: str) -> Book:
    """The schemas of one vendor of `schemas.ts`; each is at `properties`, its name."""
    return Book(vendor.lower(), types()[vendor], "draft7")
