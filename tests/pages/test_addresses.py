"""The pages over plain HTTP: who gets which, with which headers."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest


def _get(url: str, cookie: str = "") -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode()


def test_home_sets_a_cookie_once_and_is_kept_by_nobody(stage: Any) -> None:
    status, headers, body = _get(stage.base)
    assert status == 200
    assert "httponly" in headers["set-cookie"].lower()
    assert headers["cache-control"] == "no-store"
    assert "'unsafe-inline'" not in headers["content-security-policy"]
    assert " style=" not in body
    assert "<style" not in body
    assert " onclick" not in body
    again = _get(stage.base, headers["set-cookie"].split(";")[0])
    assert "set-cookie" not in again[1]


def test_a_stranger_and_a_wrong_slug_get_the_same_page(stage: Any) -> None:
    scene = stage.session()
    owner = f"{scene['name']}={scene['value']}"
    status, headers, body = _get(f"{stage.base}/s/{scene['slug']}", owner)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert scene["slug"] in body
    assert "DATABASE_URL" in body
    assert "canary-password" not in body
    mallory = stage.session()
    stranger = _get(f"{stage.base}/s/{scene['slug']}", f"{mallory['name']}={mallory['value']}")
    unknown = _get(f"{stage.base}/s/zzzzzzzzzzzz", owner)
    assert stranger[0] == unknown[0] == 404
    assert stranger[2] == unknown[2]
    assert "Nothing at this address" in stranger[2]


@pytest.mark.parametrize("path", ["/s/", "/s/UPPERCASE123", "/s/short", "/nothing", "/s/aaaaaaaaaaaa/"])
def test_odd_addresses_are_not_found_in_style(stage: Any, path: str) -> None:
    status, _, body = _get(stage.base + path)
    assert status == 404
    assert "Nothing at this address" in body


def test_a_fault_of_ours_says_so_and_shows_no_trace(stage: Any) -> None:
    status, _, body = _get(f"{stage.base}/_stage/fail")
    assert status == 500
    assert "The server met a fault" in body
    assert "Traceback" not in body
    assert "on purpose" not in body
