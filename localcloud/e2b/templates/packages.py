"""`apt-get` for builds. A sandbox has no root and installs nothing, but its `/usr` is the machine's: what is installed
there is there. So it answers for what is asked and fails for the rest, naming it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = r"""#!/bin/sh
# Packages are those of the machine: this says whether they are there. Nothing is fetched and nothing is installed.
known="$(dirname "$0")/.packages" command= wanted= skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$word" in
    -o | -t | -c | --option | --target-release | --config-file) skip=1 ;;
    -*) ;;
    *) if [ -z "$command" ]; then command=$word; else wanted="$wanted $word"; fi ;;
  esac
done
case "$command" in
  update | clean | autoclean | autoremove)
    echo "localcloud: packages are those of this machine; nothing to do for '$command'" ;;
  install)
    missing=
    for name in $wanted; do
      if grep -qxF -- "$name" "$known"; then echo "$name is installed on this machine"
      else missing="$missing $name"; fi
    done
    if [ -n "$missing" ]; then
      echo "E: not installed on this machine:$missing" >&2
      echo "E: a local sandbox has no root and installs nothing: install it here first, or build at E2B" >&2
      exit 100
    fi ;;
  *)
    echo "E: localcloud's apt-get cannot do '$command'" >&2
    exit 100 ;;
esac
"""


def put(directory: Path) -> None:
    """Put `apt-get` and `apt` into a directory that comes first on the sandbox's path. Blocking."""
    (directory / ".packages").write_text("\n".join(installed()) + "\n")
    for name in ("apt-get", "apt"):
        (directory / name).write_text(SCRIPT)
        (directory / name).chmod(0o755)


def installed() -> list[str]:
    """Every package of this machine, as `name` and as `name=version`; none where there is no dpkg."""
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\n"
    try:
        done = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    present = [(row[1], row[2]) for row in rows if len(row) == 3 and row[0].startswith("ii")]
    return sorted({name for name, _ in present} | {f"{name}={version}" for name, version in present})
