"""What `up` tells of the staff console: where it is, and how to come in where nobody can yet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_SECONDS = 60


class FirstStaff:
    """`manage.py first_staff`, which goes on while web starts. Its password is told at the terminal and in no log."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "first_staff", "--json"],
            cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def told(self, url: str) -> list[str]:
        """Lines for the person at the terminal."""
        lines = [f"\n  Staff console: {url}/admin/"]
        try:
            output, said = self._process.communicate(timeout=_SECONDS)
            made = json.loads(output)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return [*lines, f"  Whether anybody can sign in there was not found out within {_SECONDS} s."]
        except ValueError:
            return [*lines, f"  No account could be made for it: {(said.strip().splitlines() or ['no reason'])[-1]}"]
        if made:
            lines.append(f"  Sign in as {made['name']} with the one-time password {made['password']}")
            lines.append("  It works once; then you choose your own. If it is lost, the next start tells another.")
        return lines
