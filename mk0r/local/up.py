"""`manage.py up`: all of mk0r on one machine, started in order, watched over, stopped in order."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import environ

from embedded.postgres import Cluster, PostgresUnavailable
from mk0r.local.children import Child, code_fingerprint, left_running, stop_left_running
from mk0r.local.first_staff import FirstStaff
from mk0r.local.installation import (
    Ports,
    Unusable,
    choose_ports,
    installation_secrets,
    kept_ports,
    open_directory,
    write_private,
)
from mk0r.vendors import (
    GITHUB_APP,
    VENDORS,
    cloud_environment,
    isolation_refusal,
    isolation_words,
    local_vendors,
    refusals,
)

ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60
_WATCH_SECONDS = 0.3


class NotStarted(Exception):
    """Something needed did not come up; the message says what and where to look."""


def read_environment() -> dict[str, str]:
    """The process's environment over the checkout's `.env` file, with what `NAME_FILE` names read into `NAME`.

    Raises:
        NotStarted: such a file cannot be read.
    """
    kept = dict(os.environ)
    environ.Env.read_env(ROOT / ".env", overwrite=False)
    merged = dict(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    names = {"DATABASE_URL", "CHANNEL_REDIS_URL", "SECRET_KEY", "MK0R_ENCRYPTION_KEYS", *GITHUB_APP}
    for vendor in VENDORS:
        names |= {*vendor.keys, *vendor.addresses}
    for name in sorted(names):
        if (path := merged.get(f"{name}_FILE")) and not merged.get(name):
            try:
                merged[name] = Path(path).read_text().strip()
            except OSError as error:
                raise NotStarted(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error
    return merged


class Up:
    """One run of everything: Postgres, localcloud and web, on loopback."""

    def __init__(self) -> None:
        self.environment = read_environment()
        self.var = Path(self.environment.get("MK0R_VAR") or ROOT / ".var").resolve()
        self.local = local_vendors(self.environment)
        self.postgres: Cluster | None = None
        self.children: list[Child] = []
        self.stopping = False

    # --- start -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start all, print the URL, and watch until Ctrl-C or SIGTERM; then stop all in order."""
        began = time.monotonic()
        if problems := refusals(self.environment):
            raise NotStarted("\n".join(problems))
        open_directory(self.var)
        with self._alone():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._interrupted)
            try:
                self._start(began)
                self._watch()
            finally:
                self._stop()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the directory's lock, which the system drops with the process however it dies."""
        with (self.var / "up.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise NotStarted(
                    f"mk0r already runs from {self.var}. Stop it with `make stop`, or set MK0R_VAR for a second one."
                ) from error
            lock.seek(0)
            lock.truncate()
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _start(self, began: float) -> None:
        env = self.environment
        wanted = Ports(
            web=_port(env, "MK0R_PORT", 8000),
            cloud=_port(env, "MK0R_CLOUD_PORT", 8001),
            postgres=_port(env, "MK0R_PG_PORT", 8002),
        )
        fingerprint = code_fingerprint(ROOT)
        ports, notes = choose_ports(self.var, wanted, ours=self._listening())
        for note in notes:
            say(note)
        self._start_postgres(ports)
        cloud = self._start_localcloud(ports, fingerprint) if self.local else None
        self._migrate()
        isolation = self._isolation() if any(vendor.name == "e2b" for vendor in self.local) else ""
        staff = FirstStaff(ROOT, {**self.environment, **self._secrets(), "MK0R_VAR": str(self.var)})
        self._start_web(ports, fingerprint, cloud)
        say(f"\n  mk0r is up after {time.monotonic() - began:.1f} s:  {self.environment['PUBLIC_URL']}\n")
        for vendor in self.local:
            say(f"  {vendor.label:<10} local   (real with {' or '.join(vendor.keys)})")
        if isolation:
            say(f"  sandboxes: {isolation_words(isolation)}")
        for line in staff.told(self.environment["PUBLIC_URL"]):
            say(line)
        if cloud:
            say(f"\n  Look behind it: {cloud.get('operator_login_url', cloud['base_url'] + '/_cloud/')}")
        say("  Ctrl-C stops everything. Logs are in " + str(self.var / "log") + "\n")

    def _listening(self) -> frozenset[int]:
        """Ports held by parts of this installation that outlived a killed `up`."""
        ports = kept_ports(self.var)
        if ports is None:
            return frozenset()
        held = {
            ports.web: left_running(self.var, "web"),
            ports.cloud: left_running(self.var, "localcloud"),
            ports.postgres: Cluster(self.var / "postgres", 0).is_running(),
        }
        return frozenset(port for port, running in held.items() if running)

    def _start_postgres(self, ports: Ports) -> None:
        if self.environment.get("DATABASE_URL"):
            return
        self.postgres = Cluster(self.var / "postgres", ports.postgres)
        if self.postgres.start():
            say("Postgres was still running; it goes on.")
        import psycopg

        with psycopg.connect(self.postgres.admin_dsn, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'mk0r'").fetchone():
                connection.execute("CREATE DATABASE mk0r STRATEGY wal_log")
        self.environment["DATABASE_URL"] = self.postgres.dsn("mk0r")

    def _start_localcloud(self, ports: Ports, fingerprint: str) -> dict[str, Any]:
        state = self.var / "cloud.json"
        child = self._child("localcloud", ["-m", "localcloud"], fingerprint, {
            "MK0R_VAR": str(self.var),
            "MK0R_CLOUD_PORT": str(ports.cloud),
            "MK0R_GATEWAY_URL": f"http://127.0.0.1:{ports.web}",
        })  # fmt: skip
        if child.adopt_or_stop() and self._answers(f"http://127.0.0.1:{ports.cloud}/_cloud/health"):
            say("localcloud was still running; it goes on.")
        else:
            child.stop()
            state.unlink(missing_ok=True)
            child.start()
        self._wait_for(child, lambda: state.exists())
        return dict(json.loads(state.read_text()))

    def _isolation(self) -> str:
        """How localcloud keeps sandboxes apart, once it has found out. Raises `NotStarted` where that is not enough."""
        found: dict[str, Any] = {}

        def known() -> bool:
            with contextlib.suppress(OSError, ValueError):
                found.update(json.loads((self.var / "cloud.json").read_text()))
            return "isolation" in found

        self._wait_for(self.children[-1], known)
        mode = str(found["isolation"])
        if problem := isolation_refusal(self.environment, mode):
            raise NotStarted(problem)
        if mode == "none":
            say(f"No sandbox can be started: {found.get('isolation_trouble', '')}")
        return mode

    def _start_web(self, ports: Ports, fingerprint: str, cloud: dict[str, Any] | None) -> None:
        self.environment.setdefault("PUBLIC_URL", f"http://localhost:{ports.web}")
        settings = {
            "MK0R_VAR": str(self.var),
            "MK0R_PORT": str(ports.web),
            "PUBLIC_URL": self.environment["PUBLIC_URL"],
            "DATABASE_URL": self.environment["DATABASE_URL"],
            **self._secrets(),
            **(cloud_environment(cloud, self.local) if cloud else {}),
        }
        # So that any other `manage.py` command on this machine speaks to this installation.
        write_private(self.var / "environment", "".join(f"{name}={value}\n" for name, value in settings.items()))
        child = self._child("web", ["manage.py", "web"], fingerprint, {**settings, "MK0R_WORKER_INLINE": "1"})
        health = f"http://127.0.0.1:{ports.web}/api/health"
        if child.adopt_or_stop() and self._answers(health):
            say("web was still running; it goes on.")
            return
        child.stop()
        child.start()
        self._wait_for(child, lambda: self._answers(health))

    def _migrate(self) -> None:
        environment = {**self.environment, **self._secrets(), "MK0R_VAR": str(self.var)}
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotStarted(f"The database could not be brought up to date:\n{done.stderr[-2000:]}")

    def _secrets(self) -> dict[str, str]:
        """The installation's own secrets, where the environment does not bring them."""
        return {k: self.environment.get(k) or made for k, made in installation_secrets(self.var).items()}

    def _child(self, name: str, command: list[str], fingerprint: str, settings: dict[str, str]) -> Child:
        child = Child(
            name=name,
            command=[sys.executable, *command],
            environment={**self.environment, **settings, "PYTHONUNBUFFERED": "1"},
            directory=ROOT,
            var=self.var,
            fingerprint=fingerprint,
        )
        self.children.append(child)
        return child

    def _wait_for(self, child: Child, ready: Any) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not ready():
            if self.stopping:
                raise KeyboardInterrupt
            if not child.alive():
                raise NotStarted(f"{child.name} did not start. Its last words ({child.log}):\n{child.last_words()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"{child.name} is not ready after {_READY_SECONDS} s. See {child.log}")
            time.sleep(0.1)

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 (a loopback address of ours)
                return bool(answer.status == 200)
        except OSError:
            return False

    # --- watch and stop ----------------------------------------------------------------------------------------------

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _watch(self) -> None:
        progress = Progress(self.var)
        while not self.stopping:
            for child in self.children:
                if child.revive():
                    say(f"{child.name} had died and was started again. Its last words are in {child.log}")
            if self.postgres is not None and not self._postgres_alive():
                say("Postgres had died and is started again.")
                self.postgres.start()
            progress.show()
            time.sleep(_WATCH_SECONDS)

    def _postgres_alive(self) -> bool:
        now = time.monotonic()
        if now - getattr(self, "_postgres_seen", 0.0) < 3.0:
            return True
        self._postgres_seen = now
        return self.postgres is not None and self.postgres.is_running()

    def _stop(self) -> None:
        say("\nStopping …")
        for child in reversed(self.children):
            child.stop()
        if self.postgres is not None:
            self.postgres.stop()
        say("Stopped.")


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise NotStarted(f"{name} is {value}, and a port is a number from 1 to 65535.")
    return int(value)


class Progress:
    """Shows how far localcloud is with its downloads, one line per step of ten percent."""

    def __init__(self, var: Path) -> None:
        self._path = var / "cloud" / "progress.json"
        self._said: dict[str, int] = {}

    def show(self) -> None:
        """Print what moved since the last call."""
        try:
            steps: dict[str, float] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return
        for name, percent in steps.items():
            tens = int(percent) // 10 * 10
            if self._said.get(name, -1) < tens:
                self._said[name] = tens
                say(f"  {name}: {tens} %" if tens < 100 else f"  {name}: ready")


def say(text: str) -> None:
    """Print a line for the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run; returns the exit status."""
    try:
        Up().run()
    except (NotStarted, Unusable, PostgresUnavailable) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def stop() -> int:
    """Stop what runs from this directory, whoever started it; returns the exit status."""
    up = Up()
    with contextlib.suppress(OSError, ValueError):
        pid = int((up.var / "up.lock").read_text())
        with (up.var / "up.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.kill(pid, signal.SIGTERM)
                fcntl.flock(lock, fcntl.LOCK_EX)
                say("Stopped.")
                return 0
    for name in ("web", "localcloud"):
        stop_left_running(up.var, name)
    for cluster in (Cluster(up.var / "postgres", 0), Cluster(up.var / "cloud" / "postgres", 0)):
        cluster.stop()
    say("Nothing runs now.")
    return 0
