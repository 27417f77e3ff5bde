"""All sessions of one runtime: start, find again, answer, merge, discard; and who is told about them.

One object, `Runtime`, is everything that an editor connection can reach. It owns a session as long as it holds the
session's lock; sessions of another running agentos-lsp are shown, and left alone.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from agentos_lsp.domain import events, ids, orphan
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.runtime import (
    asking,
    cancelling,
    commands,
    confining,
    doors,
    ending,
    forecast,
    governing,
    inherited,
    measuring,
    mirrors,
    models,
    orphans,
    reading,
    readying,
    recovery,
    reviewing,
    session,
    stocking,
    streams,
    telling,
    uncut,
    world,
)
from agentos_lsp.runtime.workspace import Losses, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from agentos_lsp.domain.command import verdict
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.effects import Log, agents
    from agentos_lsp.effects.git.worktrees import Worktree
    from agentos_lsp.runtime import policies

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What `__main__` chose and wired.

    Args:
        store: The event log.
        state_folder: Where worktrees lie, outside every repository.
        agent: Makes the agent of a session from its name, script and model.
        policies: Reads and trusts policy files.
        now: The clock, aware UTC.
        new_id: A fresh name of lower-case letters and digits.
        environment: What commands inherit, before it is stripped.
        confiner: What this machine can hold of them.
        models: The language models that the person configured; None for none.
        spares: How many worktrees are kept ready for each repository in use.
        doors: What sessions stand on; None for those to this machine.
    """

    store: Log
    state_folder: Path
    agent: Callable[[str, str | None, str | None], agents.Agent]
    policies: policies.Policies
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    environment: Mapping[str, str]
    confiner: confining.Confiner
    models: models.Models | None = None
    spares: int = 0
    doors: doors.Doors | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """What a person asks for when starting a session."""

    workspace: str
    task: str
    agent: str
    script: str | None
    model: str | None
    by: str
    environment: Mapping[str, str] | None = None
    """What the session's commands inherit, that of the editor; None for the runtime's own."""
    group: str | None = None
    """The first of several sessions on the task; empty for that one itself, None for a session that is alone."""


class Runtime(reading.Reader, asking.Asking):
    """All sessions; an async context manager that recovers what it finds and lets go of it at its end."""

    def __init__(self, parts: Parts) -> None:
        self._sessions: dict[ids.SessionId, session.Session] = {}
        super().__init__(parts.store, self._sessions)
        self._parts = parts
        self.doors = parts.doors or doors.real()
        self.orphans = orphans.Orphans(parts.store, parts.state_folder, self.doors.git)
        self.streams, self.models = streams.Streams(), parts.models or models.Models(None, parts.environment, parts.now)
        self._telling = telling.Telling()
        self.subscribe = self._telling.subscribe
        self._group = asyncio.TaskGroup()
        self._loops: dict[ids.SessionId, asyncio.Task[None]] = {}
        self._starting = cancelling.Cancellable()
        self._merging = cancelling.Cancellable()
        self._taking_over = asyncio.Lock()
        self.mirrors = mirrors.Mirrors(parts.state_folder / "mirror", writes=not self.doors.banner)
        self.policy = governing.Governing(parts.policies, self._sessions)
        """Which policy governs which session; what a person trusts goes through it."""
        self._forecaster = forecast.Forecaster(self._sessions.values)
        self._closing = False
        self._forecasting: list[asyncio.Task[None]] = []
        self.sizes = measuring.Sizes(self._sessions, self.doors.disk, parts.now, self._spawn)
        self.reviews = reviewing.Reviews(self._own, self._sessions, self._to_end, self.doors.disk)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        await self._recover()
        repositories = {one.state.repository for one in self._sessions.values()}
        self._spawn(self.orphans.look_at(sorted(repositories)))
        self._forecasting.append(self._spawn(self._forecaster.run()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        try:
            self._starting.cancel_all()
            loops = [*self._loops.values(), *self._forecasting]
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
            await self.models.close()

    async def check(self, line: str, name: ids.SessionId | None, folder: str | None = None) -> verdict.Assessment:
        """Judges a line as a session would; where none is live, as one would that began in `folder` now.

        Raises:
            UserError: No session is named, and several are live; or none is, and the folder is in no repository.
        """
        live = [one for one in self._sessions.values() if one.state.is_live and one.workspace is not None]
        if name is None and not live and folder is not None:
            look, home = await self.policy.look(folder), self._parts.environment.get("HOME", "/")
            return await asyncio.to_thread(commands.judge_anew, self.doors.disk, line, look, home)
        if name is None and len(live) != 1:
            raise UserError("Which session?", "Name the session whose allowlist and worktree should count.")
        return await (live[0] if name is None else await self._own(name)).gate.check(line)

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
            self._parts.environment if wanted.environment is None else wanted.environment,
            self._parts.now,
            self.doors,
        )
        in_force = await self.policy.of(workspace)
        if wanted.environment is not None:
            disk, folder = self.doors.disk, self._parts.state_folder
            await asyncio.to_thread(inherited.keep, disk, folder, name, wanted.environment)
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
                group=name if wanted.group == "" else wanted.group,
            )
        finally:
            if one.state.sequence:
                self._sessions[name] = one
                self._starting.begin(name)
                self._loops[name] = self._spawn(self._begin(one, workspace, agent, in_force, wanted))
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
        self._starting.cancel(name)

    def cancel_merge(self, name: ids.SessionId) -> None:
        """Asks a merge that is under way to stop; until the branch moves, everything is put back."""
        self._merging.cancel(name)

    async def choose_model(self, name: ids.SessionId, model: str, by: str) -> str:
        """Lets a session ask another model from its next turn on; returns how it is named, see `Models.choose_for`."""
        return await self.on(name, lambda one: one.choose_model(self.models, model, by))

    async def resume(self, name: ids.SessionId, by: str) -> None:
        """Goes on after a pause, an interruption, or a failure that was mended.

        Raises:
            UserError: What the session needs is still missing.
            ConfigError: Its script or a policy file still cannot be used.
        """
        one = await self._own(name)
        if one.workspace is not None and one.state.is_live and not one.is_equipped:
            await self._equip(one, one.workspace)
        await self.on(name, lambda one: one.resume(by))

    async def stop(self, name: ids.SessionId, by: str) -> None:
        """Ends the running turn and all processes of the session; a start that is under way is cancelled."""
        self.cancel_start(name)
        await self.on(name, lambda one: one.stop(by))

    async def merge(
        self, name: ids.SessionId, wanted: ending.Merge, unsaved: frozenset[str]
    ) -> ending.Merged | ending.NotMerged:
        """Merges a session's commits into the branch that it began from, or into another.

        Args:
            name: The session; its turn must have ended.
            wanted: How, into which branch, and who asks.
            unsaved: Absolute paths of files that are open with unsaved changes in an editor.
        """

        async def carry_out(one: session.Session) -> ending.Merged | ending.NotMerged:
            report = self._telling.reporter(name, "merge", "Merging")
            with one.hold(), self._merging.watched(name, report) as watch:
                # What still runs could commit or write between the inspection and the merge.
                await one.end_processes()
                outcome = await ending.merge(one, wanted, unsaved, watch)
                if isinstance(outcome, ending.Merged):
                    await ending.remove_worktree(one, await self.trace(name))
                return outcome

        return await self.on(name, carry_out)

    async def losses(self, name: ids.SessionId) -> Losses:
        """Says what a discard would lose."""
        return await ending.losses(await self._own(name))

    async def discard(self, name: ids.SessionId, by: str) -> Losses:
        """Removes a session's worktree and branch; says what was lost."""

        async def carry_out(one: session.Session) -> Losses:
            if name in self._starting:
                self.cancel_start(name)
                await one.begun.wait()
                if not one.state.is_live:
                    return Losses((), ())
            await ending.losses(one)  # refuses before anything is stopped
            await one.stop(by)
            with one.hold():
                lost = await ending.discard(one, by)
                await ending.remove_worktree(one, await self.trace(name))
                return lost

        return await self.on(name, carry_out)

    async def adopt(self, name: ids.SessionId, by: str) -> None:
        """Makes a session of a worktree that was left behind, with all that it holds.

        Raises:
            UserError: There is none of that name, or nothing to go on in.
            EffectError: git, the log or the disk failed.
        """
        found = await self.orphans.get(name)
        if found.told.way != "recover" or found.row.worktree is None:
            raise UserError(f"{name} left no worktree to go on in.", orphan.advise(found.told))
        await uncut.apart(self._adopt(found.told, found.row.worktree, by), self._group.create_task)
        await self.orphans.look(found.told.repository)

    async def _adopt(self, known: orphan.Orphan, worktree: Worktree, by: str) -> None:
        async with self._taking_over:
            if known.session in self._sessions or not self._parts.store.claim(known.session):
                raise UserError(f"Somebody has taken up {known.session} already.", "The overview shows it.")
            one = session.Session(known.session, [], self._world())
            try:
                if await asyncio.to_thread(self._parts.store.read, known.session):
                    message = f"The trace of {known.session} says that it has ended, so it cannot go on under its name."
                    raise UserError(message, f"What is worth keeping is in {worktree.folder}.")
                await recovery.adopt(one, known, worktree, self._parts.state_folder, by, self.doors)
            finally:
                if one.state.sequence:
                    self._sessions[known.session] = one
                else:
                    self._parts.store.release(known.session)
            one.begun.set()
            await self._take_up(one, await self.trace(known.session))

    # --- inside ------------------------------------------------------------------------------------------------

    def _world(self) -> world.World:
        its = self._parts
        return world.World(its.store, its.now, its.new_id, self._publish, self._spawn, self.streams.add)

    async def _to_end(self, work: Coroutine[Any, Any, T]) -> T:
        return await uncut.apart(work, self._group.create_task)

    def _publish(self, event: events.AnyEvent, now: SessionState) -> None:
        self._forecaster.heard(event)
        self.reviews.heard(event)
        self._telling.publish(event, now)

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

    async def ended(self, name: ids.SessionId) -> session.Session:
        """Returns a session also if it has ended; it is an error if there is none, or another server holds it."""
        async with self._taking_over:
            if name not in self._sessions:
                log = await self.trace(name)
                if not self._parts.store.claim(name):
                    raise UserError(f"Session {name!r} is held by another server.", "Use that editor, or close it.")
                self._sessions[name] = session.Session(name, log, self._world())
                self._sessions[name].begun.set()
        return self._sessions[name]

    async def on(self, name: ids.SessionId, act: Callable[[session.Session], Coroutine[Any, Any, T]]) -> T:
        """Carries out an act on a session of this runtime, also when the connection that asked goes away meanwhile.

        Raises:
            UserError: It is not one that this server runs.
        """
        return await uncut.apart(act(await self._own(name)), self._group.create_task)

    async def _begin(
        self,
        one: session.Session,
        workspace: Workspace,
        agent: agents.Agent,
        in_force: policies.InForce,
        wanted: Start,
    ) -> None:
        report = self._telling.reporter(one.id, "worktree", "Creating the worktree")
        made = False
        try:
            created = await workspace.create(report, lambda: self._starting.is_cancelled(one.id))
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
            await readying.ready(one, workspace, in_force.rules, lambda: self._starting.is_cancelled(one.id))
            await self.policy.tell(one, in_force)
            await confining.confine(one, workspace, in_force.rules, self._parts.confiner)
            one.equip(workspace, agent, in_force.rules)
            if self._parts.spares:
                self._spawn(stocking.restock(workspace, self._parts.spares, lambda: self._closing))
            await readying.begin(one, wanted.task, wanted.by, lambda: self._starting.is_cancelled(one.id))
        except Exception as error:  # the session's edge
            if not isinstance(error, AgentosError):
                LOG.exception("session %s could not start", one.id)
            message = str(error) if isinstance(error, AgentosError) else f"An internal error: {type(error).__name__}."
            hint = error.hint if isinstance(error, UserError) else "Start another session."
            if made and one.state.worktree is None:
                await workspace.remove_half_made()
            await ending.told_failure(one, "start", message, hint)
            if not one.is_equipped:
                return
        finally:
            self._starting.end(one.id)
            one.begun.set()
            self._telling.report(telling.Progress(one.id, "worktree", 1, 1, ""))
        await one.work()

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
        await self._take_up(one, log)

    async def _take_up(self, one: session.Session, log: list[events.AnyEvent]) -> None:
        """Brings a session that exists on the disk to where it can go on."""
        now, parts = one.state, self._parts
        kept = await asyncio.to_thread(inherited.find, self.doors.disk, parts.state_folder, one.id)
        environment = parts.environment if kept is None else kept
        follows = await recovery.recover(
            one,
            log,
            lambda: Workspace.reopen(now, parts.state_folder, parts.store, environment, parts.now, self.doors),
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
        if not any(isinstance(event, events.PromptQueued | events.SessionAdopted) for event in log):
            await readying.begin_again(one, one.workspace, log)

    async def _equip(self, one: session.Session, workspace: Workspace) -> None:
        now = one.state
        agent = await asyncio.to_thread(self._parts.agent, now.agent, now.script, now.model)
        in_force = await self.policy.of(workspace)
        await self.policy.tell(one, in_force)
        await confining.confine(one, workspace, in_force.rules, self._parts.confiner)
        one.equip(workspace, agent, in_force.rules)
        if one.id not in self._loops or self._loops[one.id].done():
            self._loops[one.id] = self._spawn(one.work())
