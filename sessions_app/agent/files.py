"""Where the files of a version can be had, and how the app comes to stand on them."""

from __future__ import annotations

from django.conf import settings

from sessions_app import events, tokens
from sessions_app.agent import catalogue
from sessions_app.agent.repository import GitFailed, Repository
from sessions_app.database import db
from sessions_app.models import Session, Version


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


async def stand_on(session: Session, repository: Repository, held: Version) -> None:
    """Have the app stand on a version whose files were put in place, by a new version where newer ones are lost."""
    if held.number == await db(catalogue.head, session):
        await repository.point(held.sha)
    else:
        await repeated(session, repository, held, parent=held)


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
    """Install the packages of the files as they are, if they are due; what cannot be installed is told."""
    try:
        if await repository.packages_due():
            await repository.install()
    except GitFailed as error:
        text = (
            f"The files are restored, but their packages could not be installed: {error.args[0].strip().rstrip('.')}. "
        )
        text += "The next prompt or restore tries again."
        await db(catalogue.notice, session, "warning", text)
