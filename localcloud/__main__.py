"""`python -m localcloud`: run the stand-ins until SIGTERM or SIGINT. Exit status 2 means it could not start."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from localcloud.config import ConfigError, read
from localcloud.server import StartError, serve


def main() -> int:
    """Run localcloud in this process; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(serve(read(os.environ)))
    except (ConfigError, StartError) as error:
        sys.stderr.write(f"localcloud cannot start: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
