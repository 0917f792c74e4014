"""What a stand-in does not cover says so: 501 in the vendor's own error form, naming the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest

# For each vendor: its base path, a covered path with a method that is not, and where its errors keep the message.
VENDORS: dict[str, tuple[str, tuple[str, str], Callable[[httpx.Response], Any]]] = {
    "neon": ("/neon/api/v2", ("PUT", "/projects"), lambda answer: answer.json()["message"]),
    "resend": ("/resend", ("PUT", "/emails"), lambda answer: answer.json()["message"]),
    "github": ("/github", ("PUT", "/user"), lambda answer: answer.json()["message"]),
    "posthog": ("/posthog", ("PATCH", "/batch/"), lambda answer: answer.text),
    "e2b": ("/e2b", ("PUT", "/sandboxes"), lambda answer: answer.json()["message"]),
    "anthropic": ("/anthropic", ("DELETE", "/v1/messages"), lambda answer: answer.json()["error"]["message"]),
}
each = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture
def http(cloud: CloudUnderTest) -> httpx.Client:
    cloud.clear_faults()
    return httpx.Client(base_url=cloud.base_url, headers={"User-Agent": "test"}, verify=False)


@each
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/of-the-kind/nothing", ""])
def test_a_path_that_is_not_there(http: httpx.Client, vendor: str, method: str, path: str) -> None:
    base, _, message = VENDORS[vendor]
    with http:
        answer = http.request(method, base + path)
    assert answer.status_code == 501
    assert message(answer) == f"localcloud does not cover {method} {base}{path} of {vendor}."


@each
def test_a_method_that_is_not_there(http: httpx.Client, vendor: str) -> None:
    base, (method, path), message = VENDORS[vendor]
    with http:
        answer = http.request(method, base + path)
    assert answer.status_code == 501
    assert f"{method} {base}{path}" in message(answer)


def test_every_vendor_of_the_ledger_is_tried_here(cloud: CloudUnderTest) -> None:
    assert set(cloud.operator("GET", "api/operations")) == set(VENDORS)
