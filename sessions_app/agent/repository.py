"""Git in the sandbox, on behalf of the platform.

Nothing of what the agent may have done to the repository is trusted: hooks, configuration of the machine, HEAD and
branches are bypassed, commits are made from trees (`commit-tree`) upon the last version we know, and what must not be
committed is looked for in the index itself. The push token exists in the environment of one command only.
"""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import dataclass, field, replace

from sessions_app.agent.sandboxes import WORKDIR, Output, Sandbox
from sessions_app.redaction import spellings

BRANCH = "main"
IDENTITY = {
    "GIT_AUTHOR_NAME": "mk0r",
    "GIT_AUTHOR_EMAIL": "mk0r@users.noreply.github.com",
    "GIT_COMMITTER_NAME": "mk0r",
    "GIT_COMMITTER_EMAIL": "mk0r@users.noreply.github.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.fileMode": "true",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "safe.directory": "*",
    "advice.addEmbeddedRepo": "false",
}
# Asked for by git only when it has to log in; the token is never an argument and never in a file.
_CREDENTIALS = '!f() { test "$1" = get && echo username=mk0r && echo "password=$MK0R_GIT_TOKEN"; }; f'
_TITLE = re.compile(r"<title[^>]*>([^<]{1,400})</title>", re.IGNORECASE)
_STARTER_TITLE = "Your app"  # of sandbox/app/index.html
_EXCLUDED = ("node_modules/", ".env", ".env.*", "!.env.example", "!.env.sample", "!.env.template")

_SEEN = "refs/mk0r/seen"
MAX_FILE = 50_000_000  # bytes; hosts refuse larger ones, and with them every later push that rests on such a commit
_NOT_TAKEN = re.compile(
    r"^(?:error: unable to (?:index file|add) '(.+?)'(?: to index)?|warning: could not open directory '(.+?)': .*)$",
    re.MULTILINE,
)


class GitFailed(Exception):
    """Git ended with an error; the text is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Staged:
    """The tree as it would be committed, and the paths that were left out of it."""

    tree: str
    left_out: list[str]  # for what they hold
    too_large: list[str] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)  # unreadable, or of a name that git refuses


class Repository:
    """The app's repository in one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def begin(self) -> str:
        """Make the repository if there is none. Returns the tree of the files as they are."""
        exclude = shlex.quote("\n".join(_EXCLUDED) + "\n")
        made = f"test -d .git || {_git('init', '-q', '-b', BRANCH)} && mkdir -p .git/info"
        return (await self._staged([], f"{made} && printf %s {exclude} > .git/info/exclude && ")).tree

    async def stage(self, secrets: list[str]) -> Staged:
        """Put every file that may be committed into the index and write its tree.

        `.env` files stay out even if the project's own `.gitignore` lets them in, and so does every file that holds one
        of `secrets`, that is larger than `MAX_FILE`, or that git does not take.
        """
        staged = await self._staged(secrets, "")
        if large := await self._large(staged.tree):
            await self._unstage(large)
            staged = replace(staged, tree=(await self._git("write-tree")).strip(), too_large=large)
        return staged

    async def _staged(self, secrets: list[str], first: str) -> Staged:
        # One call for what belongs together: each is a journey to the sandbox and back.
        dotenv = _git("ls-files", "-z", "--cached", "--", ":(glob)**/.env", ":(glob)**/.env.*")
        added = f"{{ {_git('add', '-A', '--ignore-errors', '.')} || test $? = 1; }}"  # 1: all but some
        done = await self._done(f"{first}rm -f .git/index.lock && {_OPEN_NESTED} && {added} && {dotenv}", seconds=120)
        kept = (".example", ".sample", ".template")
        left_out = [path for path in done.stdout.split("\0") if path and not path.endswith(kept)]
        left_out += [path for path in await self._holding(secrets) if path not in left_out]
        if left_out:
            await self._unstage(left_out)
        tree = (await self._git("write-tree")).strip()
        not_taken = [file or directory for file, directory in _NOT_TAKEN.findall(done.stderr)]
        return Staged(tree, [path for path in left_out if not _is_env(path)], not_taken=not_taken)

    async def _large(self, tree: str) -> list[str]:
        """Paths of the files in `tree` that are larger than `MAX_FILE`."""
        listed = (each.partition("\t") for each in (await self._git("ls-tree", "-r", "-l", "-z", tree)).split("\0"))
        sizes = ((path, about.split()[-1]) for about, _, path in listed if path)
        return [path for path, size in sizes if size.isdigit() and int(size) > MAX_FILE]

    async def _holding(self, secrets: list[str]) -> list[str]:
        """Staged paths whose content has one of the values, in any spelling that a push is refused for.

        The values go in by environment, not as arguments.
        """
        values = [value for value in spellings(secrets) if "\n" not in value]
        if not values:
            return []
        command = f'printf "%s\\n" "$MK0R_VALUES" | {_git("grep", "--cached", "-a", "-l", "-z", "-F", "-f", "-")}'
        done = await self._sandbox.run(
            command, env=IDENTITY | {"MK0R_VALUES": "\n".join(values)}, cwd=WORKDIR, seconds=120
        )
        if done.exit_code > 1:
            raise GitFailed(done.stderr[-300:])
        return [path for path in done.stdout.split("\0") if path]

    async def _unstage(self, paths: list[str]) -> None:
        for start in range(0, len(paths), 100):
            await self._git(
                "rm", "-q", "--cached", "--ignore-unmatch", "--", *map(_literal, paths[start : start + 100])
            )

    async def commit(self, tree: str, parent: str | None, message: str) -> str:
        """Make a commit of `tree` on top of `parent`, and the branch and HEAD point to it. Returns its name."""
        above = ["-p", parent] if parent else []
        sha = (await self._git("commit-tree", tree, *above, "-m", message)).strip()
        await self.point(sha)
        return sha

    async def point(self, sha: str) -> None:
        """Have the branch and HEAD point to that commit; the files are not touched."""
        await self._git("update-ref", f"refs/heads/{BRANCH}", sha)
        await self._git("symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")

    async def tip(self) -> str:
        """The commit the branch points to, empty without one."""
        done = await self._sandbox.run(
            _git("rev-parse", "-q", "--verify", f"refs/heads/{BRANCH}"), env=IDENTITY, cwd=WORKDIR
        )
        return done.stdout.strip() if done.exit_code == 0 else ""

    async def title(self, tree: str) -> str:
        """What the app in `tree` calls itself in its page, on one line; empty when it has not been given a name."""
        try:
            page = await self._shell(f"{_git('cat-file', 'blob', f'{tree}:index.html')} | head -c 20000")
        except GitFailed:
            return ""
        found = _TITLE.search(page)
        title = " ".join(html.unescape(found[1]).split()) if found else ""
        return "" if title == _STARTER_TITLE else title

    async def has(self, name: str) -> bool:
        """Whether the object is here."""
        done = await self._sandbox.run(_git("cat-file", "-e", name), env=IDENTITY, cwd=WORKDIR)
        return done.exit_code == 0

    async def push(self, url: str, sha: str, token: str) -> None:
        """Send the commit and all it rests on to the repository's branch.

        Raises:
            GitFailed: with the reason as git tells it.
        """
        await self._remotely(token, "push", "--porcelain", url, f"{sha}:refs/heads/{BRANCH}")

    async def fetch(self, url: str, token: str) -> None:
        """Bring every commit of the repository's branches here; neither files nor our own branch change.

        An empty repository brings nothing, and that is no failure.

        Raises:
            GitFailed: with the reason as git tells it.
        """
        await self._remotely(token, "fetch", "-q", "--no-tags", url, "+refs/heads/*:refs/mk0r/fetched/*")

    async def _remotely(self, token: str, *args: str) -> None:
        command = _git(
            "-c", "credential.helper=", "-c", f"credential.helper={_CREDENTIALS}", "-c", "http.proxy=", *args
        )  # fmt: skip
        done = await self._sandbox.run(command, env=IDENTITY | {"MK0R_GIT_TOKEN": token}, cwd=WORKDIR, seconds=120)
        if done.exit_code != 0:
            raise GitFailed(_reason(done.stdout + "\n" + done.stderr))

    async def restore(self, tree: str) -> None:
        """Make the files exactly those of `tree`, but for what is ignored.

        Where that brings another lockfile, the packages are due from before the first file changes until `install` has
        ended well, whoever runs it: the sandbox itself remembers.

        Raises:
            GitFailed: the files are not that tree; the text says why.
        """
        wanted = shlex.quote(f"{tree}:package-lock.json")
        await self._shell(
            f'test "$({_git("rev-parse", "-q", "--verify")} {wanted})" = "$({_LOCKFILE})" || {{ {_MAKE_DUE}; }};'
            f" rm -f .git/index.lock; {_git('read-tree', '-u', '--reset', tree)}"
            f" && {_git('clean', '-ffdq', '-e', '.env', '-e', 'node_modules')}",
            seconds=120,
        )
        left = (await self._staged([], "")).tree
        if left != tree:
            raise GitFailed(f"the files are {left}, not {tree}")

    async def bring_back(self, tree: str, now: str) -> list[str]:
        """Make every file of `tree` what it is there, and leave what is beyond it. Returns the paths that were not.

        `now` is the tree of the files as they are.

        Raises:
            GitFailed: they are not all back; the text says why.
        """
        diff = _git("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=DMT", tree, now)
        lost = [path for path in (await self._shell(diff)).split("\0") if path]
        if lost:
            checkout = _git(
                "--literal-pathspecs", "checkout", "-q", tree, "--pathspec-from-file=-", "--pathspec-file-nul"
            )
            due = f"; {_MAKE_DUE}" if "package-lock.json" in lost else ""
            await self._shell(f"rm -f .git/index.lock{due}; set -o pipefail; {diff} | {checkout}", seconds=120)
        return lost

    async def mark(self, tree: str) -> None:
        """Have the repository remember that tree as the last one we saw."""
        await self._git("update-ref", _SEEN, tree)

    async def marked(self) -> str:
        """The tree it was last told to remember; empty when it remembers none."""
        done = await self._sandbox.run(_git("rev-parse", "-q", "--verify", _SEEN), env=IDENTITY, cwd=WORKDIR)
        return done.stdout.strip() if done.exit_code == 0 else ""

    async def require_packages(self) -> None:
        """Have the packages installed again if they are not there at all."""
        await self._shell(f"test -e node_modules || {{ {_MAKE_DUE}; }}")

    async def packages_due(self) -> bool:
        """Whether the packages may be others than the lockfile names."""
        done = await self._sandbox.run(f"test -e {_DUE}", cwd=WORKDIR)
        return done.exit_code == 0

    async def install(self) -> None:
        """Install the packages that the lockfile names; they are no longer due.

        Raises:
            GitFailed: npm did not end well, and they still are.
        """
        command = f"test ! -f package-lock.json || npm ci --no-audit --no-fund --loglevel=error && rm -f {_DUE}"
        done = await self._sandbox.run(command, cwd=WORKDIR, seconds=240)
        if done.exit_code != 0:
            raise GitFailed(done.stderr[-300:])

    async def _git(self, *args: str) -> str:
        return await self._shell(_git(*args))

    async def _shell(self, command: str, seconds: float = 60) -> str:
        return (await self._done(command, seconds)).stdout

    async def _done(self, command: str, seconds: float) -> Output:
        done = await self._sandbox.run(command, env=IDENTITY, cwd=WORKDIR, seconds=seconds)
        if done.exit_code != 0:
            raise GitFailed((done.stderr or done.stdout)[-300:].strip())
        return done


def _git(*args: str) -> str:
    """A shell's words for git with our settings over everybody else's."""
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return shlex.join(["git", *settings, *args])


# Outside the project, where it is neither served nor committed, and in the sandbox, whose packages it speaks of.
_DUE = '"$HOME/.mk0r/packages-due"'
_MAKE_DUE = f'mkdir -p "$HOME/.mk0r" && : > {_DUE}'
_LOCKFILE = f"{_git('hash-object', 'package-lock.json')} 2>/dev/null"


# A directory with a repository of its own, as many tools make, would be committed as a mere pointer to a commit nobody
# has, or not at all. Where the index knows of a file in it, git looks into it as into any other; `add` then forgets it.
_OPEN_NESTED = (
    "{ find . -name node_modules -prune -o -path './*/*' -name .git -prune -print0 2>/dev/null"
    ' | while IFS= read -r -d "" nested; do nested=${nested#./};'
    ' printf "100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 0\\t%s\\0" "${nested%.git}.mk0r"; done'
    f" | {_git('update-index', '-z', '--index-info')} 2>/dev/null; true; }}"
)


def _literal(path: str) -> str:
    return f":(literal){path}"


def _is_env(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".env")


def _reason(output: str) -> str:
    """What a person needs of git's complaint: the remote's own words, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    rejected = [line for line in lines if "rejected" in line]
    return " ".join(said or rejected or lines[-1:] or ["git gave no reason"])[:300]
