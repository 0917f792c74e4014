"""GitHub as its Python client sees it: a repository's life, an organisation's, and those of an App."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth, Github, GithubIntegration
from github.GithubException import BadCredentialsException, GithubException, UnknownObjectException

from tests.conformance.conftest import Exercised
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("github", "PyGithub")


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def client(well: CloudUnderTest, auth: Auth.Auth) -> Github:
    return Github(
        auth=auth, base_url=f"{well.base_url}/github", retry=None, seconds_between_requests=0,
        seconds_between_writes=0, per_page=2,
    )  # fmt: skip


@pytest.fixture
def api(well: CloudUnderTest) -> Iterator[Github]:
    with client(well, Auth.Token(well.keys["github"])) as vendor:
        yield vendor


def integration(well: CloudUnderTest, key: str) -> GithubIntegration:
    app = well.info["github_app"]
    return GithubIntegration(
        auth=Auth.AppAuth(int(app["id"]), key), base_url=f"{well.base_url}/github", retry=None,
        seconds_between_requests=0, seconds_between_writes=0,
    )  # fmt: skip


def test_a_repository_is_made_found_renamed_and_deleted(
    well: CloudUnderTest, api: Github, exercised: Exercised
) -> None:
    user, called = api.get_user(), name()
    made = user.create_repo(called, private=True, auto_init=True, description="one")
    assert made.private
    assert made.owner.login == well.info["github_owner"]
    exercised("create_repo")
    found = api.get_repo(f"{user.login}/{called}")
    assert found.id == made.id
    assert found.clone_url == f"{well.base_url}/github/git/{user.login}/{called}.git"
    exercised("get_repo")
    assert [branch.name for branch in made.get_branches()] == ["main"]
    assert made.get_contents("README.md").decoded_content == f"# {called}\n".encode()  # type: ignore[union-attr]
    commits = list(made.get_commits())
    assert [one.commit.message for one in commits] == ["Initial commit"]
    assert made.get_commit(commits[0].sha).sha == commits[0].sha
    for operation in ("get_branches", "get_contents", "get_commits", "get_commit"):
        exercised(operation)
    found.edit(name=f"{called}-2", description="two")
    assert api.get_repo(f"{user.login}/{called}").full_name == f"{user.login}/{called}-2"  # its old address leads on
    assert made.get_contents("README.md").path == "README.md"  # type: ignore[union-attr]
    exercised("edit")
    for _ in range(2):
        user.create_repo(name(), private=True)
    listed = [each.id for each in user.get_repos()]  # two to a page
    assert made.id in listed
    assert len(listed) == len(set(listed)) >= 3
    exercised("get_repos")
    found.delete()
    with pytest.raises(UnknownObjectException):
        api.get_repo(f"{user.login}/{called}-2")
    exercised("delete")
    rows = well.ledger(vendor="github", kind="repository", id=str(made.id))
    assert [bool(row["deleted_at"]) for row in rows] == [True]


def test_an_organization_owns_repositories_too(well: CloudUnderTest, api: Github, exercised: Exercised) -> None:
    organization = api.get_organization(f"{well.info['github_owner']}-org")
    made = organization.create_repo(name(), private=True)
    assert made.name in [each.name for each in organization.get_repos(sort="created", direction="desc")]
    made.delete()
    with pytest.raises(UnknownObjectException):
        api.get_organization("nobody")
    for operation in ("get_organization", "organization.create_repo", "organization.get_repos"):
        exercised(operation)


def test_the_rate_limit_is_counted(well: CloudUnderTest, api: Github, exercised: Exercised) -> None:
    api.get_user().login  # noqa: B018 - read for the request it makes
    before = api.get_rate_limit().rate
    api.get_user().login  # noqa: B018
    after = api.get_rate_limit().rate
    assert (after.limit, after.used, after.remaining) == (5000, before.used + 1, before.remaining - 1)
    assert api.rate_limiting == (after.remaining, after.limit)
    exercised("get_rate_limit")


def test_wrong_keys_and_taken_names_are_exceptions_of_their_own(well: CloudUnderTest, api: Github) -> None:
    with client(well, Auth.Token("ghp_wrong")) as stranger, pytest.raises(BadCredentialsException):
        stranger.get_user().login  # noqa: B018
    made = api.get_user().create_repo(name(), private=True)
    with pytest.raises(GithubException) as taken:
        api.get_user().create_repo(made.name)
    assert taken.value.status == 422
    assert taken.value.data["errors"][0]["message"] == "name already exists on this account"
    made.delete()


def test_an_app_reads_its_installations_and_works_by_their_tokens(well: CloudUnderTest, exercised: Exercised) -> None:
    app = well.info["github_app"]
    with integration(well, app["private_key"]) as vendor:
        assert vendor.get_app().slug == "mk0r-local-app"
        found = {one.id for one in vendor.get_installations()}
        assert int(app["installation_id"]) in found
        on = vendor.get_app_installation(int(app["installation_id"]))
        assert on.target_type == "Organization"
        assert vendor.get_org_installation(app["installation_owner"]).id == on.id
        assert vendor.get_access_token(on.id, permissions={"contents": "write"}).token.startswith("ghs_")
        with client(well, Auth.AppAuth(int(app["id"]), app["private_key"]).get_installation_auth(on.id)) as api:
            made = api.get_organization(app["installation_owner"]).create_repo(name(), private=True)
            assert made.name in [one.name for one in on.get_repos()]
            with pytest.raises(GithubException) as refused:
                api.get_user().create_repo(name())
            assert refused.value.status == 403
            made.delete()
    for operation in ("get_app", "get_installations", "get_app_installation", "get_access_token", "create_repo by App"):
        exercised(operation)


def test_a_key_that_is_not_the_apps_opens_nothing(well: CloudUnderTest) -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with integration(well, pem.decode()) as vendor, pytest.raises(GithubException) as refused:
        vendor.get_access_token(int(well.info["github_app"]["installation_id"]))
    assert (refused.value.status, refused.value.data["message"]) == (401, "A JSON web token could not be decoded")
