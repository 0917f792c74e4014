"""The only place that knows provider modules: every step, in the order of lists and, within a provider, of work."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.providers import e2b, github, github_app, github_repositories, neon, posthog, resend
from provisioning.providers.base import Step

STEPS: tuple[Step, ...] = (
    posthog.Group(),
    github.Repository(),
    resend.Audience(),
    resend.ApiKey(),
    e2b.Sandbox(),
    neon.Project(),
)
PROVIDERS: tuple[str, ...] = tuple(dict.fromkeys(step.provider for step in STEPS))
_BY_KIND = {(step.provider, step.kind): step for step in STEPS}

# The sandbox is more than a resource: it is connected to, put to sleep, and looked at.
connect_sandbox = e2b.connect
pause_sandbox = e2b.pause
prolong_sandbox = e2b.prolong
allow_database = e2b.allow_database
preview_answers = e2b.preview_answers

# So is a repository: looked at, archived, given away.
RepositoryFacts = github_repositories.Facts
look_at_repository = github_repositories.look
repository_is_there = github_repositories.is_there
archive_repository = github_repositories.archive
transfer_repository = github_repositories.transfer
is_repository_owner = github_repositories.is_login

# And GitHub may know us as an App, whose tokens come and go.
RepositoryAccess = github_app.Token
github_is_app = github_app.configured
github_jwt = github_app.jwt
mint_repository_token = github_app.mint_for
revoke_repository_token = github_app.revoke


def step_for(provider: str, kind: str) -> Step:
    """The step that makes resources of `kind` at `provider`."""
    return _BY_KIND[provider, kind]


def steps_of(provider: str) -> Iterator[Step]:
    """The steps of one provider, in the order they are taken."""
    return (step for step in STEPS if step.provider == provider)
