"""Builds a sandbox's namespaces and root, then becomes `bwrap` or, where there is none, does bwrap's part itself.

Runs as `python -I -S stage.py <spec>` in a process of its own, with nothing but the standard library and no threads (a
process with threads may not enter a user namespace). It works for root and for a normal user:

* A normal user becomes root of a user namespace of its own and does everything there.
* Root first collects what it alone may reach, then enters a user namespace that knows only the unprivileged user of
  `layout.owner()`. A sandbox must not run as real root even without capabilities: /proc/sys, /proc/sysrq-trigger and
  the like ask for their owner's user id and for nothing else.

Everything the sandbox will see is first bound below `/tmp` of a private mount namespace, under neutral names, so
neither bwrap's arguments nor the mount table tell where things lie on the host. The overlay is mounted inside the user
namespace with `userxattr`. All mounts end with the processes that see them.

What is inside is uid 1000 with no capabilities, no new privileges, its own mount, pid, ipc, uts and network namespaces,
and dies with localcloud: by the parent-death signal here and by the control socket in `inner.py`.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
STAGING = "/tmp"  # noqa: S108 - a tmpfs of our own in a mount namespace of our own
AT_RECURSIVE, AT_FDCWD, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 0x8000, -100, 1, 2, 4
SYS_MOUNT_SETATTR = 442  # the same on every architecture since Linux 5.12
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217, "armv7l": 218}
UID = 1000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PROC_TO_COVER = ("sys", "sysrq-trigger", "irq", "bus", "fs")

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise with the system's reason when a call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    done = libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data.encode())
    check(done, f"mount {kind or 'bind'} {source} at {target}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(libc.unshare(flags), "unshare (are user namespaces allowed here?)")


def write(path: str, text: str) -> None:
    """Write a file of /proc in one go."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def enter_user_namespace(also: int, inside: int, outside: tuple[int, int]) -> None:
    """A new user namespace in which our user is `inside`, together with the namespaces of `also`."""
    unshare(NEWUSER | also)
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{inside} {outside[0]} 1")
    write("/proc/self/gid_map", f"{inside} {outside[1]} 1")


def enter_as(uid: int) -> None:
    """From real root: a new user and mount namespace whose only user, root inside, is `uid` outside.

    Only a process that stayed outside may map another's id, so a child does.
    """
    reading, writing = os.pipe()
    target = os.getpid()
    helper = os.fork()
    if helper == 0:
        status = 1
        try:
            os.close(writing)
            if os.read(reading, 1):
                for name in ("gid_map", "uid_map"):
                    write(f"/proc/{target}/{name}", f"0 {uid} 1")
                status = 0
        finally:
            os._exit(status)
    os.close(reading)
    unshare(NEWUSER | NEWNS)
    os.write(writing, b"x")
    os.close(writing)
    if os.waitpid(helper, 0)[1]:
        raise OSError(1, f"user {uid} could not be mapped")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    check(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")  # else /proc/self belongs to a root that is not ours


def die_with(parent: int) -> None:
    """End with the process `parent`, also when it is gone already."""
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        raise SystemExit("localcloud is gone")


def gather(spec: dict) -> dict:  # type: ignore[type-arg]
    """Bind all that will be seen below `STAGING`; the same spec with those places in it.

    The sources are opened first, because they may themselves lie below what `STAGING` then hides.
    """
    wanted = [(source, how, f"{STAGING}/{number}") for number, (source, _, how) in enumerate(spec["binds"])]
    for number, one in enumerate(spec["overlays"]):
        wanted += [(lower, "ro", f"{STAGING}/o{number}/{at}") for at, lower in enumerate(one["lowers"])]
        wanted.append((one["layers"], "rw", f"{STAGING}/o{number}/own"))
    opened = [(os.open(source, os.O_PATH | os.O_CLOEXEC), how, staged) for source, how, staged in wanted]
    mount("tmpfs", STAGING, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    os.mkdir(f"{STAGING}/root")  # noqa: PTH102
    for descriptor, how, staged in opened:
        bind(f"/proc/self/fd/{descriptor}", staged, how)
        os.close(descriptor)
    os.chdir("/")
    binds = [(f"{STAGING}/{number}", target, how) for number, (_, target, how) in enumerate(spec["binds"])]
    for number, one in enumerate(spec["overlays"]):
        os.mkdir(f"{STAGING}/o{number}/merged")  # noqa: PTH102
        binds.append((f"{STAGING}/o{number}/merged", one["target"], "rw"))
    return {**spec, "binds": binds}


def mount_overlay(place: str, layers: int) -> None:
    """A directory over its layers. The work directory may hold a mode-000 leftover that only its owner can use."""
    leftover = f"{place}/own/work/work"
    if os.path.isdir(leftover):  # noqa: PTH112 - no pathlib: this starts in milliseconds
        os.chmod(leftover, 0o700)  # noqa: PTH101
    lowers = ":".join(f"{place}/{at}" for at in range(layers))
    data = f"lowerdir={lowers},upperdir={place}/own/upper,workdir={place}/own/work,userxattr"
    mount("overlay", f"{place}/merged", "overlay", MS_NOSUID | MS_NODEV, data)


def bwrap_command(spec: dict) -> list[str]:  # type: ignore[type-arg]
    """The same root as `build_root`, told to bwrap."""
    command = [spec["bwrap"]]
    command += [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-net",
        "--unshare-cgroup-try",
    ]
    command += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    command += ["--uid", str(UID), "--gid", str(UID)]
    for source, target, how in spec["binds"]:
        command += ["--ro-bind" if how == "ro" else "--bind", source, target]
    for target, path in spec["links"]:
        command += ["--symlink", target, path]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    command += ["--tmpfs", "/run", "--tmpfs", "/var/tmp", "--remount-ro", "/", "--chdir", "/"]  # noqa: S108
    for name, value in spec["environment"].items():
        command += ["--setenv", name, value]
    return [*command, "--", *spec["argv"]]


def bind(source: str, target: str, how: str) -> None:
    """Bind a file or directory with everything mounted below it; `ro` holds for all of it."""
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        with open(target, "a"):  # noqa: PTH123
            pass
    mount(source, target, None, MS_BIND | MS_REC)
    attributes = MOUNT_ATTR_NOSUID | (MOUNT_ATTR_RDONLY if how == "ro" else 0)
    attributes |= 0 if how == "dev" else MOUNT_ATTR_NODEV
    wanted = struct.pack("=QQQQ", attributes, 0, 0, 0)
    done = libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, wanted, len(wanted))
    check(done, f"restrict {target}")


def build_root(spec: dict) -> None:  # type: ignore[type-arg]
    """Put the sandbox's root together in a fresh tmpfs and make it the only one."""
    root = f"{STAGING}/root"
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m")
    for name in ("proc", "dev", "tmp", "run", "var/tmp", "app", "home"):
        os.makedirs(f"{root}/{name}")  # noqa: PTH103
    for source, target, how in spec["binds"]:
        bind(source, root + target, how)
    for target, path in spec["links"]:
        os.symlink(target, root + path)  # noqa: PTH211
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in PROC_TO_COVER:  # kernel settings that root outside, which we may be, could write
        if os.path.exists(f"{root}/proc/{name}"):  # noqa: PTH110
            bind(f"{root}/proc/{name}", f"{root}/proc/{name}", "ro")
    build_devices(f"{root}/dev")
    for name in ("tmp", "run", "var/tmp"):
        mount("tmpfs", f"{root}/{name}", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%")
    os.chdir(root)
    check(libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "leave the old root")
    os.chdir("/")
    check(libc.mount(None, b"/", None, ctypes.c_ulong(32 | MS_BIND | 1 | MS_NOSUID | MS_NODEV), None), "close the root")


def build_devices(directory: str) -> None:
    """The few devices programs expect."""
    mount("tmpfs", directory, "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name in DEVICES:
        bind(f"/dev/{name}", f"{directory}/{name}", "dev")
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"{directory}/{name}")  # noqa: PTH211
    for name in ("pts", "shm"):
        os.mkdir(f"{directory}/{name}")  # noqa: PTH102
    mount("devpts", f"{directory}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", f"{directory}/ptmx")  # noqa: PTH211
    mount("tmpfs", f"{directory}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%")


def loopback_up() -> None:
    """Switch on the only interface there is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14s", b"lo", 0, b""))
        flags = struct.unpack("16sH14s", asked)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


def become_first_process(spec: dict) -> None:  # type: ignore[type-arg]
    """In the new pid namespace: build the view, give every right away, and turn into `inner`."""
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    socket.sethostname("sandbox")
    loopback_up()
    build_root(spec)
    enter_user_namespace(0, UID, (0, 0))
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    os.setsid()
    os.execve(spec["argv"][0], spec["argv"], spec["environment"])  # noqa: S606


def main() -> None:
    """Build and become the sandbox; with an error, one line on standard error and status 1."""
    spec = json.loads(sys.argv[1])
    die_with(spec["parent"])
    if os.getuid() == 0:
        unshare(NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        spec = gather(spec)
        enter_as(spec["owner"])
    else:
        enter_user_namespace(NEWNS, 0, (os.getuid(), os.getgid()))
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        spec = gather(spec)
    die_with(spec["parent"])  # again: the kernel forgets it when a process changes its user
    for number, one in enumerate(spec["overlays"]):
        mount_overlay(f"{STAGING}/o{number}", len(one["lowers"]))
    if spec["mode"] == "bwrap":
        os.execve(spec["bwrap"], bwrap_command(spec), {})  # noqa: S606
    unshare(NEWPID | NEWIPC | NEWUTS | NEWNET | NEWCGROUP)
    child = os.fork()
    if child == 0:
        become_first_process(spec)
    for descriptor in range(3, 256):  # the control socket must belong to the inside alone
        try:
            os.close(descriptor)
        except OSError:
            continue
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 255)


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.stderr.write(f"{problem.strerror or problem}\n")
        os._exit(1)
