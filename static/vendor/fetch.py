"""Bring the browser libraries of the pages from npm into this directory, at pinned versions and checked by their integrity.

Run `python static/vendor/fetch.py` after changing a pin; the result is committed, so a clone needs no npm to serve the pages.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# package -> (version, sha512 as npm publishes it, files taken)
PINS = {
    "lit-html": (
        "3.3.3",
        "sha512-el8M6jK2o3RXBnrSHX3ZKrsN8zEV63pSExTO1wYJz7QndGYZ8353e2a5PPX+qHe2aGayfnchQmkAojaWAREOIA==",
        [
            "LICENSE",
            "lit-html.js",
            "directive.js",
            "directive-helpers.js",
            "directives/repeat.js",
            "directives/live.js",
        ],
    ),
}


def fetch(package: str, version: str, integrity: str, files: list[str]) -> None:
    """Unpack `files` of one package below this directory; raises SystemExit when the archive is not the pinned one."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", f"{package}@{version}", "--json"], cwd=folder, check=True, capture_output=True, text=True
        )
        archive = (Path(folder) / json.loads(packed.stdout)[0]["filename"]).read_bytes()
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if digest != integrity:
        raise SystemExit(f"{package}@{version} is {digest}, the pin says {integrity}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name in files:
            member = tar.extractfile(f"package/{name}")
            assert member is not None
            # The source maps are not taken along, so nothing may point at them.
            text = re.sub(r"\n//# sourceMappingURL=.*", "", member.read().decode())
            target = HERE / package / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


if __name__ == "__main__":
    for package, (version, integrity, files) in PINS.items():
        fetch(package, version, integrity, files)
