"""The GitHub App over the wire: its JWT, its installations, what their tokens reach, and GitHub's refusals."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fixtures.cloud import CloudUnderTest

TOO_FAR = "'Expiration time' claim ('exp') is too far in the future"
EXPIRES = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion "
    "expires"
)
ISSUED = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
UNREADABLE = "A JSON web token could not be decoded"


@pytest.fixture
def app(well: CloudUnderTest) -> dict[str, Any]:
    return dict(well.info["github_app"])


def signed(app: dict[str, Any], key: str | None = None, algorithm: str = "RS256", **claims: Any) -> str:
    now = int(time.time())
    usual = {"iss": app["id"], "iat": now - 60, "exp": now + 300}
    facts = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(facts, key or app["private_key"], algorithm=algorithm)


def call(well: CloudUnderTest, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
    url = path if path.startswith("http") else f"{well.base_url}/github{path}"
    return httpx.request(method, url, json=body, headers={"Authorization": f"Bearer {token}", "User-Agent": "test"})


def minted(well: CloudUnderTest, app: dict[str, Any], **wished: Any) -> httpx.Response:
    return call(well, signed(app), "POST", f"/app/installations/{app['installation_id']}/access_tokens", wished)


def made(well: CloudUnderTest, github: httpx.Client, owner: str = "") -> dict[str, Any]:
    path = f"/orgs/{owner}/repos" if owner else "/user/repos"
    answer = github.post(path, json={"name": f"mk0r-{uuid.uuid4().hex[:12]}", "private": True, "auto_init": True})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def stranger() -> str:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()  # fmt: skip


def test_the_private_key_lies_in_a_file_that_only_its_owner_reads(app: dict[str, Any]) -> None:
    path = Path(app["private_key_path"])
    assert path.read_text() == app["private_key"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("issuer", ["id", "client_id"])
def test_a_jwt_that_holds_opens_the_app(well: CloudUnderTest, app: dict[str, Any], issuer: str) -> None:
    answer = call(well, signed(app, iss=app[issuer]), "GET", "/app")
    assert (answer.status_code, str(answer.json()["id"])) == (200, app["id"])
    assert answer.json()["permissions"] == {"administration": "write", "contents": "write", "metadata": "read"}


@pytest.mark.parametrize(
    ("claims", "status", "message"),
    [
        ({"exp": time.time() + 3600}, 401, TOO_FAR),
        ({"exp": 1}, 401, EXPIRES),
        ({"exp": None}, 401, EXPIRES),
        ({"exp": "soon"}, 401, EXPIRES),
        ({"iat": int(time.time()) + 3600}, 401, ISSUED),
        ({"iat": None}, 401, ISSUED),
        ({"iss": "999999"}, 404, "Integration not found"),
        ({"iss": None}, 401, "Missing 'issuer' claim ('iss') in assertion"),
    ],
    ids=["exp-far", "exp-past", "no-exp", "exp-text", "iat-future", "no-iat", "iss", "no-iss"],
)
def test_a_jwt_that_does_not_hold_is_refused_in_githubs_words(
    well: CloudUnderTest, app: dict[str, Any], claims: dict[str, Any], status: int, message: str
) -> None:
    token = jwt.encode(
        {k: v for k, v in ({"iss": app["id"], "iat": int(time.time()) - 60, "exp": int(time.time()) + 300} | claims)
         .items() if v is not None},
        app["private_key"], algorithm="RS256",
    )  # fmt: skip
    answer = call(well, token, "GET", "/app")
    assert (answer.status_code, answer.json()["message"]) == (status, message)


def test_what_is_not_the_apps_jwt_is_no_jwt(well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]) -> None:
    whole = signed(app)
    head, claims, proof = whole.split(".")
    forged = [
        signed(app, key=stranger()),
        signed(app, key="0" * 64, algorithm="HS256"),
        f"{head}.{claims}.{proof[:-8]}AAAAAAAA",
        f"{head}.{signed(app, exp=int(time.time()) + 599).split('.')[1]}.{proof}",
        "eyJ.e30.x",
    ]
    for token in forged:
        answer = call(well, token, "GET", "/app")
        assert (answer.status_code, answer.json()["message"]) == (401, UNREADABLE), token
    for path in ("/app", "/app/installations", f"/app/installations/{app['installation_id']}"):
        personal = github.get(path)
        assert (personal.status_code, personal.json()["message"]) == (401, UNREADABLE)
        assert httpx.get(f"{well.base_url}/github{path}").status_code == 401


def test_a_jwt_opens_nothing_but_the_app(well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]) -> None:
    one = made(well, github, app["installation_owner"])
    token = signed(app)
    assert call(well, token, "GET", one["url"]).status_code == 404
    assert call(well, token, "DELETE", one["url"]).status_code == 404
    listed = call(well, token, "GET", f"/orgs/{app['installation_owner']}/repos?per_page=100&sort=created")
    assert one["name"] not in [each["name"] for each in listed.json()]
    assert call(well, token, "GET", "/user/repos").status_code == 403
    refs = f"{one['clone_url']}/info/refs?service=git-upload-pack"
    assert httpx.get(refs, auth=("x-access-token", token)).status_code == 401
    for path in ("/installation/repositories", "/installation/token"):
        method = "DELETE" if path.endswith("token") else "GET"
        for credential in (token, well.keys["github"]):
            refused = call(well, credential, method, path)
            assert refused.status_code == 403
            assert refused.json()["message"].startswith("You must authenticate with an installation access token")


def test_installations_are_listed_and_found_by_account_and_repository(
    well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]
) -> None:
    listed = call(well, signed(app), "GET", "/app/installations").json()
    assert {one["account"]["login"]: one["id"] for one in listed} == app["installations"]
    organization, user = app["installation_owner"], well.info["github_owner"]
    assert [one["target_type"] for one in listed] == ["Organization", "User"]
    one = made(well, github, organization)
    found = {
        f"/app/installations/{app['installation_id']}": organization,
        f"/orgs/{organization}/installation": organization,
        f"/users/{user}/installation": user,
        f"/repos/{one['full_name']}/installation": organization,
    }
    for path, login in found.items():
        assert call(well, signed(app), "GET", path).json()["account"]["login"] == login, path
    for path in ("/app/installations/1", "/orgs/nobody/installation", "/repos/mk0r-local/never-was/installation"):
        assert call(well, signed(app), "GET", path).status_code == 404, path


def test_a_token_of_the_installation_reaches_its_account_and_no_other(
    well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]
) -> None:
    answer = minted(well, app)
    assert answer.status_code == 201
    body, token = answer.json(), answer.json()["token"]
    assert token.startswith(f"ghs_{app['id']}_")
    assert len(token) > 500
    assert body["repository_selection"] == "all"
    assert body["permissions"]["administration"] == "write"
    ends = time.mktime(time.strptime(body["expires_at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 3590 <= ends - time.time() <= 3600
    organization = app["installation_owner"]
    mine = call(well, token, "POST", f"/orgs/{organization}/repos", {"name": "x" + uuid.uuid4().hex, "private": True})
    assert mine.status_code == 201
    theirs = made(well, github)
    assert call(well, token, "GET", theirs["url"]).status_code == 404
    assert call(well, token, "DELETE", theirs["url"]).status_code == 404
    for method, path in (("POST", "/user/repos"), ("GET", "/user/repos"), ("GET", "/user")):  # a person's alone
        refused = call(well, token, method, path, {"name": "x"})
        assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    owned = call(well, token, "GET", f"/orgs/{organization}/repos?per_page=100&sort=created").json()
    assert mine.json()["id"] in [each["id"] for each in owned]
    listed = call(well, token, "GET", "/installation/repositories?per_page=1").json()
    assert listed["total_count"] >= 1
    assert len(listed["repositories"]) == 1
    assert call(well, token, "DELETE", mine.json()["url"]).status_code == 204


def test_a_token_for_one_repository_is_404_on_every_other(
    well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]
) -> None:
    one, other = (made(well, github, app["installation_owner"]) for _ in range(2))
    by_name = minted(well, app, repositories=[one["name"].upper()], permissions={"contents": "write"})
    by_id = minted(well, app, repository_ids=[one["id"]], permissions={"contents": "read"})
    for answer in (by_name, by_id):
        assert answer.status_code == 201, answer.text
        assert answer.json()["repository_selection"] == "selected"
        assert [each["id"] for each in answer.json()["repositories"]] == [one["id"]]
        token = answer.json()["token"]
        assert call(well, token, "GET", one["url"]).status_code == 200
        assert call(well, token, "GET", f"{one['url']}/contents/README.md").status_code == 200
        assert call(well, token, "GET", other["url"]).status_code == 404
        for method, path, body in (("DELETE", "", None), ("PATCH", "", {"archived": True}), (
                "PUT", "/actions/permissions", {"enabled": False})):  # fmt: skip
            refused = call(well, token, method, one["url"] + path, body)
            assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    bare = minted(well, app, repositories=[one["name"]], permissions={"metadata": "read"}).json()["token"]
    assert call(well, bare, "GET", one["url"]).status_code == 200
    assert call(well, bare, "GET", f"{one['url']}/contents/README.md").status_code == 403
    moved = github.post(f"{one['url']}/transfer", json={"new_owner": well.info["github_owner"]})
    assert moved.status_code == 202
    deadline = time.monotonic() + 30
    while call(well, by_id.json()["token"], "GET", one["url"]).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("wished", "message"),
    [
        ({"repositories": ["never-was"]}, "There is at least one repository that does not exist"),
        ({"repository_ids": [1]}, "There is at least one repository that does not exist"),
        ({"repositories": []}, "Invalid request."),
        ({"repositories": "all"}, "Invalid request."),
        ({"repository_ids": list(range(501))}, "At most 500 repositories"),
        ({"permissions": {"workflows": "write"}}, "The permissions requested are not granted to this installation."),
        ({"permissions": {"contents": "admin"}}, "The permissions requested are not granted to this installation."),
        ({"permissions": {"contents": ["write"]}}, "The permissions requested are not granted to this installation."),
    ],
)
def test_what_the_installation_does_not_have_it_cannot_give(
    well: CloudUnderTest, app: dict[str, Any], wished: dict[str, Any], message: str
) -> None:
    answer = minted(well, app, **wished)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(message)


def test_another_accounts_repository_is_none_of_the_installations(
    well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]
) -> None:
    assert minted(well, app, repositories=[made(well, github)["name"]]).status_code == 422
    path = "/app/installations/1/access_tokens"
    assert call(well, signed(app), "POST", path).status_code == 404


def test_a_token_ends_when_it_is_revoked_and_all_end_with_their_hour(
    well: CloudUnderTest, github: httpx.Client, app: dict[str, Any]
) -> None:
    one = made(well, github, app["installation_owner"])
    first, second = (minted(well, app).json()["token"] for _ in range(2))
    assert call(well, first, "DELETE", "/installation/token").status_code == 204
    refused = call(well, first, "GET", one["url"])
    assert (refused.status_code, refused.json()["message"]) == (401, "Bad credentials")
    assert call(well, first, "DELETE", "/installation/token").status_code == 401
    assert call(well, second, "GET", one["url"]).status_code == 200
    assert well.operator("POST", "api/github/expire")["expired"] >= 1
    assert call(well, second, "GET", one["url"]).status_code == 401
    refs = f"{one['clone_url']}/info/refs?service=git-upload-pack"
    assert httpx.get(refs, auth=("x-access-token", second)).status_code == 401


def test_an_installation_has_an_hour_of_requests_of_its_own(well: CloudUnderTest, app: dict[str, Any]) -> None:
    one, other = (minted(well, app).json()["token"] for _ in range(2))
    first = call(well, one, "GET", "/installation/repositories").headers
    second = call(well, other, "GET", "/installation/repositories").headers
    assert int(second["x-ratelimit-used"]) == int(first["x-ratelimit-used"]) + 1
    assert second["x-ratelimit-reset"] == first["x-ratelimit-reset"]
