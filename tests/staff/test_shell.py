"""`manage.py mk0r …`: everything staff may, from a shell; orders are followed to their end, and scripts get JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app.models import Event, Session, Turn, Version
from staff.access_models import Token
from staff.models import Entry, Undertaking
from staff.powers import POWERS, Came, Order
from staff.powers.sessions import Extend
from staff.refusals import Refused
from staff.shell import watching
from tests.fixtures.cloud import ROOT, CloudUnderTest
from tests.fixtures.settings import vendor_values

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async

VALUE = "npg_AbC123xyz789"


def run(*words: str) -> tuple[int, str, str]:
    """A command in this process: its exit status, what it wrote, what it wrote beside."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("mk0r", *words, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def run_json(*words: str) -> tuple[int, dict[str, Any]]:
    """The same with --json: what it wrote must be one JSON object and nothing else."""
    status, out, _ = run(*words, "--json")
    told = json.loads(out)
    assert out.count("\n") == 1
    assert isinstance(told, dict)
    return status, told


def started(cloud: CloudUnderTest, words: Sequence[str]) -> tuple[int, str, str]:
    """The same as a process of its own, as somebody at a shell would."""
    environment = {
        **os.environ,
        **vendor_values(cloud),
        "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict),
        "SECRET_KEY": settings.SECRET_KEY,
        "MK0R_ENCRYPTION_KEYS": settings.MK0R_ENCRYPTION_KEYS,
        "MK0R_VAR": str(cloud.var),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "mk0r", *words], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def session(transactional_db: None) -> Session:
    """An open session with one of everything, none of it at any vendor."""
    made = Session.objects.create(slug="d" * 12, title="A guest \x1b[31mbook")
    Resource.objects.create(
        session=made, provider="neon", kind="project", name=f"mk0r-{made.slug}", state="ready", attempt=1,
        external_id="quiet-sun-1",
    )  # fmt: skip
    Resource.objects.create(
        session=made, provider="github", kind="repository", name=f"mk0r-{made.slug}", state="failed", attempt=1,
        error={"reason": "quota", "message": "GitHub refused.", "retryable": True},
    )  # fmt: skip
    turn = Turn.objects.create(session=made, number=1, prompt="a guest book", state="done")
    Version.objects.create(session=made, number=1, sha="abc1234", tree="t", message="a guest book", turn=turn)
    Event.objects.create(session=made, seq=1, type="session.opened")
    Session.objects.filter(pk=made.pk).update(last_seq=1)
    return made


@pytest.fixture
def credential(session: Session) -> Credential:
    """A live one of its."""
    row = session.resources.get(provider="neon")
    made = Credential(resource=row, name="DATABASE_URL", expires_at=timezone.now() + timedelta(hours=1))
    made.seal(Secret(VALUE))
    made.save()
    return made


async def test_a_teardown_from_a_shell_without_a_worker_ends_with_everything_gone(
    live: Session, vendor_settings: CloudUnderTest
) -> None:
    words = ["teardown", live.slug, "--reason", "spam", "--here"]
    status, out, err = await db(started)(vendor_settings, words)
    assert (status, out) == (1, "")  # nobody was there to say yes
    assert "--yes" in err
    assert vendor_settings.live(name=f"mk0r-{live.slug}")
    status, out, err = await db(started)(vendor_settings, [*words, "--yes", "--json"])
    assert status == 0, err
    told = json.loads(out)
    assert told["finished_at"]
    assert [(one["label"], one["state"]) for one in told["errands"]] == [(live.slug, "done")]
    assert told["errands"][0]["link"].endswith(f"/s/{live.slug}/receipt")
    assert not vendor_settings.live(name=f"mk0r-{live.slug}")
    entry = await Entry.objects.aget()
    assert (entry.action, entry.where, entry.session, entry.reason) == ("teardown", "shell", live.slug, "spam")
    assert entry.who.endswith("(shell)")


def test_an_order_is_followed_line_by_line(session: Session) -> None:
    until = session.expires_at
    status, out, _ = run("extend", session.slug, "--hours", "30", "--here")
    assert status == 0, out
    lines = out.splitlines()
    assert lines[0].startswith("Give more time: 1 thing, order ")
    assert lines[-2].startswith(f"done      {session.slug}  lives until ")
    assert lines[-1] == "Ended: 1 done."
    session.refresh_from_db()
    assert session.expires_at > until + timedelta(hours=5)


def test_without_a_worker_it_says_so_and_the_order_stands(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.5)
    status, told = run_json("extend", session.slug, "--hours", "30")
    assert status == 3
    assert "No worker is running" in told["note"]
    assert (told["finished_at"], told["tally"]["waiting"]) == (None, 1)
    status, out, _ = run("follow", told["id"], "--wait", "0")
    assert status == 3
    assert f"mk0r follow {told['id']}" in out
    status, told = run_json("follow", told["id"], "--here")
    assert (status, told["tally"]["done"]) == (0, 1)
    assert Undertaking.objects.count() == 1


def test_where_an_errand_fails_the_exit_status_says_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unlucky(Extend):
        async def act(self, order: Order, key: str) -> Came:
            if UUID(key) == session.pk:
                raise Refused("This one will not.")
            return await super().act(order, key)

    monkeypatch.setitem(POWERS, "extend", Unlucky())
    Session.objects.create(slug="e" * 12)
    status, told = run_json("extend", session.slug, "e" * 12, "--hours", "30", "--here")
    assert status == 1
    assert {one["label"]: one["state"] for one in told["errands"]} == {session.slug: "failed", "e" * 12: "done"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["teardown", "d" * 12], "--yes"),
        (["teardown", "d" * 12, "nobody", "--yes"], "no session nobody"),
        (["extend", "d" * 12, "--hours", "1e9"], "hours"),
        (["reveal", "d" * 12, "DATABASE_URL"], "Say why"),
        (["reveal", "d" * 12, "GITHUB_TOKEN", "--reason", "lost"], "it has DATABASE_URL"),
        (["show", "nobody"], "no session nobody"),
        (["sessions", "--before", "nobody"], "no session nobody"),
        (["follow", "nobody"], "number"),
        (["order", "dance", "1"], "has no power dance"),
        (["order", "extend", "1", "--option", "hours=2"], "no longer exists"),
        (["staff", "two words"], "valid username"),
        (["token", "ci", "--user", "nobody"], "no account nobody"),
    ],
)
def test_what_is_refused_is_told_in_words_and_leaves_no_trace(
    credential: Credential, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))  # not a terminal: nobody is asked
    status, told = run_json(*words)
    assert status == 1
    assert said in told["message"]
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert said in err
    assert not Entry.objects.exists()
    assert not Undertaking.objects.exists()
    assert not User.objects.exists()


def test_on_a_terminal_it_lists_what_is_lost_and_takes_a_yes(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    status, out, err = run("teardown", session.slug, "--wait", "0")
    assert (status, out) == (1, "")
    assert f"{session.slug}: Neon project mk0r-{session.slug} ready, GitHub repository" in err
    assert err.endswith("Nothing was done.\n")
    assert not Undertaking.objects.exists()
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    status, told = run_json("teardown", session.slug, "--wait", "0")
    assert (status, told["power"]) == (3, "teardown")


@pytest.mark.parametrize("words", [["retry", "d" * 12], ["sweep", "--dry"], ["pause", "neon"]])
def test_a_power_that_this_installation_lacks_is_named(
    session: Session, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    for name in ("retry", "sweep", "pause_vendor"):
        monkeypatch.delitem(POWERS, name, raising=False)
    status, told = run_json(*words)
    assert status == 1
    assert "has no power" in told["message"]
    assert "teardown" in told["message"]


@pytest.mark.parametrize(
    ("words", "power"),
    [
        (["retry", "d" * 12, "github"], "retry"),
        (["revoke", "d" * 12, "neon", "--yes"], "revoke"),
        (["rotate", "d" * 12, "neon", "--yes"], "rotate"),
        (["sweep", "--dry"], "sweep"),
        (["pause", "neon", "--yes"], "pause_vendor"),
        (["resume", "neon", "--yes"], "pause_vendor"),
    ],
)
def test_each_command_orders_its_power(credential: Credential, words: list[str], power: str) -> None:
    status, told = run_json(*words, "--reason", "because", "--wait", "0")
    assert (status, told["power"]) == (3, power), told
    assert len(told["errands"]) == 1
    assert Entry.objects.get().action == power


def test_sessions_are_listed_in_pages_and_by_what_is_the_matter(session: Session) -> None:
    later = Session.objects.create(slug="e" * 12, created_at=session.created_at + timedelta(seconds=1))
    Resource.objects.create(
        session=later, provider="resend", kind="audience", name="x", state="stuck", error={"reason": "busy"}
    )

    def slugs(*words: str) -> list[str]:
        return [one["slug"] for one in run_json("sessions", *words)[1]["sessions"]]

    assert slugs() == [later.slug, session.slug]
    assert slugs("--stuck") == [later.slug]
    assert slugs("--failed") == [session.slug]
    assert slugs("--state", "closed") == []
    status, told = run_json("sessions", "--limit", "1")
    assert (status, told["next"]) == (0, later.slug)
    assert slugs("--limit", "1", "--before", later.slug) == [session.slug]
    line = run_json("sessions", "--failed")[1]["sessions"][0]
    assert line["legs"] == {"github": "failed", "neon": "ready"}
    assert (line["turns"], line["turn_running"]) == (1, False)
    status, out, _ = run("sessions")
    assert status == 0
    assert "A guest �[31mbook" in out  # what a visitor typed does not steer a terminal
    assert "\x1b" not in out


def test_show_tells_everything_of_a_session_and_no_value(session: Session, credential: Credential) -> None:
    run("extend", session.slug, "--hours", "30", "--reason", "asked for by mail", "--wait", "0")
    status, out, _ = run("show", session.slug)
    assert status == 0
    for word in (
        "quiet-sun-1",
        "DATABASE_URL",
        "•••",
        "abc1234",
        "session.opened",
        "asked for by mail",
        "GitHub refused",
    ):
        assert word in out
    told = run_json("show", session.slug)[1]
    assert VALUE not in out + json.dumps(told)
    assert [one["value"] for one in told["credentials"]] == ["•••"]
    assert [one["state"] for one in told["resources"]] == ["ready", "failed"]
    assert told["audit"][0]["action"] == "extend"


def test_a_value_is_printed_once_and_written_down(session: Session, credential: Credential) -> None:
    status, out, err = run("reveal", session.slug, "DATABASE_URL", "--reason", "lost")
    assert (status, out, err) == (0, VALUE + "\n", "")
    entry = Entry.objects.get()
    assert (entry.action, entry.where, entry.session, entry.reason) == ("reveal", "shell", session.slug, "lost")
    assert run_json("reveal", session.slug, "DATABASE_URL", "--reason", "again")[1]["value"] == VALUE
    assert Entry.objects.count() == 2


def test_any_power_can_be_ordered_by_its_name(session: Session) -> None:
    status, told = run_json("order", "extend", str(session.pk), "--option", "hours=30", "--here")
    assert (status, told["options"], told["tally"]["done"]) == (0, {"hours": 30.0}, 1)


def test_vendors_are_told_with_what_is_on_its_way_there(session: Session) -> None:
    told = {one["provider"]: one for one in run_json("vendors")[1]["vendors"]}
    assert len(told) == 5
    assert told["neon"]["state"] == "ok"
    assert "Neon" in run("vendors")[1]


def test_an_account_of_staff_is_made_and_renewed_with_a_one_time_password(transactional_db: None) -> None:
    status, told = run_json("staff", "sam", "--group", "operator")
    assert (status, told["groups"], told["new"]) == (0, ["operator"], True)
    sam = User.objects.get()
    assert sam.check_password(told["password"])
    assert (sam.is_staff, sam.is_superuser, sam.one_time.used_at) == (True, False, None)
    status, out, _ = run("staff", "sam")
    assert status == 0
    sam = User.objects.get()
    assert sam.check_password(out.splitlines()[-1])
    assert [group.name for group in sam.groups.all()] == ["operator"]
    User.objects.update(is_active=False)
    status, told = run_json("staff", "sam")
    assert status == 1
    assert "--activate" in told["message"]
    assert run_json("staff", "sam", "--activate")[0] == 0
    assert [one.action for one in Entry.objects.all()] == ["account"] * 3
    assert run_json("staff", "ben")[1]["groups"] == ["viewer"]


def test_a_token_is_printed_once_listed_without_its_text_and_revoked(transactional_db: None) -> None:
    run("staff", "sam", "--group", "admin")
    status, out, _ = run("token", "ci", "--user", "sam", "--days", "7")
    assert status == 0
    text = out.splitlines()[-1]
    assert text.startswith("mk0rs_")
    status, told = run_json("token", "vault", "--user", "sam", "--scope", "reveal")
    assert (status, told["may_reveal"]) == (0, True)
    listed = run_json("tokens")[1]
    assert [(one["name"], one["user"]) for one in listed["tokens"]] == [("vault", "sam"), ("ci", "sam")]
    assert text[6:] not in json.dumps(listed) + run("tokens", "--user", "sam")[1]
    assert run("token", "ci", "--user", "sam", "--revoke")[0] == 0
    assert Token.objects.get(name="ci").revoked_at
    assert run_json("token", "ci", "--user", "sam", "--revoke")[0] == 1
