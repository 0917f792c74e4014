"""The app's files in whichever sandbox the session has now.

A sandbox can be lost. The next one comes with the starter project, and is given the files of the version the app
stands on before anything else is done in it: they are fetched from the session's repository. What the repository lacks
is gone, and said to be. A sandbox in which a turn has begun is given nothing here: its files may be ahead of any
version, and what it loses in its sleep is the business of `sightings`.
"""

from __future__ import annotations

import logging
from uuid import UUID

from provisioning import services as provisioning
from provisioning.exceptions import SandboxLost
from sessions_app.agent import catalogue, files, sightings
from sessions_app.agent.repository import GitFailed, Repository
from sessions_app.agent.sandboxes import Sandbox, Unreachable, connected
from sessions_app.database import db
from sessions_app.models import Session, Version
from sessions_app.process import sessions

log = logging.getLogger(__name__)


async def reached(session: Session) -> Sandbox:
    """The session's sandbox; one that is found lost is made anew once, and waited for.

    Raises:
        SandboxLost: there is none, and none could be made. Unreachable: it does not answer.
    """
    try:
        return await connected(session.pk)
    except SandboxLost:
        await sessions.renew(session.pk)
        await sessions.converge(session.pk)
        return await connected(session.pk)


async def opened(session: Session, sandbox: Sandbox) -> tuple[Repository, str]:
    """The repository in that sandbox, which holds the app's files from here on, and the tree of them as they are.

    Safe to repeat after a crash at any line: only once the files are there does the branch point to their commit.

    Raises:
        GitFailed: the files could not be brought there. Unreachable: the sandbox did not answer.
    """
    repository = Repository(sandbox)
    async with sightings.alone(session.pk):
        await _lay_down(session, sandbox.id, repository)
        tree = await sightings.mended(session, sandbox, repository, await repository.begin())
        await files.installed(session, repository)  # what a crash or a failure left undone
        await db(provisioning.sandbox_note, session.pk, sandbox.id, {})
        return repository, tree


async def refill(session_id: UUID) -> None:
    """Give a sandbox that was just made its files. What goes wrong is told, and tried again by the next turn."""
    session = await db(Session.objects.get, pk=session_id)
    if not session.head or session.state != Session.State.OPEN:
        return
    try:
        await opened(session, await connected(session_id))
    except (GitFailed, Unreachable, SandboxLost) as error:
        log.warning("workspace.refill_failed session=%s error=%s", session.slug, error)
        why = str(error).rstrip(".") if isinstance(error, GitFailed) else "it does not answer"
        text = f"The sandbox was made anew, but does not hold version {session.head} yet: {why}. "
        text += "The next prompt or restore tries again."
        await db(catalogue.notice, session, "warning", text)


async def _lay_down(session: Session, sandbox_id: str, repository: Repository) -> None:
    wanted = await db(catalogue.missing_from, session, sandbox_id)
    if wanted is None:
        return
    await repository.begin()
    if await repository.tip() == wanted.sha:
        return
    try:
        held = await files.newest(session, repository)
    except GitFailed as error:
        text = f"the files of version {wanted.number} could not be fetched from the repository: {error}"
        raise GitFailed(text) from None
    if held is None:
        await db(catalogue.begin_again, session)
        text = f"The sandbox was made anew and holds the starter project: {_lost(0, wanted)} The database is untouched."
        await db(catalogue.notice, session, "error", text)
        return
    await repository.restore(held.tree)
    await files.installed(session, repository)
    await files.stand_on(session, repository, held)
    text = f"The sandbox was made anew and holds version {held.number} again"
    if held.number == wanted.number:
        await db(catalogue.notice, session, "info", f"{text}.")
    else:
        await db(catalogue.notice, session, "error", f"{text}: {_lost(held.number, wanted)}")


def _lost(held: int, wanted: Version) -> str:
    if wanted.number == held + 1:
        return f"version {wanted.number} had not reached the repository and is lost."
    return f"versions {held + 1} to {wanted.number} had not reached the repository and are lost."
