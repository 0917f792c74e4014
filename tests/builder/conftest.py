"""The starter project installed once, Postgres beside it, and a small stand-in for the agent's own file tools."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from embedded.node import node, node_environment
from embedded.ports import free_port
from embedded.postgres import Cluster
from localcloud.e2b.tree import prepare_app
from tests.fixtures.cloud import CACHE

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "sandbox" / "app"


@pytest.fixture(scope="session")
def starter_tree() -> Path:
    """The starter project with its packages; made once per machine."""
    return asyncio.run(prepare_app(CACHE, "plain", lambda _label, _part: None))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def copy_project(tree: Path, target: Path) -> Path:
    """A project of its own at `target`: the starter's files as they are now, packages shared with `tree`."""
    shutil.copytree(STARTER, target, ignore=shutil.ignore_patterns("node_modules", ".env", "dist"))
    packages = shutil.ignore_patterns(".vite", ".vite-temp")
    modules = target / "node_modules"
    shutil.copytree(tree / "node_modules", modules, symlinks=True, ignore=packages, copy_function=_link)
    return target


@pytest.fixture
def make_project(starter_tree: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a project of its own from the starter; packages are shared by hard link, our files are copies."""

    return lambda name="app": copy_project(starter_tree, tmp_path / name)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Postgres for what built apps record."""
    made = Cluster(tmp_path_factory.mktemp("apps"), 0, {"fsync": "off", "synchronous_commit": "off"})
    made.start()
    yield made
    made.stop()


@dataclass
class Server:
    """A dev server that runs."""

    url: str
    port: int
    log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=20)


def raw_status(port: int, path: str) -> int:
    """Status of a path sent exactly as written, which HTTP clients would tidy up first."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while b"\r\n" not in answer and (part := peer.recv(4096)):
            answer += part
    return int(answer.split(b" ", 2)[1])


@contextmanager
def dev_server(project: Path) -> Iterator[Server]:
    """Vite in `project`, as a sandbox runs it, until the block ends."""
    port = free_port(0)
    log = project.parent / f"{project.name}.vite.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(node()), "node_modules/vite/bin/vite.js"],
            cwd=project,
            env=node_environment({**os.environ, "PORT": str(port)}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=20)
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no dev server:\n{log.read_text()}") from None
                time.sleep(0.1)
        yield Server(f"http://127.0.0.1:{port}", port, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def run_node(project: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run Node in a project and capture what it says."""
    return subprocess.run(
        [str(node()), *arguments],
        cwd=project,
        env=node_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def type_check(project: Path) -> str:
    """What `tsc --noEmit` complains about; empty when it is content."""
    done = run_node(project, "node_modules/typescript/bin/tsc", "--noEmit")
    return "" if done.returncode == 0 else done.stdout + done.stderr
