"""Versions: what a turn changed becomes one commit, and going back to one is a commit as well.

A version exists once its row does; the repository at the vendor follows. A push that fails loses nothing: the next one
sends what is missing, since every version rests on the one before.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from provisioning.exceptions import SandboxLost
from provisioning.models import Resource
from sessions_app import events, tokens
from sessions_app.agent.repository import GitFailed, Repository
from sessions_app.agent.sandboxes import Unreachable, connected
from sessions_app.database import db
from sessions_app.models import Session, Turn, Version
from sessions_app.redaction import redact

log = logging.getLogger(__name__)

MAX_MESSAGE = 120
MAX_TITLE = 80


async def commit(turn: Turn, repository: Repository, starter: str) -> Version | None:
    """Make a version of the files as they are; None when they are those of the last version, or of the starter.

    Raises:
        GitFailed, Unreachable: no version was made; safe to repeat.
    """
    session: Session = turn.session
    secrets = await db(events.secrets_of, session)
    staged = await repository.stage(secrets)
    if staged.left_out:
        names = ", ".join(staged.left_out[:5])
        text = f"Left out of the version, because it contains the value of a credential: {names}."
        await db(_notice, session, "warning", text)
    last = await db(_last, session)
    if staged.tree == (last.tree if last else starter):
        return None
    sha = await repository.commit(staged.tree, await _parent(repository, last), _message(turn.prompt, secrets))
    version = Version(
        session=session, kind=Version.Kind.TURN, sha=sha, tree=staged.tree, turn=turn,
        message=_message(turn.prompt, secrets),
    )  # fmt: skip
    return await db(_record, version, await _title(repository, staged.tree, secrets))


async def restore(session: Session, version: Version) -> Version | None:
    """Put the app back to the tree of `version`, as a new commit; None when that could not be done, which is then said.

    Running it again after a crash makes the commit at most once more, never a second version.
    """
    try:
        repository = Repository(await connected(session.pk))
        restored = await _restore(session, version, repository)
        await push(session, repository)
    except (GitFailed, Unreachable, SandboxLost) as error:
        log.warning("version.restore_failed session=%s error=%s", session.slug, error)
        text = f"Version {version.number} could not be restored: {_said(error)}. Nothing was lost; try again."
        await db(_notice, session, "error", text)
        return None
    return restored


async def _restore(session: Session, version: Version, repository: Repository) -> Version:
    await repository.begin()
    if not await repository.has(f"{version.tree}^{{tree}}"):
        raise GitFailed("the sandbox no longer has its files")
    lockfile_changed = await repository.restore(version.tree)
    last = await db(_last, session)
    if last is not None and last.restores == version.number and last.tree == version.tree:
        return last
    message = f"Restore version {version.number}: {version.message}"[:MAX_MESSAGE]
    sha = await repository.commit(version.tree, await _parent(repository, last), message)
    made = Version(
        session=session, kind=Version.Kind.RESTORE, sha=sha, tree=version.tree, message=message,
        restores=version.number,
    )  # fmt: skip
    secrets = await db(events.secrets_of, session)
    recorded = await db(_record, made, await _title(repository, made.tree, secrets))
    if lockfile_changed:
        try:
            await repository.install()
        except GitFailed as error:
            text = f"The files are restored, but their packages could not be installed: {error}"
            await db(_notice, session, "warning", text)
    return recorded


async def push(session: Session, repository: Repository) -> None:
    """Send every version that the repository lacks. What it refuses is told as a notice and tried again later.

    Raises:
        Unreachable: the sandbox did not answer.
    """
    unpushed = await db(_unpushed, session)
    if unpushed is None:
        return
    sha, number = unpushed
    url = f"{settings.GATEWAY_URL}/gateway/git/{session.slug}.git"
    try:
        await repository.push(url, sha, tokens.gateway_token(session))
    except GitFailed as error:
        log.warning("version.push_failed session=%s", session.slug)
        text = f"Version {number} is kept here but could not be pushed to the repository yet: {error}"
        await db(_notice, session, "warning", text)
        return
    await db(_pushed, session, number)


async def _parent(repository: Repository, last: Version | None) -> str | None:
    """The commit a new version rests on; without it no push could follow, so its absence is not passed over."""
    if last is None:
        return None
    if not await repository.has(f"{last.sha}^{{commit}}"):
        raise GitFailed("the last version is no longer in the sandbox")
    return last.sha


def _message(prompt: str, secrets: list[str]) -> str:
    """First line of the prompt, without any secret that was typed into it."""
    line = redact(prompt.strip().splitlines()[0] if prompt.strip() else "Change", secrets)
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _last(session: Session) -> Version | None:
    return session.versions.order_by("-number").first()


async def _title(repository: Repository, tree: str, secrets: list[str]) -> str:
    """The app's own name, which the session is then listed by; a page that names a secret has none."""
    title = redact(await repository.title(tree), secrets)
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"


def _record(version: Version, title: str) -> Version:
    """Number the version, make it current and announce it, in one transaction."""
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(pk=version.session_id)
        last = _last(session)
        version.number = last.number + 1 if last else 1
        version.save()
        session.title = title or session.title
        session.head = version.number
        session.save(update_fields=["head", "title"])
        data = {"number": version.number, "sha": version.sha, "message": version.message, "title": title}
        events.append(session.pk, "version.created", data)
    return version


def _unpushed(session: Session) -> tuple[str, int] | None:
    """Commit and number of the newest version, when it is not pushed and there is a repository to push to."""
    last = _last(session)
    if last is None or last.pushed_at is not None:
        return None
    ready = Resource.objects.filter(session=session, provider="github", state=Resource.State.READY).exists()
    return (last.sha, last.number) if ready else None


def _pushed(session: Session, number: int) -> None:
    session.versions.filter(number__lte=number, pushed_at=None).update(pushed_at=timezone.now())


def _notice(session: Session, level: str, text: str) -> None:
    events.append(session.pk, "notice", {"level": level, "text": text})


def _said(error: Exception) -> str:
    return "its sandbox does not answer" if isinstance(error, Unreachable) else str(error).rstrip(".")
