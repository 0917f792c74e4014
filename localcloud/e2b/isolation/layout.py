"""What a sandbox sees where: the one description that every launcher builds from.

Inside, whatever the launcher: `/app` (the project), `/home/user`, `/opt/node`, `/opt/agent`, `/opt/python` and
`/opt/mk0r`
(this program's own parts), `/usr` and the little of `/etc` that programs need. In `plain` mode the same things lie at
their real places.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from embedded import node
from localcloud.e2b import npm
from localcloud.e2b.isolation import layers
from localcloud.e2b.isolation.names import NAME_SERVER
from localcloud.e2b.isolation.processes import MARK
from localcloud.e2b.runtime import ENVD

if TYPE_CHECKING:
    from localcloud.e2b.isolation.machine import Plan

PROXY_URL = "http://127.0.0.1:3128"
USER = "user"
UNPRIVILEGED = 64017  # nobody's: outside what systems hand out, inside the 65536 that a container has
# The host's own list of authorities, which may hold a company's; Node trusts only its built-in ones otherwise.
_CERTIFICATES = ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt")
_HERE = Path(__file__).resolve().parent
# envd is started through this line so that its dependencies come last on the path and no variable of ours stays set.
_BOOT = (
    "import os,runpy,sys;os.environ.pop('LD_LIBRARY_PATH',None);sys.path.append(sys.argv[1]);"
    "sys.argv=sys.argv[2:];sys.path.insert(0,'');runpy.run_path(sys.argv[0],run_name='__main__')"
)
_ETC_FROM_HOST = [
    "alternatives",
    "ssl",
    "pki",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "chromium",
    "chromium.d",
    "terminfo",
    "mime.types",
    "protocols",
    "services",
]
_ETC = {
    "passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:/home/user:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "hostname": "sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "resolv.conf": f"nameserver {NAME_SERVER}\noptions timeout:6 attempts:2\n",
}


class LayoutError(Exception):
    """The sandbox's files could not be put in place."""


@dataclass
class Place:
    """A prepared sandbox: what to start, and with which view."""

    mode: str
    envd: list[str]
    environment: dict[str, str]
    cwd: str
    outer_environment: dict[str, str]
    inner: list[str]
    spec: dict[str, object] = field(default_factory=dict)

    def command(self, descriptor: int) -> list[str]:
        """The program that localcloud starts; `descriptor` is the control socket it inherits."""
        if self.mode == "plain":
            return [*self.inner, str(descriptor)]
        spec = {**self.spec, "parent": os.getpid(), "argv": [*self.inner, str(descriptor)]}
        return [sys.executable, "-I", "-S", str(_HERE / "stage.py"), json.dumps(spec)]


def owner() -> int:
    """The user on the host that sandboxes run as, and that must own the trees they share: never root."""
    return os.getuid() or UNPRIVILEGED


def owner_group() -> int:
    """The group that goes with `owner`."""
    return UNPRIVILEGED if os.getuid() == 0 else os.getgid()


@cache
def _compile() -> None:
    """Compile envd once out here: inside its directory is read-only, and every start would do it again."""
    compileall.compile_dir(ENVD, quiet=2, maxlevels=1)


def prepare(plan: Plan) -> Place:
    """Make the sandbox's directories and describe it. Blocking: where it must, it copies the tree. `LayoutError`."""
    _compile()
    try:
        (plan.directory / "bin").mkdir(mode=0o755, parents=True, exist_ok=True)
        return _plain(plan) if plan.mode == "plain" else _apart(plan)
    except (OSError, node.NodeUnavailable, layers.LayersError) as problem:
        raise LayoutError(str(problem)) from problem


def _environment(plan: Plan, *, home: str, path: list[str]) -> dict[str, str]:
    return {
        "PATH": ":".join(path),
        "HOME": home,
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PORT": "5173",
        "npm_config_cache": f"{home}/.npm",
        "npm_config_prefix": f"{home}/.local",
        "npm_config_update_notifier": "false",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
        **plan.env,
        MARK: plan.sandbox_id,
    }


def _tools(directory: Path, node_root: str) -> None:
    """`npm` and `npx`, which the wheel's own scripts cannot start."""
    for name in ("npm", "npx"):
        script = directory / name
        script.write_text(
            f'#!/bin/sh\nexec "{node_root}/bin/node" "{node_root}/lib/node_modules/npm/bin/{name}-cli.js" "$@"\n'
        )
        script.chmod(0o755)


def _agent_paths(agent: Path | None, seen_at: str) -> list[str]:
    return [] if agent is None else [f"{seen_at}/current/bin"]


def _plain(plan: Plan) -> Place:
    app, home = _copies(plan)
    root = node.node_root()
    _tools(plan.directory / "bin", str(root))
    agent = _agent_paths(plan.agent, str(plan.agent))
    path = [str(plan.directory / "bin"), f"{home}/.local/bin", *agent, str(root / "bin")]
    argv = ["--fd", "3", "--die-with-stdin", "--map", f"/app={app}", "--map", f"/home/user={home}"]
    return Place(
        mode="plain",
        envd=[sys.executable, "-I", "-c", _BOOT, sysconfig.get_path("purelib"), str(ENVD / "__main__.py"), *argv],
        environment=_environment(plan, home=str(home), path=[*path, "/usr/local/bin", "/usr/bin", "/bin"]),
        cwd=str(home),
        outer_environment={},
        inner=[sys.executable, "-I", "-S", str(_HERE / "inner.py")],
    )


def _copies(plan: Plan) -> tuple[Path, Path]:
    """The sandbox's own `/app` and `/home/user`, copied from their layers unless they are there."""
    app, home = plan.directory / "app", plan.directory / "home"
    for directory, below in ((app, plan.base.app), (home, plan.base.home)):
        if not directory.is_dir():
            layers.copy(below, directory)
    return app, home


def _directories(plan: Plan) -> tuple[list[tuple[str, str, str]], list[layers.Overlay]]:
    """What is bound at `/app` and `/home/user`, and what is mounted there as an overlay."""
    whose = owner(), owner_group()
    if plan.copy:
        app, home = _copies(plan)
        for own in (app, home):
            os.chown(own, *whose)
        return [(str(app), "/app", "rw"), (str(home), "/home/user", "rw")], []
    overlays = [layers.app_overlay(plan.directory, plan.base, whose)]
    if plan.base.home:
        return [], [*overlays, layers.home_overlay(plan.directory, plan.base, whose)]
    home = plan.directory / "home"
    home.mkdir(mode=0o755, exist_ok=True)
    os.chown(home, *whose)
    return [(str(home), "/home/user", "rw")], overlays


def _apart(plan: Plan) -> Place:
    directory = plan.directory
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "npm_config_proxy", "npm_config_https_proxy"), PROXY_URL)
    path = ["/opt/mk0r/bin", "/home/user/.local/bin", *_agent_paths(plan.agent, "/opt/agent"), "/opt/node/bin"]
    environment = _environment(plan, home="/home/user", path=[*path, "/usr/local/bin", "/usr/bin", "/bin"])
    if plan.egress.hosts:
        proxy["npm_config_registry"] = npm.registry()
        for bundle in _CERTIFICATES:
            if Path(bundle).is_file():
                proxy["npm_config_cafile"] = bundle
        environment = {**proxy, "no_proxy": "127.0.0.1,localhost", **environment}
    python = f"/opt/python/bin/{Path(sys.executable).resolve().name}"
    binds = _binds(directory)
    if plan.agent is not None:
        plan.agent.mkdir(parents=True, exist_ok=True)
        binds.append((str(plan.agent), "/opt/agent", "ro"))
    bound, overlays = _directories(plan)
    spec = {**_spec(directory, plan.mode, [*binds, *bound]), "overlays": overlays}
    boot = [python, "-I", "-c", _BOOT, "/opt/mk0r/lib", "/opt/mk0r/envd/__main__.py", "--fd", "3", "--die-with-stdin"]
    return Place(
        mode=plan.mode,
        envd=boot,
        environment={**environment, **_libraries()},
        cwd="/home/user",
        outer_environment={},
        inner=[python, "-I", "-S", "/opt/mk0r/inner.py"],
        spec=spec,
    )


def bare_command(directory: Path, tree: Path, mode: str, argv: list[str]) -> list[str]:
    """A command that runs `argv` in namespaces of its own with `tree` itself, writable, at `/app` and no way out.

    `directory` holds what is made for it and may go when the command has ended.
    """
    for name in ("home", "bin"):
        (directory / name).mkdir(mode=0o755)
    home = (str(directory / "home"), "/home/user", "rw")
    spec = _spec(directory, mode, [*_binds(directory), home, (str(tree), "/app", "rw")])
    spec["environment"] = {"PATH": "/opt/node/bin:/usr/bin:/bin", "HOME": "/home/user"}
    spec = {**spec, "parent": os.getpid(), "argv": argv}
    return [sys.executable, "-I", "-S", str(_HERE / "stage.py"), json.dumps(spec)]


def _spec(directory: Path, mode: str, binds: list[tuple[str, str, str]]) -> dict[str, object]:
    """What `stage` must know, but for overlays and the program to run; writes the files it refers to."""
    (directory / "etc").mkdir(mode=0o755, exist_ok=True)
    for name, text in _ETC.items():
        (directory / "etc" / name).write_text(text)
    _tools(directory / "bin", "/opt/node")
    return {
        "mode": mode,
        "bwrap": shutil.which("bwrap") or "bwrap",
        "owner": owner(),
        "overlays": [],
        "binds": binds,
        "links": _links(),
        "environment": _libraries(),
    }


def _libraries() -> dict[str, str]:
    """For a Python that needs its own libpython beside it, which lies where the loader does not look."""
    shared = bool(sysconfig.get_config_var("Py_ENABLE_SHARED")) and Path(sys.base_prefix) != Path("/usr")
    return {"LD_LIBRARY_PATH": "/opt/python/lib"} if shared else {}


def _binds(directory: Path) -> list[tuple[str, str, str]]:
    """(real path, path inside, `ro` or `rw`), parents before children."""
    binds = [("/usr", "/usr", "ro")]
    binds += [(each, each, "ro") for each in ("/nix", "/gnu") if Path(each).is_dir()]
    binds += [(f"/{name}", f"/{name}", "ro") for name in _TOP if _is_directory(name)]
    binds += [(f"/etc/{name}", f"/etc/{name}", "ro") for name in _ETC_FROM_HOST if Path("/etc", name).exists()]
    binds += [(str(directory / "etc" / name), f"/etc/{name}", "ro") for name in _ETC]
    binds += [
        (sys.base_prefix, "/opt/python", "ro"),
        (str(node.node_root()), "/opt/node", "ro"),
        (sysconfig.get_path("purelib"), "/opt/mk0r/lib", "ro"),
        (str(ENVD), "/opt/mk0r/envd", "ro"),
        (str(_HERE / "inner.py"), "/opt/mk0r/inner.py", "ro"),
        (str(directory / "bin"), "/opt/mk0r/bin", "ro"),
    ]
    return binds


_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def _is_directory(name: str) -> bool:
    return Path("/", name).is_dir() and not Path("/", name).is_symlink()


def _links() -> list[tuple[str, str]]:
    """(target, path inside) of the top directories that are links into /usr."""
    return [(str(Path("/", name).readlink()), f"/{name}") for name in _TOP if Path("/", name).is_symlink()]
