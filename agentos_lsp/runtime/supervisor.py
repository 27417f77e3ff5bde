"""All sessions of one runtime: start, find again, answer, merge, discard; and who is told about them.

One object, `Runtime`, is everything that an editor connection can reach. It owns a session as long as it holds the
session's lock; sessions of another running agentos-lsp are shown, and left alone.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from agentos_lsp.domain import approval, events, ids, policy, state
from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.runtime import ending, recovery, session, uncut
from agentos_lsp.runtime.workspace import Losses, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from agentos_lsp.domain.command import verdict
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.effects import agents
    from agentos_lsp.effects.store import Store

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What `__main__` chose and wired.

    Args:
        store: The event log.
        state_folder: Where worktrees lie, outside every repository.
        agent: Makes the agent of a session from its name, script and model.
        load_policy: Makes the policy from the bytes of the repository's own file, None if it has none.
        now: The clock, aware UTC.
        new_id: A fresh name of lower-case letters and digits.
        environment: What commands inherit, before it is stripped.
    """

    store: Store
    state_folder: Path
    agent: Callable[[str, str | None, str | None], agents.Agent]
    load_policy: Callable[[bytes | None], policy.Policy]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """What a person asks for when starting a session."""

    workspace: str
    task: str
    agent: str
    script: str | None
    model: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far long work has come; `done` of `total` steps, `total` 0 while unknown."""

    session: ids.SessionId
    kind: Literal["worktree", "merge"]
    done: int
    total: int
    message: str


class Runtime:
    """All sessions; an async context manager that recovers what it finds and lets go of it at its end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sessions: dict[ids.SessionId, session.Session] = {}
        self._listeners: list[Callable[[events.AnyEvent, SessionState], None]] = []
        self._watchers: list[Callable[[Progress], None]] = []
        self._cancelled: set[ids.SessionId] = set()
        self._group = asyncio.TaskGroup()
        self._loops: dict[ids.SessionId, asyncio.Task[None]] = {}
        self._starting: set[ids.SessionId] = set()
        self._taking_over = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        await self._recover()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._cancelled |= self._starting
            loops = list(self._loops.values())
            for task in loops:
                task.cancel()
            if loops:
                await asyncio.wait(loops)
            for one in self._sessions.values():
                await one.end_processes()
        finally:
            await self._group.__aexit__(kind, error, trace)
            for one in self._sessions.values():
                if one.workspace is not None:
                    await one.workspace.close()
                self._parts.store.release(one.id)

    # --- looking -----------------------------------------------------------------------------------------------

    def states(self) -> tuple[SessionState, ...]:
        """Returns every session's state that this runtime owns, the oldest first."""
        return tuple(one.state for one in self._sessions.values())

    async def all_states(self) -> tuple[SessionState, ...]:
        """Returns the states of all sessions that can be read, those of other servers and ended ones included."""
        found: list[SessionState] = []
        for name in await asyncio.to_thread(self._parts.store.sessions):
            try:
                found.append(await self.state(name))
            except EffectError as error:
                LOG.warning("session %s cannot be shown: %s", name, error)
        return tuple(found)

    async def state(self, name: ids.SessionId) -> SessionState:
        """Returns one session's state, whoever owns it.

        Raises:
            UserError: There is no such session.
        """
        known = self._sessions.get(name)
        if known is not None:
            return known.state
        log = await self.trace(name)
        return state.fold(log)

    async def trace(self, name: ids.SessionId, after: int = 0) -> list[events.AnyEvent]:
        """Returns a session's events after a sequence.

        Raises:
            UserError: There is no such session.
        """
        log = await asyncio.to_thread(self._parts.store.read, name, after)
        if not log and not after:
            raise UserError(f"There is no session {name!r}.", "`agentos.session.list` names all.")
        return log

    async def changes(self, name: ids.SessionId) -> str:
        """Returns the session's whole change against its base, as a unified diff."""
        one = self._sessions.get(name)
        if one is None or one.workspace is None:
            return ""
        return await one.workspace.unified_diff()

    async def base_text(self, name: ids.SessionId, path: str) -> bytes | None:
        """Returns a file as it was where the session began, None if it was not there."""
        one = self._sessions.get(name)
        if one is None or one.workspace is None:
            return None
        return await one.workspace.base_text(path)

    async def command_output(self, name: ids.SessionId, call: ids.CallId) -> bytes:
        """Returns all that a command printed; what is known so far while it runs.

        Raises:
            UserError: The session has no such call.
        """
        texts: list[str] = []
        for event in await self.trace(name):
            if isinstance(event, events.CommandFinished) and event.call == call and event.output is not None:
                return await asyncio.to_thread(self._parts.store.read_blob, event.output)
            if isinstance(event, events.CommandOutput) and event.call == call:
                texts.append(event.text)
        if not texts and call not in (await self.state(name)).calls:
            raise UserError(f"Session {name} has no command {call!r}.", "Open the session's page for its commands.")
        return "".join(texts).encode("utf-8", "replace")

    async def check(self, line: str, name: ids.SessionId | None) -> verdict.Assessment:
        """Judges a line as a session would.

        Raises:
            UserError: No session is named, and not exactly one is live.
        """
        if name is None:
            live = [one for one in self._sessions.values() if one.state.is_live and one.workspace is not None]
            if len(live) != 1:
                raise UserError("Which session?", "Name the session whose allowlist and worktree should count.")
            return await live[0].gate.check(line)
        return await (await self._own(name)).gate.check(line)

    def subscribe(
        self,
        listener: Callable[[events.AnyEvent, SessionState], None],
        watcher: Callable[[Progress], None],
    ) -> Callable[[], None]:
        """Tells a connection of every event, and of progress, until the returned function is called.

        Listeners are called on the loop, at once and in order; they must not wait or raise.
        """
        self._listeners.append(listener)
        self._watchers.append(watcher)

        def unsubscribe() -> None:
            self._listeners.remove(listener)
            self._watchers.remove(watcher)

        return unsubscribe

    # --- acting ------------------------------------------------------------------------------------------------

    async def start(self, wanted: Start) -> ids.SessionId:
        """Starts a session: its first event is on the disk when this returns, its worktree follows.

        Raises:
            UserError: The folder is no repository that a session can begin from, or the task is empty.
            ConfigError: The script or a policy file cannot be used.
        """
        if not wanted.task.strip():
            raise UserError("The task is empty.", "Say what the agent should do.")
        agent = await asyncio.to_thread(self._parts.agent, wanted.agent, wanted.script, wanted.model)
        name = await self._new_name(wanted.task)
        workspace = await Workspace.probe(
            wanted.workspace,
            name,
            self._parts.state_folder,
            self._parts.store,
            self._parts.environment,
            self._parts.now,
        )
        rules = self._parts.load_policy(await workspace.policy_file())
        self._parts.store.claim(name)
        one = session.Session(name, [], self._world())
        try:
            await one.record(
                events.SessionStarted,
                durable=True,
                task=wanted.task,
                agent=wanted.agent,
                script=wanted.script,
                model=wanted.model,
                repository=workspace.repository,
                base_branch=workspace.base_branch,
                base_commit=workspace.base_commit,
                by=wanted.by,
            )
        finally:
            if one.state.sequence:
                self._sessions[name] = one
                self._starting.add(name)
                self._loops[name] = self._spawn(self._begin(one, workspace, agent, rules, wanted))
            else:
                self._parts.store.release(name)
        return name

    async def _new_name(self, task: str) -> ids.SessionId:
        while True:
            name = ids.session_id(task, self._parts.new_id()[:4])
            log = await asyncio.to_thread(self._parts.store.read, name)
            if not log and name not in self._sessions:
                return name

    def cancel_start(self, name: ids.SessionId) -> None:
        """Asks a worktree under creation to stop; nothing of it is left behind."""
        if name in self._starting:
            self._cancelled.add(name)

    async def decide(self, name: ids.SessionId, given: approval.Answer) -> approval.Answer | approval.Stale:
        """Takes a person's answer to an approval; the first one counts."""
        one = await self._own(name)
        return await self._to_end(one.decide(given))

    async def prompt(self, name: ids.SessionId, text: str, by: str) -> None:
        """Says something to the agent; it starts the next turn."""
        one = await self._own(name)
        await self._to_end(one.prompt(text, by))

    async def pause(self, name: ids.SessionId, by: str) -> None:
        """Lets the running call end, and starts no other."""
        one = await self._own(name)
        await self._to_end(one.pause(by))

    async def resume(self, name: ids.SessionId, by: str) -> None:
        """Goes on after a pause, an interruption, or a failure that was mended.

        Raises:
            UserError: What the session needs is still missing.
            ConfigError: Its script or a policy file still cannot be used.
        """
        one = await self._own(name)
        if one.workspace is not None and one.state.is_live and not one.is_equipped:
            await self._equip(one, one.workspace)
        await self._to_end(one.resume(by))

    async def stop(self, name: ids.SessionId, by: str) -> None:
        """Ends the running turn and all processes of the session; a start that is under way is cancelled."""
        one = await self._own(name)
        self.cancel_start(name)
        await self._to_end(one.stop(by))

    async def merge(
        self, name: ids.SessionId, wanted: ending.Merge, unsaved: frozenset[str]
    ) -> ending.Merged | ending.NotMerged:
        """Merges a session's commits into the branch that it began from, or into another.

        Args:
            name: The session; its turn must have ended.
            wanted: How, into which branch, and who asks.
            unsaved: Absolute paths of files that are open with unsaved changes in an editor.
        """
        one = await self._own(name)

        async def carry_out() -> ending.Merged | ending.NotMerged:
            with one.hold():
                # What still runs could commit or write between the inspection and the merge.
                await one.end_processes()
                outcome = await ending.merge(one, wanted, unsaved)
                if isinstance(outcome, ending.Merged):
                    await ending.remove_worktree(one, await self.trace(name))
                return outcome

        return await self._to_end(carry_out())

    async def losses(self, name: ids.SessionId) -> Losses:
        """Says what a discard would lose."""
        return await ending.losses(await self._own(name))

    async def discard(self, name: ids.SessionId, by: str) -> Losses:
        """Removes a session's worktree and branch; says what was lost."""
        one = await self._own(name)

        async def carry_out() -> Losses:
            if name in self._starting:
                self.cancel_start(name)
                await one.begun.wait()
                if not one.state.is_live:
                    return Losses((), ())
            await ending.losses(one)  # refuses before anything is stopped
            await ending.losses(one)  # refused before anything is stopped
            await one.stop(by)
            with one.hold():
                lost = await ending.discard(one, by)
                await ending.remove_worktree(one, await self.trace(name))
                return lost

        return await self._to_end(carry_out())

    # --- inside ------------------------------------------------------------------------------------------------

    def _world(self) -> session.World:
        return session.World(self._parts.store, self._parts.now, self._parts.new_id, self._publish, self._spawn)

    def _publish(self, event: events.AnyEvent, now: SessionState) -> None:
        for listener in list(self._listeners):
            try:
                listener(event, now)
            except Exception:  # an editor's failure does not reach a session
                LOG.exception("a listener failed on event %s of %s", event.sequence, event.session)

    async def _own(self, name: ids.SessionId) -> session.Session:
        """Returns a session of this runtime; takes over one that another let go of.

        Raises:
            UserError: There is none, it has ended, or another runs it.
        """
        async with self._taking_over:
            log = [] if name in self._sessions else await asyncio.to_thread(self._parts.store.read, name)
            if log:
                await self._recover_one(name)
        one = self._sessions.get(name)
        if one is None:
            raise UserError(
                f"Session {name!r} is not one that this server runs.",
                "It may have ended, or run in another editor: use that one, or close it first.",
            )
        return one

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except AgentosError as error:
                LOG.error("work of a session ended: %s", error)  # noqa: TRY400 - the log is gone; no trace helps
            except Exception:  # one session's failure does not reach another
                LOG.exception("work of a session failed")

        task = self._group.create_task(guarded())
        task.add_done_callback(lambda _: work.close())
        return task

    async def _to_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Carries out what a person asked for, also when the connection that asked goes away meanwhile."""
        return await uncut.apart(work, self._group.create_task)

    async def _begin(
        self,
        one: session.Session,
        workspace: Workspace,
        agent: agents.Agent,
        rules: policy.Policy,
        wanted: Start,
    ) -> None:
        def report(done: int, total: int) -> None:
            progress = Progress(one.id, "worktree", done, total, "Creating the worktree")
            loop.call_soon_threadsafe(self._report, progress)

        loop = asyncio.get_running_loop()
        made = False
        try:
            created = await workspace.create(report, lambda: one.id in self._cancelled)
            made = True
            await one.record(
                events.WorktreeCreated,
                durable=True,
                folder=created.folder,
                admin=created.admin,
                branch=created.branch,
                commit=workspace.base_commit,
                scratch=created.scratch,
            )
            one.equip(workspace, agent, rules)
            await one.prompt(wanted.task, wanted.by)
        except Exception as error:  # the session's edge
            if not isinstance(error, AgentosError):
                LOG.exception("session %s could not start", one.id)
            message = str(error) if isinstance(error, AgentosError) else f"An internal error: {type(error).__name__}."
            hint = error.hint if isinstance(error, UserError) else "Start another session."
            if made and one.state.worktree is None:
                await workspace.remove_half_made()
            await one.record(events.FailureRecorded, where="start", message=message, hint=hint)
            if not one.is_equipped:
                return
        finally:
            self._starting.discard(one.id)
            self._cancelled.discard(one.id)
            one.begun.set()
            self._report(Progress(one.id, "worktree", 1, 1, ""))
        await one.work()

    def _report(self, progress: Progress) -> None:
        for watcher in list(self._watchers):
            try:
                watcher(progress)
            except Exception:  # an editor's failure does not reach a session
                LOG.exception("a watcher failed on the progress of %s", progress.session)

    async def _recover(self) -> None:
        for name in await asyncio.to_thread(self._parts.store.sessions):
            try:
                await self._recover_one(name)
            except AgentosError as error:
                LOG.warning("session %s could not be recovered: %s", name, error)
            except Exception:  # one session's failure does not reach another
                LOG.exception("session %s could not be recovered", name)

    async def _recover_one(self, name: ids.SessionId) -> None:
        if not self._parts.store.claim(name):
            return
        log = await asyncio.to_thread(self._parts.store.read, name)
        one = session.Session(name, log, self._world())
        one.begun.set()
        now = one.state
        if now.ended and now.worktree is None:
            self._parts.store.release(name)
            return
        self._sessions[name] = one
        parts = self._parts
        follows = await recovery.recover(
            one,
            log,
            lambda: Workspace.reopen(now, parts.state_folder, parts.store, parts.environment, parts.now),
        )
        if follows == "remove":
            await ending.remove_worktree(one, log)
        if follows != "equip" or one.workspace is None:
            return
        try:
            await self._equip(one, one.workspace)
        except AgentosError as error:
            await one.record(events.FailureRecorded, where="start", message=str(error), hint="Mend it and resume.")
            return
        if not any(isinstance(event, events.PromptQueued) for event in log):
            await one.prompt(now.task, next(event.by for event in log if isinstance(event, events.SessionStarted)))

    async def _equip(self, one: session.Session, workspace: Workspace) -> None:
        now = one.state
        agent = await asyncio.to_thread(self._parts.agent, now.agent, now.script, now.model)
        rules = self._parts.load_policy(await workspace.policy_file())
        one.equip(workspace, agent, rules)
        if one.id not in self._loops or self._loops[one.id].done():
            self._loops[one.id] = self._spawn(one.work())
