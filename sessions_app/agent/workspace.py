"""The app's files in whichever sandbox the session has now.

A sandbox can be lost. The next one comes with the starter project, and is given the files of the version the app
stands on before anything else is done in it: they are fetched from the session's repository. What the repository lacks
is gone, and said to be. A sandbox in which a turn has begun is never touched here: its files may be ahead of any
version.
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings

from provisioning import leases
from provisioning.exceptions import SandboxLost
from sessions_app import events, tokens
from sessions_app.agent import catalogue
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
    async with leases.hold(f"files/{session.pk}"):
        await _lay_down(session, sandbox.id, repository)
        return repository, await repository.begin()


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


async def newest(session: Session, repository: Repository) -> Version | None:
    """The version a new one rests on: the newest that can be had, fetched if need be; None is the starter.

    Raises:
        GitFailed: the repository could not be asked.
    """
    line = await db(catalogue.line, session)
    if not line or await repository.has(f"{line[0].sha}^{{commit}}"):
        return line[0] if line else None
    await fetch(session, repository)
    for version in line:
        if await repository.has(f"{version.sha}^{{commit}}"):
            return version
    return None


async def fetch(session: Session, repository: Repository) -> None:
    """Bring what the session's repository has into the sandbox; nothing where it never had a repository.

    Raises:
        GitFailed: it could not be asked.
    """
    if await db(catalogue.has_remote, session):
        await repository.fetch(url_of(session), tokens.gateway_token(session))


def url_of(session: Session) -> str:
    """The session's repository, as a sandbox reaches it."""
    return f"{settings.GATEWAY_URL}/gateway/git/{session.slug}.git"


async def _lay_down(session: Session, sandbox_id: str, repository: Repository) -> None:
    wanted = await db(catalogue.missing_from, session, sandbox_id)
    if wanted is None:
        return
    await repository.begin()
    if await repository.tip() == wanted.sha:
        return
    try:
        held = await newest(session, repository)
    except GitFailed as error:
        text = f"the files of version {wanted.number} could not be fetched from the repository: {error}"
        raise GitFailed(text) from None
    if held is None:
        await db(catalogue.begin_again, session)
        text = f"The sandbox was made anew and holds the starter project: {_lost(0, wanted)} The database is untouched."
        await db(catalogue.notice, session, "error", text)
        return
    if await repository.restore(held.tree):
        await installed(session, repository)
    if held.number == wanted.number:
        await repository.point(held.sha)
        text = f"The sandbox was made anew and holds version {held.number} again."
        await db(catalogue.notice, session, "info", text)
    else:
        await repeated(session, repository, held, parent=held)
        text = f"The sandbox was made anew and holds version {held.number} again: {_lost(held.number, wanted)}"
        await db(catalogue.notice, session, "error", text)


async def repeated(session: Session, repository: Repository, version: Version, *, parent: Version | None) -> Version:
    """Make a version on top of `parent` that repeats the tree of `version`, which the files already are."""
    message = f"Restore version {version.number}: {version.message}"[: catalogue.MAX_MESSAGE]
    sha = await repository.commit(version.tree, parent.sha if parent else None, message)
    made = Version(
        session=session, kind=Version.Kind.RESTORE, sha=sha, tree=version.tree, message=message,
        restores=version.number,
    )  # fmt: skip
    title = await catalogue.title_of(repository, made.tree, await db(events.secrets_of, session))
    return await db(catalogue.record, made, title)


async def installed(session: Session, repository: Repository) -> None:
    """Install the packages of the files as they are; what cannot be installed is told."""
    try:
        await repository.install()
    except GitFailed as error:
        text = f"The files are restored, but their packages could not be installed: {error}"
        await db(catalogue.notice, session, "warning", text)


def _lost(held: int, wanted: Version) -> str:
    if wanted.number == held + 1:
        return f"version {wanted.number} had not reached the repository and is lost."
    return f"versions {held + 1} to {wanted.number} had not reached the repository and are lost."
