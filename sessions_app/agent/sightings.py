"""What the app's files were when we last saw them, and what is done when a sandbox comes back without them.

A sandbox that sleeps is in the vendor's hands, and vendors have woken sandboxes with older files or without some. So
the tree of the files is kept, in the database beside the sandbox's id and in the sandbox as a ref that is not a branch,
whenever we are done with them: at the end of a turn, however it ended; after a restore; before we put the sandbox to
sleep. From the moment a turn or a restore may change them until its end nothing is kept. When the sandbox has been
asleep, and before the next turn or restore touches anything, the files are compared with what was kept:

* They are the same: nothing is done.
* The sandbox remembers the tree that was kept: its disk is the one we left. If that was just before we put it to sleep,
  files that are missing or differ were lost in its sleep, in which nobody writes, and are brought back; files that are
  new stay. Otherwise the app itself has written since, and everything stays as it is.
* The sandbox remembers another tree, or none: its disk is older than what we saw. The files become those that were kept
  if their contents are still here, else those of the version the app stands on, fetched from the repository if need be;
  work that no version holds, as of a turn that was stopped, is then lost.

What was done is told as a notice. What a failed or stopped turn left in its sandbox is thereby kept over a sleep like a
version's own files, and is never taken for a loss.
"""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from provisioning import leases
from provisioning import services as provisioning
from provisioning.exceptions import SandboxLost
from sessions_app.agent import catalogue, files
from sessions_app.agent.repository import GitFailed, Repository
from sessions_app.agent.sandboxes import Sandbox, Unreachable, connected
from sessions_app.database import db
from sessions_app.models import Session

log = logging.getLogger(__name__)

_NAMED = 3  # files that a notice names


def alone(session_id: UUID) -> AbstractAsyncContextManager[None]:
    """Hold this while the platform itself looks at or changes the session's files; the agent does not ask for it."""
    return leases.hold(f"files/{session_id}")


async def remember(session: Session, sandbox: Sandbox) -> None:
    """Keep the tree of the files as they are. What prevents that is logged: the next look then has nothing to go by."""
    try:
        tree = await look(Repository(sandbox))
    except (GitFailed, Unreachable) as error:
        log.warning("files.not_remembered session=%s error=%s", session.slug, error)
        return
    await db(provisioning.sandbox_note, session.pk, sandbox.id, {"tree": tree})


async def look(repository: Repository) -> str:
    """The tree of the files as they are, which the repository remembers from here on.

    Raises:
        GitFailed, Unreachable: nothing was seen; safe to repeat.
    """
    tree = await repository.begin()
    await repository.mark(tree)
    return tree


async def mended(session: Session, sandbox: Sandbox, repository: Repository, now: str) -> str:
    """Bring back what the files have lost since they were last seen, and say so. `now` is their tree; returns it after.

    Raises:
        GitFailed: they could not be brought back. Unreachable: the sandbox did not answer. Both are safe to repeat.
    """
    note = await db(provisioning.sandbox_noted, session.pk, sandbox.id)
    tree = str(note.get("tree", ""))
    if not tree or now == tree:
        return now
    if await repository.marked() != tree:
        text = await _replaced(session, repository, tree, now)
    elif note.get("asleep") and (lost := await repository.bring_back(tree, now)):
        text = f"The sandbox woke without {_named(lost)} as it was left. That is put right."
    else:
        return now
    await repository.require_packages()
    await files.installed(session, repository)
    log.warning("files.mended session=%s", session.slug)
    await db(catalogue.notice, session, "warning", text)
    return await repository.begin()


async def put_to_sleep(session_id: UUID) -> None:
    """Pause a sandbox that nobody uses, its files seen to beforehand. Does nothing when a turn has begun meanwhile.

    Raises:
        VendorError: the vendor did not answer as it should.
    """
    async with alone(session_id):
        session = await db(Session.objects.get, pk=session_id)
        if await db(catalogue.in_use, session):
            return
        note = None
        try:
            note = {"tree": await look(Repository(await connected(session_id))), "asleep": True}
        except (GitFailed, Unreachable, SandboxLost) as error:
            log.warning("files.unseen session=%s error=%s", session.slug, error)
        await provisioning.sandbox_pause(session_id, note)


async def woken(session_id: UUID) -> None:
    """Look after the files of a sandbox that was put to sleep and runs again; what fails is left to the next turn."""
    session = await db(Session.objects.get, pk=session_id)
    if not await db(_left_asleep, session_id):
        return
    try:
        sandbox = await connected(session_id)
        async with alone(session_id):
            if not await db(_left_asleep, session_id):
                return
            repository = Repository(sandbox)
            await mended(session, sandbox, repository, await repository.begin())
            await remember(session, sandbox)
    except (GitFailed, Unreachable, SandboxLost) as error:
        log.warning("files.unmended session=%s error=%s", session.slug, error)


def _left_asleep(session_id: UUID) -> bool:
    return bool(provisioning.sandbox_noted(session_id).get("asleep"))


async def _replaced(session: Session, repository: Repository, tree: str, now: str) -> str:
    """Put the last files that can be had over an older disk; returns what to say."""
    text = "The sandbox came back with older files than it was left with."
    try:
        await repository.restore(tree)
    except GitFailed:  # their contents are not here
        held = await files.newest(session, repository)
    else:
        return f"{text} The last ones are there again."
    if held is None:
        return f"{text} What came after them is lost, as no version holds it."
    if held.tree != now:
        await repository.restore(held.tree)
    await files.stand_on(session, repository, held)
    after = "" if held.tree == tree else "; what came after that is lost"
    return f"{text} It holds version {held.number} again{after}."


def _named(paths: list[str]) -> str:
    named = ", ".join(paths[:_NAMED])
    return named if len(paths) <= _NAMED else f"{named} and {len(paths) - _NAMED} more files"
