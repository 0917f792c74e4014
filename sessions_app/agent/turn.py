"""One turn, from the prompt to its version. Running it again after a crash takes up where the last run was.

    wait for the backend ─ lay down prompt and instructions ─ start the agent ─ follow its log ─ commit ─ push ─ finish

What has been done is known from the database and the sandbox, never from memory: a turn that runs is in state
`running` with the id of its sandbox, the agent is found there by the turn's number, and `log_lines` says how much of
its log is in the event log. A worker that stops, or dies, leaves the agent alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing, suppress

from django.conf import settings
from django.utils import timezone

from provisioning import faults
from provisioning import services as provisioning
from provisioning.exceptions import SandboxLost
from sessions_app import events, tokens
from sessions_app.agent import briefing, catalogue, record, sightings, summaries, versions, workspace
from sessions_app.agent.claude import Agent, Probe
from sessions_app.agent.journal import Journal, Superseded
from sessions_app.agent.repository import GitFailed, Repository
from sessions_app.agent.sandboxes import Sandbox, Unreachable, connected
from sessions_app.agent.stream import Parser
from sessions_app.database import db
from sessions_app.models import Turn
from sessions_app.process import sessions
from sessions_app.state import is_loopback

log = logging.getLogger(__name__)

BACKEND_SECONDS = 90.0  # by then every leg's own deadline has passed
INSTALL_SECONDS = 600.0  # the agent's program may still be downloading on a first start
TURN_SECONDS = 2700.0
LINGER_SECONDS = 120.0  # of silence after its last word; the agent's program has been known not to end by itself
FLUSH_SECONDS = 0.12  # at most about eight times a second
LOOK_SECONDS = 0.3  # how late a wish to stop may be noticed
_KEEP_SECONDS = 60.0
_TRIES = 8  # runs in a row that a sandbox may leave unanswered, seconds apart
_KEPT = "The files are as the agent left them."


class _Ended(Exception):
    """The turn ends here, in this state, with these words."""

    def __init__(self, state: Turn.State, summary: str) -> None:
        super().__init__(summary)
        self.state = state


class _Over(Exception):
    """Somebody else has ended the turn: there is nothing left to do."""


async def run(turn_id: int) -> None:
    """Bring the turn to its end. A sandbox that does not answer is tried again, from where the last try was."""
    failures = lines = 0
    while True:
        turn = await db(record.load, turn_id)
        if turn.state not in record.ACTIVE:
            return
        failures = failures if turn.log_lines == lines else 0
        lines = turn.log_lines
        runner = _Runner(turn)
        try:
            await runner.to_the_end()
            return
        except (_Over, Superseded):
            return
        except Unreachable as error:
            failures += 1
            log.warning("turn.unreachable session=%s error=%s", turn.session.slug, error)
            if failures >= _TRIES or await db(record.session_ending, turn):
                await runner.finish(Turn.State.FAILED, f"The sandbox stopped answering. {_KEPT}")
                return
            await asyncio.sleep(min(0.25 * 2**failures, 8))


class _Runner:
    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._session = turn.session
        self._parser = Parser()
        self._journal = Journal(turn)
        self._sandbox: Sandbox | None = None
        self._seen = 0  # lines of the log read by this run
        self._written_before = turn.log_lines  # of those, how many an earlier run has made events of
        self._looked = self._kept = self._heard = 0.0

    async def to_the_end(self) -> None:
        """Run the turn, end it in one way or another, and remember the files as it left them."""
        try:
            await self._run()
        except _Ended as end:
            await self.finish(end.state, str(end))
        except SandboxLost:
            await self._lose()
            return
        if self._sandbox is not None:
            await sightings.remember(self._session, self._sandbox)

    async def _run(self) -> None:
        if self._turn.state == Turn.State.QUEUED:
            await self._look()
            await self._backend()
        self._sandbox = sandbox = await self._reach()
        agent, repository = Agent(sandbox, self._turn.number), Repository(sandbox)
        probe = await self._installed(agent)
        self._require_isolation(probe)
        await self._base(sandbox, agent, probe)
        if self._turn.state == Turn.State.QUEUED and not await db(record.begin, self._turn, sandbox.id):
            await self._look(now=True)
            raise _Over
        faults.point("turn.after_begin")
        await self._start(agent, probe)
        await self._listen(agent)
        await self._judge(agent)
        await self._version(repository)
        assert self._parser.result is not None  # noqa: S101 (judged above)
        await self.finish(Turn.State.DONE, self._parser.result.text or self._parser.last_text or "Done.")

    async def finish(self, state: Turn.State, summary: str) -> None:
        """Write what is left of the log, then the end. Where the session itself ends, that is why the turn did."""
        await db(self._write, last=True)
        if state != Turn.State.DONE and await db(record.session_ending, self._turn):
            state, summary = Turn.State.CANCELLED, "The session ended."
        faults.point("turn.before_finish")
        lines, uuids = self._journal.close()
        await db(record.finish, self._turn, state, summary, lines=lines, uuids=uuids)

    async def _lose(self) -> None:
        """End a turn whose sandbox died under it, and have another made for the next."""
        head = await db(catalogue.head, self._session)
        base = f"version {head}" if head else "the starter project"
        text = "The sandbox was lost while the agent worked, and with it what this turn had done. The next one is "
        text += f"made now and begins from {base}: ask again."
        await self.finish(Turn.State.FAILED, text)
        await sessions.renew(self._session.pk)

    # --- before the agent ---------------------------------------------------------------------------------------------

    async def _backend(self) -> None:
        """Wait for the legs, visibly, until they have settled, only queue for long, or their time is over."""
        if missing := await db(record.waiting_for, self._turn):
            text = f"Waiting for {_listed(missing)} before the agent begins."
            await db(record.notice, self._turn, "info", text)
        converging = asyncio.create_task(sessions.converge(self._session.pk), name="turn-backend")
        until = time.monotonic() + BACKEND_SECONDS
        try:
            while not converging.done() and time.monotonic() < until:
                await asyncio.wait([converging], timeout=LOOK_SECONDS)
                await self._look()
                if await db(provisioning.nothing_comes_soon, self._session):
                    break
        finally:
            converging.cancel()
            await asyncio.gather(converging, return_exceptions=True)
        if missing and (late := await db(record.waiting_for, self._turn)):
            await db(record.notice, self._turn, "warning", f"Beginning without {_listed(late)}.")

    async def _reach(self) -> Sandbox:
        """The sandbox this turn runs in. One that is lost before the turn has begun is made anew and waited for."""
        if self._turn.state != Turn.State.QUEUED:
            sandbox = await connected(self._session.pk)
            if self._turn.sandbox_id and self._turn.sandbox_id != sandbox.id:
                raise SandboxLost
            return sandbox
        with suppress(SandboxLost):
            return await connected(self._session.pk)
        await sessions.renew(self._session.pk)
        await self._backend()
        try:
            return await connected(self._session.pk)
        except SandboxLost:
            raise _Ended(Turn.State.FAILED, await db(self._no_sandbox)) from None

    def _no_sandbox(self) -> str:
        state = {each["provider"]: each for each in provisioning.resources_state(self._session)}
        why = ((state.get("e2b") or {}).get("error") or {}).get("message", "")
        return f"There is no sandbox to build in. {why} Retry the sandbox, then ask again.".replace("  ", " ")

    async def _installed(self, agent: Agent) -> Probe:
        """Wait, visibly, until the agent's program is there."""
        until, told = time.monotonic() + INSTALL_SECONDS, False
        while True:
            probe = await agent.probe(self._session.agent_session_id)
            if probe.installed:
                return probe
            if time.monotonic() > until:
                raise _Ended(Turn.State.FAILED, "The agent's program could not be installed in the sandbox.")
            if not told:
                text = "The agent's program is still being downloaded; it begins as soon as that is done."
                await db(record.notice, self._turn, "info", text)
                told = True
            await asyncio.sleep(1)
            await self._look()

    def _require_isolation(self, probe: Probe) -> None:
        """A real model is not let loose in a plain process on somebody's machine unless they said so."""
        if probe.isolated or is_loopback(settings.ANTHROPIC_BASE_URL) or settings.MK0R_ALLOW_UNISOLATED:
            return
        text = "Sandboxes on this machine are not isolated, so a real model may not work in them. "
        text += "Set MK0R_ALLOW_UNISOLATED=1 to allow it."
        raise _Ended(Turn.State.FAILED, text)

    async def _base(self, sandbox: Sandbox, agent: Agent, probe: Probe) -> None:
        """Have the app's files there and nobody else at work on them, and keep the tree as the turn finds it: a turn
        that changes nothing makes no version."""
        if probe.started:
            return
        await self._look(now=True)
        if probe.left is not None:
            log.warning("turn.agent_left session=%s", self._session.slug)
            await agent.stop(probe.left)
        try:
            _, tree = await workspace.opened(self._session, sandbox)
        except GitFailed as error:
            text = f"The project's files could not be made ready: {str(error).rstrip('.')}. Ask again in a moment."
            raise _Ended(Turn.State.FAILED, text) from None
        await db(record.remember_base, self._turn, tree)

    async def _start(self, agent: Agent, probe: Probe) -> None:
        """Start the agent, or find it again. A conversation that the sandbox forgot is begun anew, with a summary."""
        known = self._session.agent_session_id is not None and probe.resumable
        if not probe.started:
            past = [] if known else await db(record.earlier, self._turn)
            await agent.prepare(
                probe.home,
                prompt=briefing.prompt_text(self._turn.prompt, past),
                instructions=await db(self._instructions, probe),
                tools=briefing.tools(probe.home, probe.chromium, probe.browser_server),
            )
        conversation = await db(record.conversation, self._session, fresh=not known and not probe.started)
        pid = await agent.start(probe.home, tokens.gateway_token(self._session), conversation, resume=known)
        faults.point("turn.after_start")
        await db(record.remember_pid, self._turn, pid)

    def _instructions(self, probe: Probe) -> str:
        names = list(provisioning.env_entries(self._session))
        browser = bool(probe.chromium and probe.browser_server)
        return briefing.instructions(names, provisioning.resources_state(self._session), browser=browser)

    # --- while the agent works ----------------------------------------------------------------------------------------

    async def _listen(self, agent: Agent) -> None:
        """Turn the agent's log into events until the agent ends or has to.

        It is read from its first line on, also when half of it is written already: that rebuilds the parser.
        """
        flushed = 0.0
        await self._heed(agent)  # an agent that never said a word gives no other occasion
        async with aclosing(agent.lines(self._pid)) as lines:
            async for line in lines:
                if line is not None:
                    self._take(line)
                if time.monotonic() - flushed >= FLUSH_SECONDS:
                    await db(self._write)
                    flushed = time.monotonic()
                await self._heed(agent)
                if self._parser.result is not None and time.monotonic() - self._heard > LINGER_SECONDS:
                    await agent.stop(self._pid)
                    return  # what it says to being stopped is no answer
                if self._age() > TURN_SECONDS:
                    text = f"The agent worked for {TURN_SECONDS / 60:.0f} minutes without an end. {_KEPT}"
                    await self._stop(agent, Turn.State.FAILED, text)

    def _age(self) -> float:
        """Seconds since the agent began."""
        return (timezone.now() - (self._turn.started_at or self._turn.created_at)).total_seconds()

    @property
    def _pid(self) -> int:
        if self._turn.pid is None:
            raise RuntimeError("the agent was started, so its process group is known")
        return self._turn.pid

    def _take(self, line: str) -> None:
        step = self._parser.feed(line)
        self._heard = time.monotonic()
        self._seen += 1
        if self._seen > self._written_before:
            self._journal.add(step)

    def _write(self, *, last: bool = False) -> None:
        if self._journal.write(events.secrets_of(self._session), last=last):
            faults.point("turn.after_write")

    async def _heed(self, agent: Agent) -> None:
        """End the agent when somebody wants the turn to stop."""
        if await self._wants_stop():
            await self._stop(agent, Turn.State.CANCELLED, f"Stopped. {_KEPT}")

    async def _stop(self, agent: Agent, state: Turn.State, summary: str) -> None:
        """End the agent, take in what it still wrote, and end the turn."""
        await agent.stop(self._pid)
        more = True
        while more:
            lines, more = await agent.rest(self._pid, self._seen + 1)
            for line in lines:
                self._take(line)
            more = more and bool(lines)
        raise _Ended(state, summary)

    async def _judge(self, agent: Agent) -> None:
        """Tell a good end from the others: a result that is an error, no result, a process that was killed."""
        result = self._parser.result
        if result is not None and not result.failed:
            return
        if result is not None:
            log.warning("turn.agent_failed session=%s reason=%s", self._session.slug, result.reason)
            why = summaries.complaint(result.text)
            raise _Ended(Turn.State.FAILED, f"The agent stopped with an error: {why}. {_KEPT}")
        status, complaints = await agent.ending()
        how = f"with exit status {status}" if status else "because it was killed"
        said = complaints.splitlines()[-1] if complaints else "It gave no reason."
        raise _Ended(Turn.State.FAILED, f"The agent ended {how}, without an answer. {said} {_KEPT}")

    async def _version(self, repository: Repository) -> None:
        """Commit and push. A version that cannot be made is told; the turn's work is there all the same."""
        faults.point("turn.before_commit")
        try:
            await versions.commit(self._turn, repository, await db(record.starter, self._turn))
            faults.point("turn.after_commit")
            await versions.push(self._session, repository)
            faults.point("turn.after_push")
        except GitFailed as error:
            text = f"No version could be made of this turn: {error}. The next one will hold its changes."
            await db(record.notice, self._turn, "error", text)

    # --- looking up now and then --------------------------------------------------------------------------------------

    async def _wants_stop(self) -> bool:
        """Whether to stop; looks at the database a few times a second, and keeps the session from being paused."""
        now = time.monotonic()
        if now - self._kept > _KEEP_SECONDS:
            self._kept = now
            await db(record.touch, self._turn)
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        wish = await db(record.wish, self._turn)
        if wish.over:
            raise _Over
        return wish.stop

    async def _look(self, *, now: bool = False) -> None:
        """End here when somebody wants the turn to."""
        if now:
            self._looked = 0.0
        if await self._wants_stop():
            raise _Ended(Turn.State.CANCELLED, "Stopped before the agent began.")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
