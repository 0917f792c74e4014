"""What a build may start from: another template of this installation, or an image that this machine can stand in for.

No image is ever fetched. A sandbox has the machine's own `/usr` and the Node of this installation, so `e2bdev/base`
and the `node` images of that version are taken to mean those, which the build's log says; any other image is refused.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache

from embedded import node

BASE = re.compile(r"(docker\.io/)?e2bdev/base(:[\w.-]+)?")
NODE = re.compile(r"(docker\.io/)?(library/)?node(:(?P<tag>[\w.-]+))?")
VERSION = re.compile(r"(\d+(?:\.\d+){0,2})(-(?!alpine).*)?")


class BaseError(Exception):
    """A build cannot start from this; the message says why."""


def stands_for(image: str) -> str:
    """A sentence for the log on what takes the image's place here. Raises `BaseError`."""
    if BASE.fullmatch(image):
        return f"{image}: this machine's own programs take its place"
    found = NODE.fullmatch(image)
    if found is None:
        raise BaseError(
            f"localcloud fetches no images and has nothing to put in the place of '{image}': a build here starts from "
            f"e2bdev/base, node:{_version().partition('.')[0]} or a template. Build this one at E2B."
        )
    tag, version = found["tag"] or "latest", _version()
    if not _meant(tag, version):
        raise BaseError(f"'{image}' is not the Node of this machine, which is {version}; build this one at E2B")
    return f"{image}: this machine's own programs and its Node {version} take its place"


def _meant(tag: str, version: str) -> bool:
    """Whether an image tag names this Node."""
    name = _codename()
    if tag == name or (name and tag == "lts"):
        return True
    asked = VERSION.fullmatch(tag)
    return asked is not None and f"{version}.".startswith(f"{asked[1]}.")


def _version() -> str:
    return _told()[0]


def _codename() -> str:
    """The name of the long-term line this Node belongs to; empty when it belongs to none."""
    return _told()[1]


@cache
def _told() -> tuple[str, str]:
    """What Node says of itself. Raises `BaseError` where there is none."""
    words = "process.versions.node + ' ' + (process.release.lts || '')"
    try:
        done = subprocess.run(
            [str(node.node()), "-p", words], env=node.node_environment(), capture_output=True, text=True, timeout=20,
            check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, node.NodeUnavailable) as problem:
        raise BaseError(f"this machine has no Node to build with: {problem}") from problem
    version, _, codename = done.stdout.strip().partition(" ")
    return version, codename.lower()
