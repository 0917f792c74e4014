"""GitHub: one private, empty repository per session (REST, version 2022-11-28).

Facts this rests on: a repository's name is unique under its owner, so a 422 that says so is an answer too. The throttle
for making content speaks through 403 with `Retry-After` or no requests remaining, as well as through 429. Actions are
switched off before the repository counts as ready, so that nothing pushed to it can run anywhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from django.conf import settings
from pydantic import StringConstraints

from provisioning.exceptions import VendorError
from provisioning.outcome import Outcome, Verb
from provisioning.providers import github_app
from provisioning.providers.base import (
    NAME_PREFIX,
    Found,
    Made,
    Model,
    Nothing,
    Order,
    Step,
    gone_is_fine,
    partial,
    require,
)
from provisioning.providers.github_wire import GitHubWire
from provisioning.secrets import Secret

FullName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$")]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,39}$")]
_FULL_NAME: pydantic.TypeAdapter[str] = pydantic.TypeAdapter(FullName)
_PAGE, _MAX_PAGES = 100, 200
WebUrl = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,400}$")]


class _Repository(pydantic.BaseModel):
    full_name: FullName
    html_url: WebUrl
    private: Literal[True]  # a public one would be a leak, so it is not what we asked for
    created_at: datetime | None = None


class _Listed(pydantic.BaseModel):
    """One line of a list of repositories: most may be anybody's, of any name."""

    name: str
    full_name: str
    created_at: datetime | None = None


class _Page(pydantic.RootModel[list[_Listed]]):
    """The lists are bare arrays."""


class _User(pydantic.BaseModel):
    login: Login


class GitHubApi(GitHubWire):
    """GitHub's REST API under mk0r's own authority: a personal token, or a token of the App's installation."""

    async def call(self, verb: Verb, operation: str, method: str, path: str, model: type[Model], **told: Any) -> Model:
        """As of any API; a token that GitHub takes no more is replaced once, as a 401 says that nothing was done."""
        if not github_app.configured():
            mine = _bearer(settings.GITHUB_TOKEN)
            return await super().call(verb, operation, method, path, model, headers=mine, **told)
        for last in (False, True):
            token = await github_app.installation_token(verb)
            mine = _bearer(token.expose())
            try:
                return await super().call(verb, operation, method, path, model, headers=mine, **told)
            except VendorError as error:
                if error.status != 401:
                    raise
                github_app.refused(token)
                if last:
                    raise
        raise AssertionError("unreachable")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Repository(Step):
    """The repository that receives one commit per turn."""

    provider: ClassVar[str] = "github"
    kind: ClassVar[str] = "repository"
    label: ClassVar[str] = "GitHub"
    thing: ClassVar[str] = "a repository"
    without: ClassVar[str] = "The app works, but its versions are kept in the sandbox only."
    cost: ClassVar[int] = 1  # what is limited is making content: one repository; switching Actions off makes none
    rotates_not: ClassVar[str] = (
        "An app has no key to its repository: mk0r pushes for it, by a token that ends with the session."
    )

    def __init__(self) -> None:
        self._api = GitHubApi()

    @property
    def base_url(self) -> str:
        return str(settings.GITHUB_API_URL)

    def check(self) -> None:
        if not github_app.configured():
            require("GITHUB_TOKEN", settings.GITHUB_TOKEN)
            return
        for name in ("GITHUB_APP_PRIVATE_KEY", "GITHUB_INSTALLATION_ID", "GITHUB_OWNER"):
            require(name, getattr(settings, name))

    async def create(self, order: Order) -> Made:
        path = f"/orgs/{settings.GITHUB_OWNER}/repos" if settings.GITHUB_OWNER else "/user/repos"
        body = {
            "name": order.name,
            "private": True,
            "auto_init": False,
            "has_issues": False,
            "has_projects": False,
            "has_wiki": False,
            "has_discussions": False,
        }
        try:
            made = await self._api.call(Verb.CREATE, "create_repository", "POST", path, _Repository, body=body)
        except VendorError as error:
            if error.status == 404:  # where to make it is our setting: a person's account has no such address
                raise _no_such_organisation() from error
            raise
        return self._made(made)

    async def find(self, order: Order) -> list[Found]:
        owner = settings.GITHUB_OWNER
        if not owner:
            owner = (await self._api.call(Verb.READ, "get_user", "GET", "/user", _User)).login
        try:
            one = await self._api.call(Verb.READ, "get_repository", "GET", f"/repos/{owner}/{order.name}", _Repository)
        except VendorError as error:
            if error.outcome is Outcome.GONE:
                return []
            raise
        return [Found(one.full_name, one.created_at, {"html_url": one.html_url}, order.name)]

    async def inventory(self) -> list[Found]:
        """Newest first, so that what is made meanwhile shifts no older one past the page it is looked for on.

        A page may hold fewer than were asked for: only an empty one is the end.
        """
        owner = settings.GITHUB_OWNER
        path = f"/orgs/{owner}/repos" if owner else "/user/repos"
        params = {"sort": "created", "direction": "desc", "per_page": str(_PAGE)}
        params |= {"type": "all"} if owner else {"affiliation": "owner"}
        found: dict[str, Found] = {}
        for page in range(1, _MAX_PAGES + 1):
            listed = await self._api.call(
                Verb.READ, "list_repositories", "GET", path, _Page, params=params | {"page": str(page)}
            )
            if not listed.root:
                return list(found.values())
            for one in listed.root:
                if one.name.startswith(NAME_PREFIX):
                    found[one.full_name] = Found(_checked(one.full_name), one.created_at, name=one.name)
        raise partial("list_repositories", f"more than {_MAX_PAGES} pages")

    async def adopt(self, order: Order, found: Found) -> Made:  # noqa: ARG002 - the contract's shape
        return Made(found.external_id, found.meta["html_url"])

    async def finish(self, order: Order, made: Made) -> None:  # noqa: ARG002 - the contract's shape
        path = f"/repos/{made.external_id}/actions/permissions"
        await self._api.call(Verb.READ, "disable_actions", "PUT", path, Nothing, body={"enabled": False})

    async def exists(self, made: Made) -> bool:
        try:
            await self._api.call(Verb.READ, "get_repository", "GET", f"/repos/{made.external_id}", Nothing)
        except VendorError as error:
            if error.outcome is Outcome.GONE:
                return False
            raise
        return True

    async def destroy(self, made: Made) -> None:
        path = f"/repos/{made.external_id}"
        await gone_is_fine(self._api.call(Verb.DELETE, "delete_repository", "DELETE", path, Nothing))

    def env(self, made: Made) -> dict[str, Secret]:
        return {
            "GITHUB_REPO": Secret(made.external_id),
            "GITHUB_REPO_URL": Secret(f"{settings.GITHUB_GIT_URL}/{made.external_id}.git"),
        }

    def _made(self, repository: _Repository) -> Made:
        return Made(repository.full_name, repository.html_url)


def _no_such_organisation() -> VendorError:
    return VendorError(
        "create_repository", Outcome.CONFIG, status=404, code="owner_is_no_organisation", detail="see GITHUB_OWNER"
    )


def _checked(full_name: str) -> str:
    """A name that may stand in a path; raises `VendorError`."""
    try:
        return _FULL_NAME.validate_python(full_name)
    except pydantic.ValidationError as error:
        raise VendorError(
            "list_repositories", Outcome.AMBIGUOUS, verb=Verb.READ, status=200, detail="unreadable: full_name"
        ) from error
