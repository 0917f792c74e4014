"""Entry point of the daemon as a script: makes its own package importable from wherever it is mounted, and runs it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # A script's own directory comes first on sys.path, where our modules could shadow others; its parent replaces it.
    sys.path[0] = str(here.parent)
    sys.exit(importlib.import_module(f"{here.name}.app").main())
