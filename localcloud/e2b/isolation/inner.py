"""The first process inside a sandbox: starts envd, watches over it, and hands sockets of this network to the outside.

Runs as `python -I -S inner.py <fd>` with nothing but the standard library and no threads. `<fd>` is a unix stream
socket to localcloud, this process's only tie to it: when the other end is gone, however it went, this process ends, and
with it the sandbox (as the first process of a pid namespace, or by the kernel's kill of that namespace's children).

The talk on the socket:

1. in: one line of JSON, `{"listen": [ports], "argv": [...], "env": {...}, "cwd": "...", "limits": {"nofile": n},
   "adopt": bool}`, with the file descriptor of envd's listening socket attached;
2. out: `L`, with one listening TCP socket on 127.0.0.1 attached for each port of `listen`, or `E` and a line of reason;
3. in: `c` or `u`, any number of times; out for each: `s` with a fresh TCP (`c`) or UDP (`u`) socket attached, or `e`.

An envd that ends by itself takes down with it whatever it started, as a service manager would: nobody could list or
signal those processes any more, and a server among them would keep its port from its successor. Then envd starts anew.
Where orphans cannot be found (a plain process on a system without /proc), the sandbox ends instead.

A socket belongs to the network namespace it was made in, wherever it is used: the outside listens and connects inside
without a single byte passing through this process.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time

ENVD_FD = 3  # what envd's listening socket is called in envd
RESTART_PAUSE = 0.5  # seconds between two starts of an envd that ends by itself
LONGEST_ORDER = 1 << 20


def send(control: socket.socket, text: bytes, sockets: list[socket.socket]) -> None:
    """Send `text` with the descriptors of `sockets` attached to its first byte."""
    descriptors = array.array("i", [each.fileno() for each in sockets])
    control.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)] if sockets else [])


def receive_order(control: socket.socket) -> tuple[dict, int]:  # type: ignore[type-arg]
    """The first line and the descriptor that came with it."""
    line = bytearray()
    given: list[int] = []
    while not line.endswith(b"\n"):
        data, ancillary, _, _ = control.recvmsg(65536, socket.CMSG_SPACE(4))
        if not data or len(line) > LONGEST_ORDER:
            raise SystemExit("the outside left before it said what to do")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                given += array.array("i", content[: len(content) // 4 * 4])
        line += data
    if len(given) != 1:
        raise SystemExit("no listening socket came with the order")
    return json.loads(line), given[0]


def listen(ports: list[int]) -> list[socket.socket]:
    """One listening socket on 127.0.0.1 per port."""
    sockets = []
    for port in ports:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        sockets.append(listener)
    return sockets


def adopt_orphans() -> None:
    """Become the parent of every process below whose own parent ends (Linux), so that none can slip away."""
    if sys.platform != "linux":
        return
    import ctypes

    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def limit(limits: dict[str, int]) -> None:
    """Lower resource limits; a limit the system does not know or that is lower already is left alone."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


class Envd:
    """The daemon, started again when it ends by itself."""

    def __init__(self, order: dict, listener: int) -> None:  # type: ignore[type-arg]
        # In a pid namespace that holds nothing but this sandbox; there we are its first process, or bwrap's child.
        self.alone = not order["adopt"] and os.getpid() <= 2
        self.argv, self.environment, self.cwd = order["argv"], order["env"], order["cwd"]
        self.limits = order["limits"]
        self.listener = listener
        self.pid = 0
        self.due = 0.0
        self.lifeline = -1

    def start(self) -> None:
        """Fork and exec; the child's standard input ends when this process does."""
        if self.lifeline >= 0:
            os.close(self.lifeline)
        reading, self.lifeline = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(reading)
            return
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(reading, 0)
            if self.listener == ENVD_FD:
                os.set_inheritable(ENVD_FD, True)
            else:
                os.dup2(self.listener, ENVD_FD)
            os.chdir(self.cwd)
            limit(self.limits)
            os.execve(self.argv[0], self.argv, self.environment)  # noqa: S606
        except OSError as problem:
            os.write(2, f"envd did not start: {problem}\n".encode())
        finally:
            os._exit(127)

    def ended(self) -> None:
        self.pid = 0
        self.due = time.monotonic() + RESTART_PAUSE
        sys.stderr.write("envd ended by itself; what it had started ends too, then it starts anew\n")
        sys.stderr.flush()
        if self.alone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # all of the namespace but its first process and this one
        else:
            end_descendants()


def descendants() -> list[int]:
    """Everything below this process, which is the parent of all orphans here."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry)
            with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
                state, parent = file.read().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(pid)
    found = list(children.get(os.getpid(), []))
    for pid in found:
        found += children.get(pid, [])
    return found


def end_descendants() -> None:
    """Kill everything below, again until nobody is left who could have forked meanwhile."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112
        raise SystemExit("envd ended, and what it had started cannot be found here")
    for _ in range(50):
        found = descendants()
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def reap(envd: Envd) -> None:
    """Collect every ended child, also the orphans we adopted."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == envd.pid:
            envd.ended()


def serve(control: socket.socket, envd: Envd, wakeup: int) -> None:
    """Answer requests for sockets and keep envd running until the outside is gone."""
    while True:
        wait = max(0.0, envd.due - time.monotonic()) if envd.pid == 0 else None
        readable = select.select([control.fileno(), wakeup], [], [], wait)[0]
        if wakeup in readable:
            os.read(wakeup, 4096)
        reap(envd)
        if envd.pid == 0 and time.monotonic() >= envd.due:
            envd.start()
        if control.fileno() not in readable:
            continue
        asked = control.recv(256)
        if not asked:
            return
        for letter in asked:
            hand_out(control, socket.SOCK_DGRAM if letter == ord("u") else socket.SOCK_STREAM)


def hand_out(control: socket.socket, kind: int) -> None:
    """One fresh socket of this network."""
    try:
        fresh = socket.socket(socket.AF_INET, kind)
    except OSError:
        send(control, b"e", [])
        return
    send(control, b"s", [fresh])
    fresh.close()


def main() -> None:
    """Run until the outside is gone."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    control = socket.socket(fileno=descriptor)
    order, listener = receive_order(control)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # only the control socket or SIGKILL ends a sandbox
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if order["adopt"]:
        adopt_orphans()
    try:
        listeners = listen(order["listen"])
    except OSError as problem:
        send(control, f"E{problem}\n".encode(), [])
        return
    send(control, b"L", listeners)
    for each in listeners:
        each.close()
    envd = Envd(order, listener)
    envd.start()
    serve(control, envd, reading)


if __name__ == "__main__":
    try:
        main()
    finally:
        os._exit(0)  # at once: the kernel ends what is left inside
