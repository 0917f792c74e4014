"""The rows of versions: which there are, how a new one is numbered and announced, and what is said of them.

Synchronous database code, but for the title, which is read in the sandbox.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from provisioning.models import Resource
from sessions_app import events
from sessions_app.agent.repository import Repository
from sessions_app.clipping import clean
from sessions_app.models import Session, Turn, Version
from sessions_app.redaction import redact

MAX_MESSAGE = 120
MAX_TITLE = 80


def last(session: Session) -> Version | None:
    """The newest version, or None before the first."""
    return session.versions.order_by("-number").first()


def made_by(turn: Turn) -> Version | None:
    """The version that turn made, or None."""
    return turn.versions.order_by("number").first()


def line(session: Session) -> list[Version]:
    """The version the app stands on and those before it, newest first; none while it stands on the starter."""
    head = Session.objects.values_list("head", flat=True).get(pk=session.pk)
    return list(session.versions.filter(number__lte=head).order_by("-number"))


def missing_from(session: Session, sandbox_id: str) -> Version | None:
    """The version whose files that sandbox is to be given first: None where a turn has begun, and before the first."""
    now = Session.objects.get(pk=session.pk)
    if now.state != Session.State.OPEN or Turn.objects.filter(session=now, sandbox_id=sandbox_id).exists():
        return None
    return now.versions.filter(number=now.head).first()


def record(version: Version, title: str) -> Version:
    """Number the version, make it current and announce it, in one transaction.

    Returns the one its turn has made already, if it has: a worker that was paused may come late with its own.
    """
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(pk=version.session_id)
        if version.turn is not None and (made := made_by(version.turn)) is not None:
            return made
        before = last(session)
        version.number = before.number + 1 if before else 1
        version.save()
        session.title = title or session.title
        session.head = version.number
        session.save(update_fields=["head", "title"])
        data = {"number": version.number, "sha": version.sha, "message": version.message, "title": title}
        events.append(session.pk, "version.created", data)
    return version


def head(session: Session) -> int:
    """Number of the version the app stands on, 0 for the starter."""
    return int(Session.objects.values_list("head", flat=True).get(pk=session.pk))


def in_use(session: Session) -> bool:
    """Whether a turn is under way, or the session is not open."""
    now = Session.objects.get(pk=session.pk)
    return now.state != Session.State.OPEN or now.turns.filter(state__in=["queued", "running"]).exists()


def begin_again(session: Session) -> None:
    """The app stands on the starter project again: no version's files are left."""
    Session.objects.filter(pk=session.pk).update(head=0)


def has_remote(session: Session) -> bool:
    """Whether the session has a repository of its own that can be pushed to and fetched from."""
    return Resource.objects.filter(session=session, provider="github", state=Resource.State.READY).exists()


def unpushed(session: Session) -> Version | None:
    """The newest version, when it is not pushed and there is a repository to push to."""
    newest = last(session)
    return newest if newest and newest.pushed_at is None and has_remote(session) else None


def pushed(session: Session, number: int) -> None:
    """Note that the repository has every version up to this one."""
    session.versions.filter(number__lte=number, pushed_at=None).update(pushed_at=timezone.now())


def notice(session: Session, level: str, text: str) -> None:
    """Tell the visitor something."""
    events.append(session.pk, "notice", {"level": level, "text": text})


def message(prompt: str, secrets: list[str]) -> str:
    """First line of the prompt, without any secret that was typed into it."""
    words = redact(prompt.strip().splitlines()[0] if prompt.strip() else "Change", secrets)
    return words if len(words) <= MAX_MESSAGE else words[: MAX_MESSAGE - 1] + "…"


async def title_of(repository: Repository, tree: str, secrets: list[str]) -> str:
    """The app's own name, which the session is then listed by; a page that names a secret has none."""
    title = clean(redact(await repository.title(tree), secrets))
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"
