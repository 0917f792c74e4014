"""Versions: what a turn changed becomes one commit, and going back to one is a commit as well.

A version exists once its row does; the repository at the vendor follows. A push that fails loses nothing while the
sandbox lives: the next one sends what is missing, since every version rests on the one before.
"""

from __future__ import annotations

import logging

from provisioning import faults
from provisioning.exceptions import SandboxLost
from sessions_app import events, tokens
from sessions_app.agent import catalogue, files, sightings, workspace
from sessions_app.agent.repository import MAX_FILE, GitFailed, Repository
from sessions_app.agent.sandboxes import Unreachable
from sessions_app.database import db
from sessions_app.models import Session, Turn, Version

log = logging.getLogger(__name__)


class FilesLost(Exception):
    """The files of a version are neither in the sandbox nor in the repository."""


async def commit(turn: Turn, repository: Repository, starter: str) -> Version | None:
    """Make a version of the files as they are; None when they are those of the last version, or of the starter.

    A turn makes one version: running it again after a crash returns the one it has made.

    Raises:
        GitFailed, Unreachable: no version was made; safe to repeat.
    """
    session: Session = turn.session
    if (made := await db(catalogue.made_by, turn)) is not None:
        return made
    secrets = await db(events.secrets_of, session)
    staged = await repository.stage(secrets)
    for paths, why in (
        (staged.left_out, "because it contains the value of a credential"),
        (staged.too_large, f"because it is larger than {MAX_FILE // 1_000_000} MB"),
        (staged.not_taken, "because git cannot read it, or its name is one that git does not take"),
    ):
        if paths:
            text = f"Left out of the version, {why}: {', '.join(paths[:5])}."
            await db(catalogue.notice, session, "warning", text)
    base = await files.newest(session, repository)
    if staged.tree == (base.tree if base else starter):
        return None
    message = catalogue.message(turn.prompt, secrets)
    sha = await repository.commit(staged.tree, base.sha if base else None, message)
    version = Version(
        session=session, kind=Version.Kind.TURN, sha=sha, tree=staged.tree, turn=turn, message=message,
    )  # fmt: skip
    return await db(catalogue.record, version, await catalogue.title_of(repository, staged.tree, secrets))


async def restore(session: Session, version: Version) -> Version | None:
    """Put the app back to the tree of `version`, as a new commit; None when that could not be done, which is then said.

    Running it again after a crash makes the commit at most once more, never a second version, and leaves the packages
    as the lockfile says.
    """
    try:
        sandbox = await workspace.reached(session)
        repository, _ = await workspace.opened(session, sandbox)
        restored = await _restore(session, version, repository)
        await push(session, repository)
    except FilesLost:
        text = f"Version {version.number} cannot be restored: the sandbox that held its files was lost before they "
        text += "had reached the repository. The app is as it was."
    except SandboxLost:
        text = f"Version {version.number} could not be restored: the sandbox was lost, and no other could be made. "
        text += "Retry the sandbox, then restore again."
    except (GitFailed, Unreachable) as error:
        text = f"Version {version.number} could not be restored: {_said(error)}. Nothing was lost; try again."
    else:
        await sightings.remember(session, sandbox)
        return restored
    log.warning("version.restore_failed session=%s number=%s", session.slug, version.number)
    await db(catalogue.notice, session, "error", text)
    return None


async def _restore(session: Session, version: Version, repository: Repository) -> Version:
    if not await repository.has(f"{version.tree}^{{tree}}"):
        await files.fetch(session, repository)
        if not await repository.has(f"{version.tree}^{{tree}}"):
            raise FilesLost
    await repository.restore(version.tree)
    faults.point("restore.after_files")
    made = await db(catalogue.last, session)
    if made is None or made.restores != version.number or made.tree != version.tree:
        parent = await files.newest(session, repository)
        made = await files.repeated(session, repository, version, parent=parent)
    faults.point("restore.after_record")
    await files.installed(session, repository)
    faults.point("restore.after_install")
    return made


async def push(session: Session, repository: Repository) -> None:
    """Send every version that the repository lacks. What it refuses is told as a notice and tried again later.

    Raises:
        Unreachable: the sandbox did not answer.
    """
    version = await db(catalogue.unpushed, session)
    if version is None or not await repository.has(f"{version.sha}^{{commit}}"):
        return
    try:
        await repository.push(files.url_of(session), version.sha, tokens.gateway_token(session))
    except GitFailed as error:
        log.warning("version.push_failed session=%s", session.slug)
        text = f"Version {version.number} is kept here but could not be pushed to the repository yet: {error}"
        await db(catalogue.notice, session, "warning", text)
        return
    await db(catalogue.pushed, session, version.number)


def _said(error: Exception) -> str:
    return "its sandbox does not answer" if isinstance(error, Unreachable) else str(error).rstrip(".")
