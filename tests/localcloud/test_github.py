"""GitHub: repositories over REST with the vendor's own client, and its refusals word for word."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from github import Auth, Github, GithubIntegration
from github.GithubException import GithubException, UnknownObjectException

from tests.fixtures.cloud import CloudUnderTest


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def api(well: CloudUnderTest) -> Iterator[Github]:
    with Github(
        auth=Auth.Token(well.keys["github"]), base_url=f"{well.base_url}/github", retry=None,
        seconds_between_requests=0, seconds_between_writes=0,
    ) as vendor:  # fmt: skip
        yield vendor


def test_the_vendors_client_makes_finds_and_deletes_a_repository(well: CloudUnderTest, api: Github) -> None:
    user, called = api.get_user(), name()
    made = user.create_repo(called, private=True, auto_init=False)
    assert made.private
    assert made.owner.login == well.info["github_owner"]
    found = api.get_repo(f"{user.login}/{called}")
    assert found.id == made.id
    assert found.clone_url == f"{well.base_url}/github/git/{user.login}/{called}.git"
    assert called in [each.name for each in user.get_repos()]
    made.delete()
    with pytest.raises(UnknownObjectException):
        api.get_repo(f"{user.login}/{called}")
    rows = well.ledger(vendor="github", kind="repository", name=called)
    assert len(rows) == 1
    assert rows[0]["deleted_at"]


def test_an_organization_owns_repositories_too(well: CloudUnderTest, api: Github) -> None:
    organization = api.get_organization(f"{well.info['github_owner']}-org")
    made = organization.create_repo(name(), private=True, auto_init=True)
    assert [branch.name for branch in made.get_branches()] == ["main"]
    assert made.get_contents("README.md").decoded_content == f"# {made.name}\n".encode()  # type: ignore[union-attr]
    made.delete()
    with pytest.raises(UnknownObjectException):
        api.get_organization("nobody")


def test_a_taken_name_is_422_in_githubs_words(github: httpx.Client) -> None:
    called = name()
    made = github.post("/user/repos", json={"name": called, "private": True, "auto_init": False})
    assert made.status_code == 201
    assert made.headers["location"] == made.json()["url"]
    for taken in (called, called.upper()):
        answer = github.post("/user/repos", json={"name": taken})
        assert answer.status_code == 422
        assert answer.json() == {
            "message": "Repository creation failed.",
            "errors": [
                {
                    "resource": "Repository",
                    "code": "custom",
                    "field": "name",
                    "message": "name already exists on this account",
                }
            ],
            "documentation_url": "https://docs.github.com/rest/repos/repos#create-a-repository-for-the-authenticated-user",
            "status": "422",
        }


def test_an_empty_repository_has_no_commits(github: httpx.Client) -> None:
    url = github.post("/user/repos", json={"name": name()}).json()["url"]
    assert github.get(f"{url}/branches").json() == []
    assert github.get(f"{url}/commits").status_code == 409
    assert github.get(url).json()["default_branch"] == "main"


def test_actions_are_switched_off(github: httpx.Client) -> None:
    url = github.post("/user/repos", json={"name": name()}).json()["url"]
    assert github.get(f"{url}/actions/permissions").json()["enabled"] is True
    assert github.put(f"{url}/actions/permissions", json={"enabled": False}).status_code == 204
    assert github.get(f"{url}/actions/permissions").json() == {"enabled": False}
    assert github.put(f"{url}/actions/permissions", json={}).status_code == 422


def _pushed(well: CloudUnderTest, made: dict[str, str], work: Path) -> subprocess.CompletedProcess[str]:
    """Commit a file in `work` and push it to a repository."""
    url = made["clone_url"].replace("http://", f"http://x:{well.keys['github']}@")
    script = (
        "git init -q -b main . && echo $RANDOM > a && git add a && git -c user.name=a -c user.email=a@a commit -qm one"
        f" && git push -q {url} main"
    )
    return subprocess.run(["bash", "-c", script], cwd=work, capture_output=True, text=True, check=False)


def test_what_is_archived_can_be_read_but_not_changed_until_it_is_unarchived(
    well: CloudUnderTest, github: httpx.Client, tmp_path: Path
) -> None:
    made = github.post("/user/repos", json={"name": name(), "private": True}).json()
    assert made["size"] == 0
    assert _pushed(well, made, tmp_path).returncode == 0
    archived = github.patch(made["url"], json={"archived": True})
    assert archived.status_code == 200
    assert archived.json()["archived"] is True
    assert archived.json()["size"] >= 1
    refused = github.patch(made["url"], json={"description": "x"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Repository was archived so is read-only.")
    pushed = _pushed(well, made, tmp_path)
    assert pushed.returncode != 0
    assert github.get(f"{made['url']}/commits").status_code == 200
    assert github.patch(made["url"], json={"archived": False}).json()["archived"] is False
    assert github.delete(made["url"]).status_code == 204


def test_a_transfer_is_taken_with_202_and_its_old_address_leads_to_the_new_one(
    well: CloudUnderTest, github: httpx.Client, tmp_path: Path
) -> None:
    owner = well.info["github_owner"]
    made = github.post("/user/repos", json={"name": name(), "private": True}).json()
    assert _pushed(well, made, tmp_path).returncode == 0
    answer = github.post(f"{made['url']}/transfer", json={"new_owner": f"{owner}-org"})
    assert answer.status_code == 202
    assert answer.json()["owner"]["login"] == owner  # as GitHub: still the old one
    _until(lambda: github.get(made["url"]).status_code == 301)
    there = github.get(github.get(made["url"]).headers["location"])
    assert there.json()["full_name"] == f"{owner}-org/{made['name']}"
    assert github.delete(made["url"]).status_code == 307  # not followed, it deletes nothing
    assert github.get(f"{there.json()['url']}/commits").json()[0]["commit"]["message"] == "one"
    cloned = subprocess.run(
        ["git", "clone", "-q", made["clone_url"].replace("http://", f"http://x:{well.keys['github']}@"), "again"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert cloned.returncode == 0, cloned.stderr
    for wrong in ({}, {"new_owner": ""}, {"new_owner": "nobody-here"}, {"new_owner": f"{owner}-org"}):
        assert github.post(f"{there.json()['url']}/transfer", json=wrong).status_code == 422
    again = github.post("/user/repos", json={"name": made["name"]})
    assert again.status_code == 201  # the address is free again
    assert github.get(made["url"]).json()["id"] == again.json()["id"]


def test_a_strangers_account_has_to_accept_what_it_is_given(well: CloudUnderTest, github: httpx.Client) -> None:
    owner = well.info["github_owner"]
    made = github.post("/user/repos", json={"name": name(), "private": True}).json()
    assert github.post(f"{made['url']}/transfer", json={"new_owner": f"{owner}-friend"}).status_code == 202
    time.sleep(0.6)
    assert github.get(made["url"]).status_code == 200
    assert well.operator("POST", "api/github/accept", {"repository": made["full_name"]}) == {"accepted": True}
    _until(lambda: github.get(made["url"]).status_code == 404)  # it is private, and theirs
    assert made["name"] not in [one["name"] for one in github.get("/user/repos", params={"per_page": 100}).json()]
    assert well.live(vendor="github", name=made["name"])


def _until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_list_is_paged_by_links(well: CloudUnderTest, github: httpx.Client) -> None:
    for _ in range(3):
        github.post("/user/repos", json={"name": name()})
    seen: list[int] = []
    url: str | None = f"{well.base_url}/github/user/repos?per_page=2&sort=created"
    while url:
        page = github.get(url)
        seen += [item["id"] for item in page.json()]
        url = page.links.get("next", {}).get("url")
    assert len(seen) == len(set(seen)) >= 3
    assert seen == sorted(seen, reverse=True)


def test_keys_are_taken_as_bearer_token_or_basic_and_refused_otherwise(well: CloudUnderTest) -> None:
    url, key = f"{well.base_url}/github/user", well.keys["github"]
    for scheme in ("Bearer", "token"):
        assert httpx.get(url, headers={"Authorization": f"{scheme} {key}"}).status_code == 200
    assert httpx.get(url, auth=("anyone", key)).status_code == 200
    wrong = httpx.get(url, headers={"Authorization": "Bearer ghp_wrong"})
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Bad credentials")
    nobody = httpx.get(url)
    assert (nobody.status_code, nobody.json()["message"]) == (401, "Requires authentication")
    anonymous = httpx.get(url, headers={"User-Agent": "", "Authorization": f"Bearer {key}"})
    assert anonymous.status_code == 403


def test_a_private_repository_does_not_exist_for_strangers(well: CloudUnderTest, github: httpx.Client) -> None:
    made = github.post("/user/repos", json={"name": name(), "private": True}).json()
    assert httpx.get(made["url"]).status_code == 404
    public = github.post("/user/repos", json={"name": name(), "private": False}).json()
    assert httpx.get(public["url"]).status_code == 200
    assert httpx.delete(public["url"]).status_code == 401


@pytest.mark.parametrize("given", ["", None, 3, "..", "x" * 101, ".git"])
def test_an_unusable_name_is_refused(github: httpx.Client, given: object) -> None:
    assert github.post("/user/repos", json={"name": given}).status_code == 422


def test_a_bad_body_is_refused(github: httpx.Client) -> None:
    assert github.post("/user/repos", content=b"{").json()["message"] == "Problems parsing JSON"
    assert github.post("/user/repos", content=b"[]").status_code == 400
    assert github.post("/orgs/nobody/repos", json={"name": "x"}).status_code == 404
    assert github.delete("/repos/mk0r-local/never-was").status_code == 404


def test_an_app_mints_a_token_for_one_repository(well: CloudUnderTest, github: httpx.Client) -> None:
    one, other = (github.post("/user/repos", json={"name": name(), "private": True}).json() for _ in range(2))
    app = well.info["github_app"]
    with GithubIntegration(
        auth=Auth.AppAuth(app["id"], app["private_key"]), base_url=f"{well.base_url}/github", retry=None
    ) as vendor:
        full = vendor.get_access_token(int(app["installation_id"]), permissions={"contents": "write"})
        assert full.token.startswith("ghs_")
    jwt = Auth.AppAuth(app["id"], app["private_key"]).token
    minted = httpx.post(
        f"{well.base_url}/github/app/installations/{app['installation_id']}/access_tokens",
        json={"repositories": [one["name"]], "permissions": {"contents": "write"}},
        headers={"Authorization": f"Bearer {jwt}"},
    )
    assert minted.status_code == 201
    assert minted.json()["repository_selection"] == "selected"
    headers = {"Authorization": f"Bearer {minted.json()['token']}"}
    assert httpx.get(one["url"], headers=headers).status_code == 200
    assert httpx.get(other["url"], headers=headers).status_code == 404
    assert httpx.delete(one["url"], headers=headers).status_code == 403
    with pytest.raises(GithubException):
        _forged(well, app)


def _forged(well: CloudUnderTest, app: dict[str, str]) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with GithubIntegration(
        auth=Auth.AppAuth(app["id"], pem.decode()), base_url=f"{well.base_url}/github", retry=None
    ) as vendor:
        vendor.get_access_token(int(app["installation_id"]))
