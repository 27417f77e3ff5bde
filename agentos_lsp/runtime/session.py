"""One session: one log, one writer, one loop that takes prompts in turn.

Everything that happens is recorded here first; screens are told afterwards. A person's answers come in through
`decide`; the agent's calls go out through the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pydantic

from agentos_lsp.domain import approval, events, ids, model_events, policy, review_events, reviewed, state, tools
from agentos_lsp.domain.errors import AgentosError, ProviderError, UserError
from agentos_lsp.effects import agents
from agentos_lsp.effects.agents import prepared
from agentos_lsp.runtime import checkpoints, desk, history, journal, tool_call, trial, uncut

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from agentos_lsp.domain.event import Event
    from agentos_lsp.runtime import models
    from agentos_lsp.runtime.workspace import Workspace
    from agentos_lsp.runtime.world import World

LOG = logging.getLogger(__name__)


class Session:
    """A session that this runtime owns.

    Args:
        session: Its name.
        log: Its events so far, empty for a new one.
        world: What it shares with the others.
    """

    def __init__(self, session: ids.SessionId, log: list[events.AnyEvent], world: World) -> None:
        self.id = session
        self.state = state.fold(log)
        self.workspace: Workspace | None = None
        self.rules = policy.Policy()
        self._world = world
        self._agent: agents.Agent | None = None
        self._gate: tool_call.Gate | None = None
        self._writing = asyncio.Lock()
        self._queueing = asyncio.Lock()
        self.begun = asyncio.Event()
        """Set once its start has come to an end, well or not."""
        self._wake = asyncio.Event()
        self._unpaused = asyncio.Event()
        if not self.state.paused:
            self._unpaused.set()
        self._pausing = asyncio.Lock()
        self._answers: dict[ids.ApprovalId, asyncio.Future[approval.Answer | None]] = {}
        self._kept: dict[ids.CallId, tuple[approval.Question, approval.Answer]] = {}
        self._playing: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Lock()
        self.undoing = asyncio.Lock()
        self._stopping = False
        self._halted = False
        self.is_held = False
        """Whether it is being merged or discarded."""
        self._beginning = False
        self._history = history.of(log)

    def equip(self, workspace: Workspace, agent: agents.Agent, rules: policy.Policy) -> None:
        """Gives the session its doors; it can work from now on."""
        self.workspace = workspace
        self.rules = rules
        self._agent = prepared.Prepared(agent, rules.setup) if rules.setup else agent
        self._gate = tool_call.Gate(self, workspace, rules)
        self._wake.set()

    def take_rules(self, rules: policy.Policy) -> None:
        """Goes on under another policy; a call that is under way ends under the one that it began with."""
        self.rules = rules
        if self.workspace is not None and self._gate is not None:
            self._gate = tool_call.Gate(self, self.workspace, rules)

    def unequip(self) -> None:
        """Takes the doors away: the worktree is gone."""
        self.workspace = self._agent = self._gate = None

    @property
    def is_equipped(self) -> bool:
        """Whether it has an agent that can work."""
        return self._agent is not None

    @property
    def place(self) -> Workspace:
        """The session's worktree, with its doors.

        Raises:
            UserError: It is not there yet, or no longer.
        """
        if self.workspace is None or self.state.worktree is None:
            raise UserError(f"Session {self.id} has no worktree.", "Wait until it has started, or start a new one.")
        return self.workspace

    @property
    def gate(self) -> tool_call.Gate:
        """The session's gate.

        Raises:
            UserError: The worktree is not there yet, or no longer.
        """
        if self._gate is None:
            raise UserError(f"Session {self.id} has no worktree.", "Wait until it has started, or start a new one.")
        return self._gate

    # --- the log -----------------------------------------------------------------------------------------------

    async def record(self, kind: type[Event], *, durable: bool = False, **fields: Any) -> None:  # noqa: ANN401 - the event's own fields
        """Appends one event, then tells everybody. A cancelled caller still leaves a whole event.

        Raises:
            EffectError: It could not be written; nothing was told.
        """
        async with self._writing:
            await self._append(kind, durable=durable, fields=fields)

    async def _append(self, kind: type[Event], *, durable: bool, fields: dict[str, Any]) -> None:
        event: Any = kind(session=self.id, sequence=self.state.sequence + 1, at=self._world.now(), **fields)

        async def write_and_tell() -> None:
            await asyncio.to_thread(self._world.store.append, event, durable=durable)
            self.state = state.apply(self.state, event)
            self._world.publish(event, self.state)

        await uncut.finish(write_and_tell())

    # --- what the gate needs -----------------------------------------------------------------------------------

    async def ask(
        self, call: ids.CallId, line: str, cwd: str, prefix: tuple[str, ...] | None
    ) -> approval.Answer | None:
        """Asks a person and waits, without a limit; see `journal.Journal`."""
        kept = self._kept.pop(call, None)
        if kept is not None and (kept[0].line, kept[0].cwd) == (line, cwd):
            return approval.narrowed(*kept, prefix)
        asked = self.state.calls.get(call)
        question = (
            self.state.questions.get(asked.approval) if asked is not None and asked.approval is not None else None
        )
        if question is not None and (question.line, question.cwd, question.prefix) != (line, cwd, prefix):
            await self.record(
                events.ApprovalWithdrawn, approval=question.approval, reason="The request changed; it is asked again."
            )
            question = None
        name = question.approval if question is not None else await self._put_question(call, line, cwd, prefix)
        waiter = self._answers.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            return await waiter
        finally:
            self._answers.pop(name, None)

    async def _put_question(
        self, call: ids.CallId, line: str, cwd: str, prefix: tuple[str, ...] | None
    ) -> ids.ApprovalId:
        name, head = ids.ApprovalId(self._world.new_id()), self.state.head
        await self.record(
            events.ApprovalRequested,
            durable=True,
            approval=name,
            call=call,
            digest=approval.digest(line=line, cwd=cwd, head=head),
            line=line,
            cwd=cwd,
            head=head,
            prefix=prefix,
        )
        return name

    def is_asked(self, call: ids.CallId) -> bool:
        """Whether a person was asked about this call; see `journal.Journal`."""
        return call in self._kept or any(question.call == call for question in self.state.questions.values())

    @property
    def stopping(self) -> bool:
        """Whether a person is ending the turn; see `journal.Journal`."""
        return self._stopping

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs work beside the turn; see `journal.Journal`."""
        task = self._world.spawn(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    # --- what a person does ------------------------------------------------------------------------------------

    async def decide(self, given: approval.Answer) -> approval.Answer | approval.Stale:
        """Takes a person's answer: the first one that counts is on the disk before this returns."""
        async with self._writing:
            question = self.state.questions.get(given.approval)
            if self._stopping:
                return approval.Stale("The turn is being stopped, so the request is withdrawn; nothing was changed.")
            counted = approval.answer(question, given)
            if isinstance(counted, approval.Stale):
                return counted
            await self._append(
                events.ApprovalDecided,
                durable=True,
                fields={
                    "approval": given.approval,
                    "outcome": given.outcome,
                    "scope": given.scope,
                    "by": given.by,
                    "comment": given.comment,
                },
            )
        waiter = self._answers.get(given.approval)
        if waiter is not None and not waiter.done():
            waiter.set_result(given)
        elif question is not None:
            # Nobody waits: the question is from before an interruption. Its answer is kept for when it is asked again.
            self._kept[question.call] = (question, given)
            if not self.state.paused:
                await self.resume(given.by)
        return counted

    async def choose_model(self, known: models.Models, model: str, by: str) -> str:
        """Asks another model from the next turn on; returns how it is named."""
        self._must_be_live()
        chosen = await asyncio.to_thread(known.choose_for, self.state.agent, model)
        await self.record(model_events.ModelChosen, durable=True, model=chosen.label, by=by)
        return chosen.label

    async def prompt(self, text: str, by: str) -> None:
        """Queues a prompt; it starts the next turn."""
        self._must_be_live()
        if not text.strip():
            raise UserError("The prompt is empty.", "Say what the agent should do.")
        if self.state.worktree is None:
            raise UserError(f"Session {self.id} is still starting.", "Wait until its worktree is there.")
        await self._queue(text, by)
        self._go_on()

    async def _queue(self, text: str, by: str) -> None:
        """Queues a prompt, with what the agent was not told yet of the review."""
        async with self._queueing:
            review = self.state.review
            prompt = reviewed.prompt(review, text)
            await self.record(events.PromptQueued, durable=True, prompt=prompt, by=by)
            if review.notes:
                await self.record(review_events.ReviewTold, notes=len(review.notes))

    async def pause(self, by: str) -> None:
        """Lets the running call end, and starts no other."""
        async with self._pausing:
            self._must_be_live()
            if not self.state.paused:
                await self.record(events.SessionPaused, by=by)
                self._unpaused.clear()

    async def resume(self, by: str) -> None:
        """Goes on after a pause or an interruption."""
        async with self._pausing:
            self._must_be_live()
            if self.state.paused or self.state.interrupted:
                await self.record(events.SessionResumed, by=by)
            self._unpaused.set()
            self._go_on()

    def _go_on(self) -> None:
        self._halted = False
        self._wake.set()

    async def stop(self, by: str) -> None:
        """Ends the running turn and every process of the session; the session and its changes stay."""
        async with self._ending:
            self._must_be_live()
            if self.is_held:
                raise UserError(f"Session {self.id} is being merged or discarded.", "Wait until that has ended.")
            self._stopping = True
            try:
                await self.record(events.SessionStopped, by=by)
                if self._playing is not None:
                    self._playing.cancel()
                    await asyncio.wait([self._playing])
                await self.end_processes()
                await self._close_turn("stopped", "Stopped.")
            finally:
                self._stopping = False
            # What was said before the stop waits for the person's next word, and begins at no moment of its own.
            self._halted = bool(self.state.queued)
            self._kept.clear()
            if self.state.paused or self.state.interrupted:
                await self.record(events.SessionResumed, by=by)
            self._unpaused.set()

    async def end_processes(self) -> None:
        """Ends every process of the session, and waits until their ends are recorded."""
        if self.workspace is not None:
            await self.workspace.stop_all()
        if self._beside:
            await asyncio.wait(self._beside)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps the session from working while it is merged or discarded.

        Raises:
            UserError: It works, or somebody else holds it.
        """
        self._must_be_live()
        if self.is_held:
            raise UserError(f"Session {self.id} is being merged or discarded.", "Wait until that has ended.")
        if self.state.turn is not None or self._beginning:
            raise UserError("The agent is still working.", "Wait for its turn to end, or stop it first.")
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False
            self._wake.set()

    def _must_be_live(self) -> None:
        if not self.state.is_live:
            raise UserError(f"Session {self.id} has ended ({self.state.status}).", "Start a new session.")

    # --- the loop ----------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Takes prompts in turn until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (prompt := self._next_prompt()) is not None:
                await self._take(prompt)

    async def _take(self, prompt: state.Prompt) -> None:
        """Plays one turn in a task of its own, which a person can stop."""
        self._beginning = True
        try:
            async with asyncio.TaskGroup() as group:
                self._playing = group.create_task(self._play_or_halt(prompt))
                ahead = group.create_task(self.place.runner.ahead())
                self._playing.add_done_callback(lambda _: ahead.cancel())
        finally:
            self._playing = None
            self._beginning = False

    async def _play_or_halt(self, prompt: state.Prompt) -> None:
        """Plays one turn; where not even its failure can be recorded, the session halts until a person resumes it."""
        try:
            await self._play(prompt)
        except Exception as error:  # noqa: BLE001 - the session's edge, as in `_play`
            self._halted = True
            LOG.error("session %s halts; its log cannot be written: %s", self.id, error)  # noqa: TRY400 - no trace helps

    def _next_prompt(self) -> state.Prompt | None:
        now = self.state
        if self._agent is None or not now.is_live or self._stopping or self._halted or self.is_held:
            return None
        if now.interrupted or now.paused or now.merging is not None:
            return None
        if now.turn is not None:
            return state.Prompt(now.turn_prompt, "")
        return now.queued[0] if now.queued else None

    async def _play(self, prompt: state.Prompt) -> None:
        assert self._agent is not None  # noqa: S101 - a prompt was given only to an equipped session
        try:
            self._halted = True
            if not await trial.is_over(self, self.place):
                return
            self._halted = False
            if self.state.turn is None:
                await checkpoints.before_turn(self, self.place)
                turn = ids.TurnId(self._world.new_id())
                await self.record(events.TurnStarted, turn=turn, prompt=prompt.text, by=prompt.by)
            self._beginning = False
            await self._finish_open_calls()
            await self.gate.settle(None)
            summary = await self._agent.turn(
                prompt.text, desk.Desk(self, self._world.store, self._world.stream), tuple(self._history.values())
            )
            await self._close_turn("done", summary)
            if self.state.review.notes and self.state.is_live:
                # What was rejected while the agent worked is told at the end of its turn.
                await self._queue("", "the review")
        except AgentosError as error:
            await self._fail("turn", error)
        except Exception as error:  # the session's edge: one session's failure does not reach another
            LOG.exception("session %s failed in its turn", self.id)
            await self._fail("turn", error)

    async def _finish_open_calls(self) -> None:
        """Goes on with the calls that an interruption left open, before the agent does."""
        for call in [call for call in self.state.calls.values() if call.turn == self.state.turn]:
            if call.step in {"unknown", "running"} and await self._was_not_committed(call):
                await self._carry_out(call.call, call.request)
            elif call.step in {"unknown", "running"} and call.call not in self._history:
                told = "The runtime ended while this ran, so its outcome is unknown. Look before you do it again."
                await self._withdraw(call, told)
            elif call.step in {"requested", "waiting", "approved"}:
                await self._carry_out(call.call, call.request)

    async def _was_not_committed(self, call: state.Call) -> bool:
        """Whether a call is a commit that certainly was not made: the branch stands where it did."""
        if not isinstance(call.request, tools.CommitCall) or self.workspace is None or call.call in self._history:
            return False
        return await self.workspace.tip() == self.state.head

    async def _withdraw(self, call: state.Call, told: str, why: journal.Why = "withdrawn") -> None:
        await self.record(events.ToolCallRefused, call=call.call, why=why, message=told)
        self._history[call.call] = agents.Exchange(call.request, agents.ToolResult(ok=False, text=told, call=call.call))

    async def _fail(self, where: str, error: Exception) -> None:
        message = str(error) if isinstance(error, AgentosError) else f"An internal error: {type(error).__name__}."
        hint = error.hint if isinstance(error, UserError | ProviderError) else "Prompt it again, or discard it."
        await self.record(events.FailureRecorded, where=where, message=message, hint=hint)
        await self._close_turn("failed", message)

    async def _close_turn(self, reason: str, summary: str) -> None:
        self._world.stream(self.id, "")
        for name in list(self.state.questions):
            await self.record(events.ApprovalWithdrawn, approval=name, reason=f"The turn ended ({reason}).")
            waiter = self._answers.pop(name, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        for call in [call for call in self.state.calls.values() if call.turn == self.state.turn]:
            if call.is_open and call.step != "background":
                await self._withdraw(
                    call, "The turn was stopped by a person." if reason == "stopped" else "The turn ended."
                )
            elif call.call not in self._history and (exchange := history.exchange(call)) is not None:
                self._history[call.call] = exchange
        if self.state.turn is not None:
            await self.record(events.TurnFinished, turn=self.state.turn, reason=reason, summary=summary)

    # --- what the agent can do ---------------------------------------------------------------------------------

    async def call(self, request: tools.ToolRequest) -> agents.ToolResult:
        """Carries out a tool call of the agent; see `agents.Tools`."""
        await self._unpaused.wait()
        turn = self.state.turn
        if turn is None or self._stopping:
            raise UserError("No turn is under way.", "Prompt the session first.")
        call = ids.CallId(self._world.new_id())
        await self.record(events.ToolCallRequested, call=call, turn=turn, request=request)
        return await self._carry_out(call, request)

    async def _carry_out(self, call: ids.CallId, request: tools.ToolRequest) -> agents.ToolResult:
        try:
            result = await self.gate.call(call, request)
        except (AgentosError, pydantic.ValidationError) as error:
            message = str(error)
            await self.record(events.ToolCallRefused, call=call, why="invalid", message=message)
            result = agents.ToolResult(ok=False, text=message)
        result = replace(result, call=call)
        self._history[call] = agents.Exchange(request, result)
        return result

    async def take_queued(self) -> int:
        """Hands what the person said meanwhile to the turn that is under way; see `agents.Tools.heard`."""
        async with self._writing:
            queued, turn = self.state.queued, self.state.turn
            for prompt in queued if turn is not None and not self._stopping else ():
                fields = {"turn": turn, "prompt": prompt.text, "by": prompt.by}
                await self._append(model_events.TurnSteered, durable=True, fields=fields)
            return len(queued) - len(self.state.queued)

    async def say(self, text: str) -> None:
        """Tells the person something; see `agents.Tools`."""
        if self.state.turn is not None:
            await self.record(events.AgentMessage, turn=self.state.turn, text=text)

    async def recover(self, log: Sequence[events.AnyEvent]) -> None:
        """Brings a session that a former runtime left behind to where a person can go on with it.

        What ran is unknown from now on; what waited is asked again, and so is what was approved but never started.
        What a person rejected stays rejected.
        """
        before = self.state
        if before.turn is None and not any(call.is_open for call in before.calls.values()):
            return
        during = "a command" if any(call.step == "running" for call in before.calls.values()) else "a turn"
        await self.record(events.SessionInterrupted, durable=True, during=during)
        decided = {one.approval: one for one in log if isinstance(one, events.ApprovalDecided)}
        for call in list(self.state.calls.values()):
            if call.step == "waiting" and call.approval is not None:
                question = self.state.questions.get(call.approval)
                if question is None:
                    rejection = journal.rejection(decided[call.approval].comment if call.approval in decided else "")
                    await self._withdraw(call, rejection, "rejected")
                    continue
                await self.record(
                    events.ApprovalWithdrawn, approval=call.approval, reason="Asked again after a restart."
                )
                await self._put_question(call.call, question.line, question.cwd, question.prefix)
            elif call.step == "approved" and isinstance(call.request, tools.RunCall | tools.StartCall):
                await self._put_question(call.call, call.request.line, call.request.cwd, call.prefix)
