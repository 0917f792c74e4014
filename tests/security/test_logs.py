"""Whatever a library puts into its message: the log shows no key of ours and no session's (I-15)."""

from __future__ import annotations

import base64
import logging
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from django.conf import settings as configured

from mk0r.log_redaction import Formatter

TOKEN = "mk0rgw_abcdefghijkl_" + "0123456789abcdef" * 3
KEY = "sk-ant-api03-AbC+dEf/0123456789"


def shown(message: str, *args: Any, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, message, args, info)
    return Formatter("%(levelname)s %(message)s").format(record)


@pytest.fixture(autouse=True)
def _keys(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ANTHROPIC_API_KEY = KEY
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "Pr0duct+database/pw")


@pytest.mark.parametrize(
    "text",
    [KEY, quote(KEY, safe=""), base64.b64encode(f"x-access-token:{KEY}".encode()).decode(), "Pr0duct+database/pw"],
)
def test_a_key_of_ours_is_dots_in_message_arguments_and_traceback(text: str) -> None:
    try:
        raise ValueError(f"could not use {text}")
    except ValueError as error:
        for line in (shown(f"bad {text}"), shown("bad %s", {"h": text}), shown("bad", error=error)):
            assert text[8:-8] not in line
            assert "•••" in line


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token {TOKEN} of a session", TOKEN[20:]),
        (TOKEN.replace("mk0rgw", "mk0r"), TOKEN[20:]),
        ("staff showed mk0rs_" + "0123456789abcdef" * 4, "0123456789abcdef"),
        ("postgresql://role:npg_AbC123xyz@db.example/app?x=1", "npg_AbC123xyz"),
        ("postgres://role:p%40ss/w+rd@db.example:5432/app", "p%40ss"),
        ("connection failed: password=Hunter22secret host=db", "Hunter22secret"),
        ("headers={'Authorization': 'Bearer re_AbCdEf0123456789'}", "re_AbCdEf0123456789"),
        ("Authorization: Basic bWswcjpzZWNyZXQtdmFsdWU=", "bWswcjpzZWNyZXQ"),
        ("x-api-key: e2b_0123456789abcdef", "e2b_0123456789abcdef"),
        ("GET https://u:hunter22secret@host/x", "hunter22secret"),
    ],
)
def test_what_looks_like_a_sessions_secret_is_dots(text: str, secret: str) -> None:
    line = shown("failed: %s", text)
    assert secret not in line
    assert "failed: " in line


def test_ordinary_lines_stay_as_they_are() -> None:
    for line in (
        "create_failed session=abcdefghijkl provider=neon outcome=later status=429",
        "listening on http://localhost:8000/s/abcdefghijkl",
        "neon.create_project 201 48 ms",
        "the password of role x was changed at 12:30",
    ):
        assert shown(line) == f"ERROR {line}"


def test_the_libraries_own_errors_hold_nothing_either() -> None:
    request = httpx.Request("POST", "https://api.example/x", headers={"Authorization": f"Bearer {KEY}"})
    for error in (
        httpx.ConnectError(f"refused {request.headers!r}", request=request),
        psycopg.OperationalError('connection to "postgres://u:S3cretS3cret@h/db" failed'),
    ):
        line = shown("broken %r", error, error=error)
        assert KEY not in line
        assert "S3cretS3cret" not in line


def test_every_handler_writes_through_it() -> None:
    formatters = configured.LOGGING["formatters"]
    assert {one["()"] for one in formatters.values()} == {"mk0r.log_redaction.Formatter"}
    assert all(handler["formatter"] in formatters for handler in configured.LOGGING["handlers"].values())
