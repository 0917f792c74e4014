"""The processes `up` watches over: started, adopted when they outlived a killed `up`, restarted when they die."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mk0r.local.installation import write_private

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between restarts of a child that keeps dying
_STEADY_SECONDS = 30.0  # a child that lived this long starts again without a pause


def started_at(pid: int) -> str:
    """When process `pid` started, as the system tells it; empty when there is none. A reused pid tells another time."""
    try:
        done = subprocess.run(
            ["ps", "-o", "lstart=,stat=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    when, _, state = done.stdout.strip().rpartition(" ")
    return "" if state.startswith("Z") else when.strip()


def code_fingerprint(root: Path) -> str:
    """Changes when any Python file of the checkout does, so that an old process is not adopted by new code."""
    digest = hashlib.sha256()
    packages = ("mk0r", "sessions_app", "provisioning", "gateway", "localcloud", "embedded")
    for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
        stat = path.stat()
        digest.update(f"{path}:{stat.st_mtime_ns}:{stat.st_size}".encode())
    return digest.hexdigest()[:16]


def _kept(var: Path, name: str) -> tuple[int, str]:
    """Pid and configuration of the process recorded under `name`, if it still runs; else (0, "")."""
    try:
        kept = json.loads((var / f"{name}.process.json").read_text())
        pid, when, configuration = int(kept["pid"]), str(kept["started"]), str(kept["configuration"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""
    return (pid, configuration) if when and started_at(pid) == when else (0, "")


def left_running(var: Path, name: str) -> bool:
    """Tell whether the process recorded under `name` still runs."""
    return bool(_kept(var, name)[0])


def stop_left_running(var: Path, name: str) -> None:
    """End the process recorded under `name`, if it still runs."""
    pid, _ = _kept(var, name)
    if pid:
        end_process(pid)
    (var / f"{name}.process.json").unlink(missing_ok=True)


def end_process(pid: int, *, grace: float = 15.0) -> None:
    """SIGTERM, and SIGKILL when the process is still there after `grace` seconds."""
    when = started_at(pid)
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + wait
        while started_at(pid) == when and time.monotonic() < deadline:
            time.sleep(0.05)
        if started_at(pid) != when:
            return


@dataclass
class Child:
    """One watched process. What is known of it lies in a file, so that the next `up` can find it again."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    var: Path
    fingerprint: str
    pid: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _since: float = 0.0
    _pause: float = 0.0
    _not_before: float = 0.0
    restarts: int = field(default=0)

    @property
    def log(self) -> Path:
        """File that takes what the process prints."""
        return self.var / "log" / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.var / f"{self.name}.process.json"

    def _configuration(self) -> str:
        chosen = {k: v for k, v in self.environment.items() if os.environ.get(k) != v}
        return hashlib.sha256(json.dumps([self.fingerprint, list(self.command), chosen]).encode()).hexdigest()[:16]

    def adopt_or_stop(self) -> bool:
        """Take over what a killed `up` left behind, if it runs today's code with today's settings; else end it."""
        pid, configuration = _kept(self.var, self.name)
        if not pid:
            return False
        self.pid, self._since = pid, time.monotonic()
        if configuration == self._configuration():
            return True
        self.stop()
        return False

    def start(self) -> None:
        """Start the process in a group of its own, so that Ctrl-C reaches it only through us, and in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                list(self.command),
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid, self._since = self._process.pid, time.monotonic()
        record = {"pid": self.pid, "started": started_at(self.pid), "configuration": self._configuration()}
        write_private(self._record, json.dumps(record))

    def alive(self) -> bool:
        """Tell whether the process runs; reaps it when it is ours and has ended."""
        if self._process is not None:
            return self._process.poll() is None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return bool(self.pid)

    def revive(self) -> bool:
        """Start the process again if it died and its pause is over; returns whether that happened now."""
        now = time.monotonic()
        if self.alive():
            if now - self._since > _STEADY_SECONDS:
                self._pause = 0.0
            return False
        if not self._not_before:
            self._not_before = now + self._pause
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        if now < self._not_before:
            return False
        self._not_before = 0.0
        self.restarts += 1
        self.start()
        return True

    def stop(self, *, grace: float = 15.0) -> None:
        """End the process: SIGTERM, and SIGKILL when it is still there after `grace` seconds."""
        if self.alive():
            end_process(self.pid, grace=grace)
        if self._process is not None:
            self._process.wait(5)
        self._record.unlink(missing_ok=True)

    def last_words(self, lines: int = 15) -> str:
        """The end of the process's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""
