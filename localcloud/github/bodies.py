"""The JSON that GitHub's REST API answers with."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud import json_text
from localcloud.store import Object

DOCS = "https://docs.github.com/rest"
HEADERS = {"X-GitHub-Media-Type": "github.v3; format=json", "X-GitHub-Api-Version-Selected": "2022-11-28"}
# Members that hold the address of a resource below the repository, as the published description spells them.
LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
FLAGS = {"has_issues": True, "has_projects": True, "has_wiki": True, "has_discussions": False, "is_template": False}


class RefusedError(Exception):
    """A request GitHub would refuse, with the answer it would give."""

    def __init__(self, status: int, message: str, *, errors: list[dict[str, str]] | None = None, doc: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.errors, self.doc = status, message, errors, doc

    def answer(self) -> web.Response:
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        body |= {"documentation_url": f"{DOCS}{self.doc}", "status": str(self.status)}
        return web.json_response(body, status=self.status, headers=HEADERS)


class MovedError(RefusedError):
    """The repository is somebody else's by now, or has another name; the answer says where it is found."""

    def __init__(self, method: str, url: str) -> None:
        super().__init__(301 if method in ("GET", "HEAD") else 307, "Moved Permanently")
        self.url = url

    def answer(self) -> web.Response:
        body = {"message": self.message, "url": self.url, "documentation_url": DOCS}
        return web.json_response(body, status=self.status, headers=HEADERS | {"Location": self.url})


def error(status: int, message: str) -> web.Response:
    """An error in GitHub's form."""
    return RefusedError(status, message).answer()


def not_found() -> RefusedError:
    return RefusedError(404, "Not Found")


def not_for_apps() -> RefusedError:
    """What a token of an App is told where it may not do what it asks."""
    return RefusedError(403, "Resource not accessible by integration")


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON body, which must be an object. Raises `RefusedError`."""
    try:
        body = json_text.read(await request.read() or b"{}")
    except ValueError as problem:
        raise RefusedError(400, "Problems parsing JSON") from problem
    if not isinstance(body, dict):
        raise RefusedError(400, "Body should be a JSON object")
    return body


def seconds(moment: str) -> str:
    """A moment of the store as GitHub writes it: UTC, whole seconds."""
    return moment[:19] + "Z"


def account(base: str, login: str, kind: str) -> dict[str, Any]:
    """A simple user: the account or the organization that owns repositories."""
    url = f"{base}/github/users/{login}"
    return {
        "login": login,
        "id": 1 if kind == "User" else 2,
        "node_id": f"local_{login}",
        "avatar_url": "",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{base}/_cloud/",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def profile(base: str, login: str, kind: str, *, public: int) -> dict[str, Any]:
    """What anybody may see of an account, an organization's too: `GET /users/{login}`."""
    about = _about(public) | dict.fromkeys(("company", "location", "email", "hireable", "bio"))
    return about | account(base, login, kind)


def own_profile(base: str, login: str, *, public: int, private: int) -> dict[str, Any]:
    """The caller's own account: `GET /user`."""
    inside = {"user_view_type": "private", "collaborators": 0, "two_factor_authentication": False}
    return profile(base, login, "User", public=public) | _hidden(private) | inside


def organization(base: str, login: str, *, public: int, private: int) -> dict[str, Any]:
    """An organization as one of its members sees it: `GET /orgs/{login}`."""
    url, simple = f"{base}/github/orgs/{login}", account(base, login, "Organization")
    kept = ("login", "id", "node_id", "avatar_url", "html_url", "type")
    addresses = {f"{name}_url": f"{url}/{name}" for name in ("repos", "events", "hooks", "issues")}
    members = {"members_url": f"{url}/members{{/member}}", "public_members_url": f"{url}/public_members{{/member}}"}
    switches = {"description": None, "has_organization_projects": True, "has_repository_projects": True}
    return {
        **{name: simple[name] for name in kept},
        **({"url": url} | addresses | members | switches | {"archived_at": None} | _about(public) | _hidden(private)),
    }


def _about(public: int) -> dict[str, Any]:
    moment = "2026-01-01T00:00:00Z"
    count = {"public_repos": public, "public_gists": 0, "followers": 0, "following": 0}
    return {"name": "localcloud", "blog": ""} | count | {"created_at": moment, "updated_at": moment}


def _hidden(private: int) -> dict[str, Any]:
    return {"total_private_repos": private, "owned_private_repos": private, "private_gists": 0, "disk_usage": 0}


def listed(body: dict[str, Any]) -> dict[str, Any]:
    """A full repository as lists of repositories hold it."""
    return {name: value for name, value in body.items() if name not in ("network_count", "subscribers_count")}


def minimal(body: dict[str, Any]) -> dict[str, Any]:
    """A full repository without its settings for merging."""
    settings = ("allow_squash_merge", "allow_merge_commit", "allow_rebase_merge", "allow_auto_merge")
    return {name: value for name, value in body.items() if name not in settings}


def repository(base: str, port: int, item: Object, owner_kind: str) -> dict[str, Any]:
    """A full repository. Addresses that have nothing behind them here (SSH, Subversion) are empty."""
    data, owner = item.data, item.data["owner"]
    url = f"{base}/github/repos/{owner}/{item.name}"
    private = data["private"]
    rights = {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True}
    return {
        "id": int(item.id),
        "node_id": f"R_local_{item.id}",
        "name": item.name,
        "full_name": f"{owner}/{item.name}",
        "owner": account(base, owner, owner_kind),
        "private": private,
        "visibility": "private" if private else "public",
        "html_url": f"http://localhost:{port}/_cloud/repositories/{owner}/{item.name}",
        "description": data.get("description"),
        "fork": False,
        "url": url,
        **{member: url + path for member, path in LINKS.items()},
        "clone_url": f"{base}/github/git/{owner}/{item.name}.git",
        "git_url": "",
        "ssh_url": "",
        "svn_url": "",
        "mirror_url": None,
        "homepage": data.get("homepage"),
        "language": None,
        "default_branch": data["default_branch"],
        "size": data.get("size", 0),  # kilobytes
        **{flag: bool(data.get(flag, default)) for flag, default in FLAGS.items()},
        "has_pages": False,
        "has_downloads": True,
        "archived": bool(data.get("archived")),
        "disabled": False,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "license": None,
        "topics": [],
        **dict.fromkeys(("forks", "forks_count", "open_issues", "open_issues_count"), 0),
        **dict.fromkeys(("stargazers_count", "watchers", "watchers_count", "network_count", "subscribers_count"), 0),
        "created_at": seconds(item.created_at),
        "updated_at": seconds(data["updated_at"]),
        "pushed_at": seconds(data["pushed_at"]),
        "permissions": rights,
        "allow_squash_merge": True,
        "allow_merge_commit": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
    }
