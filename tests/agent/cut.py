"""Run a turn or a restore again and again in processes of their own, each killed at a named point but the last.

    python -m tests.agent.cut <root of a sandbox> <its id> <git settings> <turn|restore> <id> <point> …

Prints how each run ended: the signal that killed it as a negative number, 0 for an orderly end. Django is set up once;
each run is a fork made before there is any connection, so it knows nothing but what the database and the sandbox know.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import django


def main() -> None:
    """Do as the arguments say."""
    root, sandbox_id, git, what, pk, *points = sys.argv[1:]
    django.setup()
    import pytest

    from provisioning import faults
    from sessions_app.agent import turn, versions
    from sessions_app.database import db
    from sessions_app.models import Version
    from tests.agent.conftest import LocalSandbox, stand_in

    async def work() -> None:
        if what == "turn":
            await turn.run(int(pk))
        else:
            version = await db(Version.objects.select_related("session").get, pk=int(pk))
            await versions.restore(version.session, version)

    with pytest.MonkeyPatch.context() as patch:
        sandbox = LocalSandbox(Path(root), sandbox_id)
        sandbox.env = json.loads(git)
        stand_in(patch, sandbox)
        patch.setattr(turn, "FLUSH_SECONDS", 0.02)
        for point in [*points, ""]:
            if (child := os.fork()) == 0:
                faults.arm(f"{point}=kill" if point else "")
                asyncio.run(work())
                os._exit(0)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
