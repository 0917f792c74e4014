"""What an installation on one machine keeps for itself under MK0R_VAR: its secrets and the ports it settled on."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from embedded.ports import free_port, is_free


class Unusable(Exception):
    """The directory cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Loopback ports of the three listeners. Sandboxes and `.env` files carry them, so they stay once chosen."""

    web: int
    cloud: int
    postgres: int


def write_private(path: Path, text: str) -> None:
    """Write `text` whole or not at all, readable by the owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)


def open_directory(var: Path) -> None:
    """Make `var` and see that it can be written; raises `Unusable`."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o700)
        probe = var / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Unusable(
            f"mk0r keeps its state in {var}, and that directory cannot be written: {error.strerror}. "
            "Set MK0R_VAR to another one."
        ) from error


def installation_secrets(var: Path) -> dict[str, str]:
    """SECRET_KEY and MK0R_ENCRYPTION_KEYS of this installation; made once, then kept.

    Raises:
        Unusable: the file is there but is not ours. A new key would make every stored credential unreadable.
    """
    path = var / "installation.json"
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "MK0R_ENCRYPTION_KEYS": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        }
        write_private(path, json.dumps(made))
    try:
        kept = json.loads(path.read_text())
        return {name: str(kept[name]) for name in ("SECRET_KEY", "MK0R_ENCRYPTION_KEYS")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unusable(
            f"{path} cannot be read. It holds the keys to everything stored; restore it, or run `make reset`."
        ) from error


def kept_ports(var: Path) -> Ports | None:
    """The ports that were settled last; None where none were, or nobody can tell."""
    return _settled(var)[0]


def _settled(var: Path) -> tuple[Ports | None, Ports | None]:
    """The ports of last time, and those that were wanted then."""
    try:
        kept = dict(json.loads((var / "ports.json").read_text()))
        wanted = kept.pop("wanted", None)
        return Ports(**kept), Ports(**wanted) if wanted else None
    except (OSError, ValueError, TypeError):
        return None, None


def choose_ports(var: Path, wanted: Ports, *, ours: frozenset[int]) -> tuple[Ports, list[str]]:
    """Settle the ports: those of last time where the same were wanted, else the wanted ones, else the next free ones.

    `ours` are ports that a part of this installation already listens on, which count as free. Returns the ports, and a
    sentence for each that is not the wanted one.
    """
    kept, kept_wanted = _settled(var)
    last, last_wanted = kept or wanted, kept_wanted or wanted
    chosen: dict[str, int] = {}
    notes: list[str] = []
    for name in ("web", "cloud", "postgres"):
        wish = getattr(wanted, name)
        first = port = getattr(last, name) if getattr(last_wanted, name) == wish else wish
        while port in chosen.values() or (port not in ours and not is_free(port)):
            port = free_port(port + 1)
        if port != wish and port == first:
            notes.append(f"{name} stays on port {port}, which it was given when {wish} was taken.")
        elif port != wish:
            notes.append(f"Port {wish} is taken, so {name} listens on {port}.")
        chosen[name] = port
    ports = Ports(**chosen)
    write_private(var / "ports.json", json.dumps({**vars(ports), "wanted": vars(wanted)}))
    return ports, notes
