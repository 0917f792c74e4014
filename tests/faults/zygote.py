"""A process that has imported the whole product, and forks `manage.py web` and `manage.py worker` from it on request.

Starting Django costs two seconds of processor time; an experiment that kills hundreds of processes cannot pay that each
time. A child forked here has paid it already. From the fork on it runs what the command line runs, with nothing of the
parent's in use: the parent opens no connection and starts no thread or loop, and a web child installs a reactor of its
own before Daphne sees it.

It is spoken to in lines of JSON: `{"arguments": ["worker"], "environment": {…}, "log": "…"}` on its standard input
starts a child; `{"started": pid}` answers, and `{"ended": pid, "status": n}` follows once, `n` as `subprocess` counts
it. A child's `MK0R_PORT` may differ from the parent's; other settings are read once, here. When its input ends it ends,
and its children with it, even those that are stopped.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
# What the commands import once they run, and what the first request and the first job would import.
_MODULES = (
    "channels_redis.pubsub",
    "django.core.management.commands.migrate",
    "httpx_aiohttp",
    "mk0r.asgi",
    "mk0r.process",
    "mk0r.serving",
    "mk0r.urls",
    "mk0r.vendors",
    "provisioning.tasks",
    "psycopg_pool",
    "sessions_app.agent.turn",
    "sessions_app.agent.versions",
    "sessions_app.tasks",
    "twisted.internet.endpoints",
)


def main() -> None:
    """Serve until the input ends."""
    import django

    django.setup()
    for name in _MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page it touches
    readable, wake = os.pipe()
    for end in (readable, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _say({"ready": os.getpid()})
    orders = b""
    while True:
        ready, _, _ = select.select([0, readable], [], [])
        if readable in ready:
            os.read(readable, 4096)
            _reap()
        if 0 in ready:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, orders = (orders + chunk).split(b"\n")
            for line in lines:
                _start(json.loads(line))


def _say(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _start(order: dict[str, Any]) -> None:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        _say({"started": pid})
        return
    status = 1
    try:
        _become(order, parent)
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:  # noqa: BLE001 - the end of a process: nobody is left to raise to
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become(order: dict[str, Any], parent: int) -> None:
    """Run one command of `manage.py` in this child."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to follow it
        return
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    os.closerange(3, 64)  # the parent's pipe, and the loop and reactor that importing Daphne made there
    os.environ.update(order["environment"])
    from django.conf import settings
    from django.core.management import execute_from_command_line

    settings.MK0R_PORT = int(os.environ["MK0R_PORT"])
    _forget_the_parents_reactor()
    execute_from_command_line(["manage.py", *order["arguments"]])


def _forget_the_parents_reactor() -> None:
    """Importing Daphne installs a reactor on a loop; a fork would share its selector with every other child."""
    import twisted.internet

    for name in ("twisted.internet.reactor", "daphne.server", "mk0r.serving"):
        sys.modules.pop(name, None)
    del twisted.internet.reactor  # type: ignore[attr-defined]
    importlib.import_module("daphne.server")


if __name__ == "__main__":
    main()
