"""The embedded cluster: loopback with passwords, kept over restarts, adopted after a kill, clear when it cannot run."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.postgres import Cluster, PostgresUnavailable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"), 0, {"fsync": "off"})
    made.start()
    yield made
    made.stop()


def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    right = cluster.admin_dsn
    with psycopg.connect(right) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(right.replace(cluster.password, "guess"))


def test_passwords_are_stored_as_scram_and_only_loopback_listens(cluster: Cluster) -> None:
    with psycopg.connect(cluster.admin_dsn) as connection:
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'mk0r'").fetchone()
        listens = connection.execute("SHOW listen_addresses").fetchone()
    assert stored is not None
    assert stored[0].startswith("SCRAM-SHA-256$")
    assert listens == ("127.0.0.1",)


def test_data_survives_a_restart(cluster: Cluster) -> None:
    with psycopg.connect(cluster.admin_dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (line text)")
        connection.execute("INSERT INTO kept VALUES ('still here')")
    cluster.stop()
    cluster.start()
    with psycopg.connect(cluster.admin_dsn) as connection:
        assert connection.execute("SELECT line FROM kept").fetchone() == ("still here",)


def test_a_running_cluster_is_adopted_with_its_own_port(cluster: Cluster) -> None:
    second = Cluster(cluster.data_dir, 1)
    assert second.start() is True
    assert second.port == cluster.port


def test_a_taken_port_becomes_the_next_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        cluster = Cluster(tmp_path, taken, {"fsync": "off"})
        cluster.start()
        try:
            assert cluster.port > taken
        finally:
            cluster.stop()


def test_a_directory_that_cannot_be_used_is_named_with_a_way_out(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a directory")
    with pytest.raises(PostgresUnavailable, match=r"cannot keep a database in .*Set MK0R_VAR"):
        Cluster(in_the_way / "postgres", 0).start()


def test_an_interrupted_creation_starts_over(tmp_path: Path) -> None:
    half = tmp_path / "data"
    half.mkdir()
    (half / "leftover").write_text("killed half-way")
    cluster = Cluster(tmp_path, 0, {"fsync": "off"})
    cluster.start()
    cluster.stop()
    assert not (half / "leftover").exists()


MAKE = (
    "import sys; from pathlib import Path; from embedded.postgres import Cluster; Cluster(Path(sys.argv[1]), 0).start()"
)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes to kill in /proc")
def test_a_creation_that_was_killed_once_it_looked_done_starts_over(tmp_path: Path) -> None:
    making = subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("data*/PG_VERSION")):  # written first, long before there is a database
        assert time.monotonic() < deadline
        time.sleep(0.002)
    for pid in _family(making.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    making.wait(30)
    cluster = Cluster(tmp_path, 0, {"fsync": "off"})
    cluster.start()
    try:
        with psycopg.connect(cluster.admin_dsn) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    finally:
        cluster.stop()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["data"]


def _family(pid: int) -> list[int]:
    """A process and all that came of it, the oldest first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(one for child in children for one in _family(int(child)))]


@pytest.mark.skipif(sys.platform != "linux", reason="tells processes apart by /proc")
def test_a_pid_file_whose_number_is_somebody_elses_by_now_is_a_dead_servers(cluster: Cluster) -> None:
    cluster.stop()
    left = cluster.data_dir / "data" / "postmaster.pid"
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as somebody:
        left.write_text(f"{somebody.pid}\n{left.parent}\n1700000000\n{cluster.port}\n\n127.0.0.1\n")
        assert cluster.is_running() is False
        assert cluster.start() is False
    with psycopg.connect(cluster.admin_dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def _as_nobody(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False, **options)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_normal_user_needs_nothing_more() -> None:
    # pytest's own directory, and an interpreter below root's home, are closed to other users.
    interpreters = [sys.executable, "/usr/bin/python3"]
    interpreter = next((path for path in interpreters if _as_nobody(path, "-c", "").returncode == 0), None)
    if interpreter is None or _as_nobody("test", "-r", str(ROOT / "embedded" / "postgres.py")).returncode:
        pytest.skip("no interpreter, or no checkout, that another user may read")
    program = (
        "import os, sys; from pathlib import Path; from embedded.postgres import Cluster;"
        "c = Cluster(Path(sys.argv[1]), 0, {'fsync': 'off'}); c.start(); c.stop(); print('ran as', os.getuid())"
    )
    home = Path(tempfile.mkdtemp(prefix="mk0r-nobody-", dir="/tmp"))
    os.chown(home, 65534, 65534)
    paths = os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))])
    done = _as_nobody(
        interpreter, "-c", program, str(home / "pg"), cwd=home, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": paths}
    )
    subprocess.run(["rm", "-rf", str(home)], check=True)
    assert "ran as 65534" in done.stdout, done.stderr
