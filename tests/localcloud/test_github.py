"""GitHub over the wire: repositories over REST, and its refusals word for word."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


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


def test_what_is_archived_can_be_read_but_not_changed_until_it_is_unarchived(github: httpx.Client) -> None:
    made = github.post("/user/repos", json={"name": name(), "private": True, "auto_init": True}).json()
    archived = github.patch(made["url"], json={"archived": True})
    assert (archived.status_code, archived.json()["archived"]) == (200, True)
    for change in ({"description": "x"}, {"name": name()}):
        refused = github.patch(made["url"], json=change)
        assert (refused.status_code, refused.json()["message"]) == (403, "Repository was archived so is read-only.")
    assert github.get(f"{made['url']}/commits").status_code == 200
    assert github.patch(made["url"], json={"archived": False}).json()["archived"] is False
    assert github.delete(made["url"]).status_code == 204


def test_a_transfer_is_taken_with_202_and_its_old_address_leads_to_the_new_one(
    well: CloudUnderTest, github: httpx.Client
) -> None:
    owner = well.info["github_owner"]
    made = github.post("/user/repos", json={"name": name(), "private": True, "auto_init": True}).json()
    answer = github.post(f"{made['url']}/transfer", json={"new_owner": f"{owner}-org"})
    assert answer.status_code == 202
    assert answer.json()["owner"]["login"] == owner  # as GitHub: still the old one
    _until(lambda: github.get(made["url"]).status_code == 301)
    there = github.get(github.get(made["url"]).headers["location"])
    assert there.json()["full_name"] == f"{owner}-org/{made['name']}"
    assert github.delete(made["url"]).status_code == 307  # not followed, it deletes nothing
    assert github.get(f"{there.json()['url']}/commits").json()[0]["commit"]["message"] == "Initial commit"
    for wrong in ({}, {"new_owner": ""}, {"new_owner": "nobody-here"}, {"new_owner": f"{owner}-org"}):
        assert github.post(f"{there.json()['url']}/transfer", json=wrong).status_code == 422
    again = github.post("/user/repos", json={"name": made["name"]})
    assert again.status_code == 201  # the address is free again
    assert github.get(made["url"]).json()["id"] == again.json()["id"]


def test_a_new_name_leaves_the_old_address_leading_to_it_with_all_that_is_below(github: httpx.Client) -> None:
    made = github.post("/user/repos", json={"name": name(), "private": True, "auto_init": True}).json()
    called = name()
    renamed = github.patch(made["url"], json={"name": called, "description": "x"})
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["id"]) == (200, called, made["id"])
    for below in ("", "/branches", "/commits?per_page=1", "/contents/README.md", "/actions/permissions"):
        answer = github.get(f"{made['url']}{below}")
        assert answer.status_code == 301
        assert answer.headers["location"] == github.base_url.join(f"repositories/{made['id']}{below}")
        assert github.get(answer.headers["location"]).json() == github.get(f"{renamed.json()['url']}{below}").json()
    moved = github.patch(made["url"], json={"description": "y"})
    assert moved.status_code == 307
    assert github.patch(moved.headers["location"], json={"description": "y"}).json()["description"] == "y"
    back = github.patch(renamed.json()["url"], json={"name": made["name"].upper()})
    assert back.json()["name"] == made["name"].upper()
    assert github.get(made["url"]).json()["id"] == made["id"]  # capitals are the same name


def test_a_new_name_that_is_taken_or_unusable_is_refused_and_changes_nothing(github: httpx.Client) -> None:
    one, other = (github.post("/user/repos", json={"name": name(), "private": True}).json() for _ in range(2))
    for wrong, code in ((other["name"].upper(), "custom"), ("..", "custom"), (3, "invalid"), ("", "missing_field")):
        refused = github.patch(one["url"], json={"name": wrong, "description": "x"})
        assert refused.status_code == 422
        assert refused.json()["message"] == "Validation Failed"
        assert refused.json()["errors"][0]["code"] == code
    assert github.get(one["url"]).json()["description"] is None


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
    deadline = time.monotonic() + 30
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


def test_past_the_last_page_there_is_nothing_but_the_way_back(well: CloudUnderTest, github: httpx.Client) -> None:
    made = github.post("/user/repos", json={"name": name(), "auto_init": True}).json()
    for listed in (f"{well.base_url}/github/user/repos", f"{made['url']}/commits", f"{made['url']}/branches"):
        page = github.get(f"{listed}?per_page=1&page=1000000")
        assert (page.status_code, page.json()) == (200, [])
        assert set(page.links) == {"prev", "first", "last"}
        assert page.links["prev"]["url"] == page.links["last"]["url"]
        assert github.get(page.links["prev"]["url"]).json() != []


def test_unknown_ids_are_404_in_githubs_words(github: httpx.Client) -> None:
    for path in ("/repositories/1", "/repositories/none", "/repositories/1/commits", "/users/nobody", "/orgs/nobody",
                 "/repos/mk0r-local/none/branches", "/repos/nobody/none"):  # fmt: skip
        assert github.get(path).status_code == 404, path
    answer = github.get("/repositories/1")
    assert answer.json() == {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }
    made = github.post("/user/repos", json={"name": name(), "auto_init": True}).json()
    gone = github.get(f"{made['url']}/branches/none")
    assert (gone.status_code, gone.json()["message"]) == (404, "Branch not found")
    assert github.get(f"{made['url']}/commits/{'0' * 40}").status_code == 422
    assert github.get(f"{made['url']}/contents/none").status_code == 404


def test_every_answer_tells_how_the_callers_hour_stands(well: CloudUnderTest, github: httpx.Client) -> None:
    def told(answer: httpx.Response) -> tuple[int, int, int]:
        names = ("limit", "used", "remaining")
        limit, used, remaining = (int(answer.headers[f"x-ratelimit-{each}"]) for each in names)
        assert answer.headers["x-ratelimit-resource"] == "core"
        assert 0 < int(answer.headers["x-ratelimit-reset"]) - time.time() <= 3601
        return limit, used, remaining

    limit, used, remaining = told(github.get("/user"))
    assert (limit, used + remaining) == (5000, 5000)
    answers = [github.get("/repos/mk0r-local/none"), github.get("/nowhere"), github.post("/user/repos", content=b"{")]
    assert [answer.status_code for answer in answers] == [404, 501, 400]
    assert [told(answer)[1] for answer in answers] == [used + 1, used + 2, used + 3]
    for _ in range(2):  # to ask costs nothing
        rate = github.get("/rate_limit")
        assert rate.json()["rate"] == rate.json()["resources"]["core"]
        assert rate.json()["rate"]["used"] == used + 3 == told(rate)[1]
    wrong = httpx.get(f"{well.base_url}/github/user", headers={"Authorization": "Bearer ghp_wrong"})
    assert (wrong.status_code, told(wrong)[0]) == (401, 60)
    well.set_faults([{"vendor": "github", "operation": "get_user", "fault": "status:403", "retry_after": "60"}])
    throttled = github.get("/user")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (403, "60")
    assert told(throttled)[1] == used + 4


def test_git_has_no_rate_limit_headers(well: CloudUnderTest, github: httpx.Client) -> None:
    made = github.post("/user/repos", json={"name": name(), "private": True}).json()
    answer = github.get(f"{made['clone_url']}/info/refs?service=git-upload-pack")
    assert answer.status_code == 200
    assert "x-ratelimit-limit" not in answer.headers


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


def test_a_list_of_repositories_holds_the_public_or_the_private_ones_alone(github: httpx.Client) -> None:
    public, private = name(), name()
    github.post("/user/repos", json={"name": public})
    github.post("/user/repos", json={"name": private, "private": True})
    for query, expected in (
        ("visibility=private", {private}),
        ("type=public", {public}),
        ("type=all", {public, private}),
    ):
        listed = {row["name"] for row in github.get(f"/user/repos?sort=created&per_page=100&{query}").json()}
        assert listed & {public, private} == expected, query
    assert github.get("/user/repos?type=all&visibility=all").status_code == 422
