"""The one gate: every command, write, edit, delete, move and commit passes through `Gate.call`.

Understand, judge, ask, record, act, record. A refusal is a result that the agent can act on, never an exception.
The only place that makes a `Cleared`.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain import approval, events, network, policy, tools
from agentos_lsp.domain.command import allowlist, classify, verdict
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects import agents
from agentos_lsp.runtime import checks, commit_call, file_calls, taking_in, uncut, way_out
from agentos_lsp.runtime import journal as journals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.runtime.commands import Finished
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Workspace

TOLD_OUTPUT = 16_000
"""How many characters of a command's output an agent is told; the whole is a document."""

DEFAULT_TIMEOUT = timedelta(minutes=10)
MAX_TIMEOUT = timedelta(hours=2)


class Gate:
    """Carries out the tool calls of one session.

    Args:
        journal: Where intent and outcome are recorded.
        workspace: The session's doors to files, git and processes.
        rules: The workspace policy in force for the session.
    """

    def __init__(self, journal: Journal, workspace: Workspace, rules: policy.Policy) -> None:
        self._journal = journal
        self._workspace = workspace
        self._rules = rules

    async def call(self, call: CallId, request: tools.ToolRequest) -> agents.ToolResult:
        """Carries out one tool call that is already recorded as requested."""
        match request:
            case tools.RunCall():
                return await self._run(call, request)
            case tools.StartCall():
                return await self._start(call, request)
            case tools.OutputCall():
                return await self._background_output(call, request)
            case tools.StopCall():
                return await self._stop(call, request)
            case tools.ReadCall():
                return await file_calls.read(self._journal, self._workspace, call, request)
            case tools.WriteCall() | tools.EditCall() | tools.DeleteCall() | tools.MoveCall():
                # A turn may be stopped at any moment; the change and its record stay together.
                return await uncut.finish(file_calls.change(self._journal, self._workspace, call, request))
            case tools.CommitCall():
                told = await self.settle(call)
                done = await commit_call.commit(self._journal, self._workspace, self._rules, call, request, self._clear)
                return _with(done, told)
            case _:
                assert_never(request)

    async def settle(self, call: CallId | None) -> str:
        """Deals with commits that did not come through here; returns what the agent should know of them."""
        return await taking_in.settle(self._journal, self._workspace, self._rules, call)

    async def prove(
        self, call: CallId, proposed: checks.Proposed, vouch: checks.Vouch
    ) -> tuple[policy.Finding, ...] | agents.ToolResult:
        """Runs the checks that what a merge would leave needs; the worktree holds it. See `checks.run`."""
        return await checks.run(
            checks.Doors(self._journal, self._workspace, self._rules, self._clear), call, proposed, vouch
        )

    async def check(self, line: str, cwd: str = "") -> verdict.Assessment:
        """Judges a line as if this session asked for it; nothing is recorded and nothing runs."""
        folder = await self._workspace.folder(cwd)
        where = folder if isinstance(folder, str) else self._workspace.root
        return await self._assess(line, where)

    async def _run(self, call: CallId, request: tools.RunCall) -> agents.ToolResult:
        clearance = await self._clear(call, request.line, request.cwd)
        if isinstance(clearance, agents.ToolResult):
            return clearance
        cleared = clearance.cleared
        timeout = DEFAULT_TIMEOUT if request.timeout_s is None else timedelta(seconds=request.timeout_s)
        granted = await self._granted(call, clearance)
        try:
            await self._started(cleared, None)
            finished = await self._workspace.runner.run(
                cleared,
                limit=min(timeout, MAX_TIMEOUT),
                on_output=lambda text: self._journal.record(events.CommandOutput, call=call, text=text),
                granted=granted,
            )
        except asyncio.CancelledError:
            await self._cut_off(call)
            raise
        finally:
            granted.end()
        await uncut.finish(self._finished(call, finished))
        done = agents.ToolResult(ok=finished.exit_code == 0, text=clearance.comment + _tell(finished))
        return _with(done, await self.settle(call))

    async def _start(self, call: CallId, request: tools.StartCall) -> agents.ToolResult:
        if request.name in self._workspace.runner.background:
            message = f"A process named {request.name} is already running."
            return await journals.refuse(
                self._journal, call, "invalid", message, f"Use `stop {request.name}` first, or another name."
            )
        clearance = await self._clear(call, request.line, request.cwd)
        if isinstance(clearance, agents.ToolResult):
            return clearance
        granted = await self._granted(call, clearance)
        try:
            await self._started(clearance.cleared, request.name)
            report = await self._workspace.runner.start(
                clearance.cleared,
                request.name,
                on_end=lambda finished: self._finished(call, finished),
                granted=granted,
            )
        except BaseException as error:
            granted.end()
            if isinstance(error, asyncio.CancelledError):
                await self._cut_off(call)
            raise
        self._journal.beside(report)
        return agents.ToolResult(
            ok=True,
            text=f"{clearance.comment}{request.name} is running; `output {request.name}` shows what it prints.",
        )

    async def _background_output(self, call: CallId, request: tools.OutputCall) -> agents.ToolResult:
        text = self._workspace.runner.background_output(request.name)
        if text is None:
            return await journals.refuse(
                self._journal, call, "invalid", *_no_process(request.name, self._workspace.runner.background)
            )
        await self._journal.record(events.FileRead, call=call, path=f"output of {request.name}", size_bytes=len(text))
        return agents.ToolResult(ok=True, text=text[-TOLD_OUTPUT:])

    async def _stop(self, call: CallId, request: tools.StopCall) -> agents.ToolResult:
        if request.name not in self._workspace.runner.background:
            return await journals.refuse(
                self._journal, call, "invalid", *_no_process(request.name, self._workspace.runner.background)
            )
        await self._journal.record(
            events.CommandStarted, call=call, line=f"stop {request.name}", cwd="", cleared_by="own"
        )
        await self._workspace.runner.stop(request.name)
        await self._journal.record(
            events.CommandFinished,
            call=call,
            exit_code=0,
            signal=None,
            ended_by="itself",
            duration_s=0.0,
            output=None,
            output_bytes=0,
        )
        return agents.ToolResult(ok=True, text=f"{request.name} was stopped, with everything that it had started.")

    async def _clear(
        self, call: CallId, line: str, cwd: str, vouched_by: str = ""
    ) -> journals.Clearance | agents.ToolResult:
        """Takes a line to its verdict, and to a person where one must decide and nobody has vouched for it."""
        folder = await self._workspace.folder(cwd)
        if not isinstance(folder, str):
            return await file_calls.refuse(self._journal, call, cwd, "read", folder)
        assessment = await self._judge(call, line, folder)
        comment = ""
        tier = assessment.verdict
        asked = self._journal.is_asked(call)
        if tier is verdict.Verdict.ALLOWED and asked:
            # A question that was put is for a person to answer, whatever the allowlist says by now.
            tier = verdict.Verdict.REVIEWED
        match tier:
            case verdict.Verdict.BLOCKED:
                return await journals.refuse(self._journal, call, "blocked", *_explain_block(assessment))
            case verdict.Verdict.ALLOWED:
                cleared_by = "allowlist"
            case verdict.Verdict.REVIEWED if vouched_by and not asked:
                cleared_by = vouched_by
            case verdict.Verdict.REVIEWED:
                answered = await self._put_to_person(call, line, cwd, assessment.prefix)
                if isinstance(answered, agents.ToolResult):
                    return answered
                folder, given = answered
                cleared_by = f"approval {given.approval}"
                comment = f"A person approved this and says: {given.comment}\n" if given.comment else ""
            case _:
                assert_never(tier)
        # Invariant: this is the only maker of a Cleared, and the line is byte for byte the one that was judged.
        reaches = await self._reaches_network(line, folder, cleared_by)
        return journals.Clearance(approval.Cleared(call, line, folder, cleared_by), comment, reaches)

    async def _put_to_person(
        self, call: CallId, line: str, cwd: str, prefix: tuple[str, ...] | None
    ) -> tuple[str, approval.Answer] | agents.ToolResult:
        """Asks a person; returns where the line may start with their approval, or what the agent is told."""
        given = await self._journal.ask(call, line, cwd, prefix)
        if given is None:
            return await journals.refuse(
                self._journal, call, "withdrawn", "The request was withdrawn before a person decided."
            )
        if given.outcome == "rejected":
            return await journals.refuse(self._journal, call, "rejected", journals.rejection(given.comment))
        folder = await self._workspace.folder(cwd)
        if not isinstance(folder, str):
            return await file_calls.refuse(self._journal, call, cwd, "read", folder)
        # Invariant: the block list has the last word; what a line leads to may have changed while it waited.
        if (await self._assess(line, folder)).verdict is verdict.Verdict.BLOCKED:
            again = await self._judge(call, line, folder)
            return await journals.refuse(self._journal, call, "blocked", *_explain_block(again))
        await self._extend(given, line, folder, prefix)
        return folder, given

    async def _judge(self, call: CallId, line: str, folder: str) -> verdict.Assessment:
        assessment = await self._assess(line, folder)
        await self._journal.record(
            events.CommandClassified,
            call=call,
            line=line,
            verdict=assessment.verdict.word,
            reasons=tuple(_reason(reason) for reason in assessment.reasons),
            parts=tuple(_part(part) for part in assessment.parts),
            prefix=assessment.prefix,
        )
        return assessment

    async def _assess(self, line: str, folder: str) -> verdict.Assessment:
        state, where = self._journal.state, self._workspace.relative(folder)
        entries: tuple[allowlist.Entry, ...] = (
            *self._rules.allow,
            *state.prefixes,
            *(allowlist.ExactLine(line) for line, cwd in sorted(state.lines) if cwd == where),
        )
        known = allowlist.Allowlist(entries)
        surroundings = await self._workspace.surroundings(folder, self._rules.protected_branches)
        first = classify.classify(line, surroundings, known)
        links = await self._workspace.links(first, surroundings)
        if links == dict(surroundings.links):
            return first
        return classify.classify(line, self._workspace.with_links(surroundings, links), known)

    async def _reaches_network(self, line: str, folder: str, cleared_by: str) -> bool:
        """Tells whether a person who approved a line, or what lets it through, was told that it reaches the network.

        An entry of a policy is no approval; and one for a part of a line gives the network to none of the other parts.
        """
        state, where = self._journal.state, self._workspace.relative(folder)
        surroundings = await self._workspace.surroundings(folder, self._rules.protected_branches)
        bare = classify.classify(line, surroundings, allowlist.Allowlist(()))
        if cleared_by.startswith("approval ") or (cleared_by == "allowlist" and (line, where) in state.lines):
            return network.is_included(bare)
        approved = classify.classify(line, surroundings, allowlist.Allowlist(state.prefixes))
        if cleared_by != "allowlist" or approved.verdict is not verdict.Verdict.ALLOWED:
            return False
        asked = [part for part in bare.parts if part.verdict is not verdict.Verdict.ALLOWED]
        return bool(asked) and all(network.RULE in {reason.rule for reason in part.reasons} for part in asked)

    async def _granted(self, call: CallId, clearance: journals.Clearance) -> way_out.Granted:
        """Grants a command what was cleared of the network."""
        if not clearance.network:
            return way_out.Granted()
        return await self._workspace.runner.way_out.grant(self._journal, call, self._rules.confinement.network)

    async def _extend(self, given: approval.Answer, line: str, folder: str, prefix: tuple[str, ...] | None) -> None:
        match given.scope:
            case "once":
                return
            case "line":
                cwd = self._workspace.relative(folder)
                await self._journal.record(
                    events.AllowlistExtended, durable=True, approval=given.approval, line=line, cwd=cwd
                )
            case "prefix":
                await self._journal.record(
                    events.AllowlistExtended, durable=True, approval=given.approval, prefix=prefix
                )
            case "folder":
                cwd = self._workspace.relative(folder)
                await self._journal.record(
                    events.AllowlistExtended, durable=True, approval=given.approval, prefix=prefix, cwd=cwd
                )
            case _:
                assert_never(given.scope)

    async def _started(self, cleared: approval.Cleared, background: str | None) -> None:
        await self._journal.record(
            events.CommandStarted,
            durable=True,
            call=cleared.call,
            line=cleared.line,
            cwd=self._workspace.relative(cleared.cwd),
            cleared_by=cleared.by,
            background=background,
        )

    async def _cut_off(self, call: CallId) -> None:
        """Records the end of a command that was ended together with its turn."""
        # A failure here must not take the place of the cancellation; the call is then closed with its turn.
        with contextlib.suppress(AgentosError):
            await self._journal.record(
                events.CommandFinished,
                call=call,
                exit_code=None,
                signal=None,
                ended_by="stop" if self._journal.stopping else "shutdown",
                duration_s=0.0,
                output=None,
                output_bytes=0,
            )

    async def _finished(self, call: CallId, finished: Finished) -> None:
        ended_by = "stop" if finished.ended_by == "shutdown" and self._journal.stopping else finished.ended_by
        await self._journal.record(
            events.CommandFinished,
            call=call,
            exit_code=finished.exit_code,
            signal=finished.signal,
            ended_by=ended_by,
            duration_s=round(finished.duration.total_seconds(), 3),
            output=finished.output,
            output_bytes=finished.output_bytes,
            truncated=finished.truncated,
        )


def _with(done: agents.ToolResult, told: str) -> agents.ToolResult:
    """Returns a result with something more that the agent should know."""
    return agents.ToolResult(ok=done.ok, text=f"{done.text}\n{told}") if told else done


def _tell(finished: Finished) -> str:
    """Says how a command ended, and what it printed, in words for an agent."""
    match finished.ended_by:
        case "itself":
            how = f"exit code {finished.exit_code}" if finished.signal is None else f"ended by signal {finished.signal}"
        case "time limit":
            how = f"ended at its time limit after {finished.duration.total_seconds():.0f} s"
        case "disk limit":
            how = "ended: the session's files take more of the disk than they may; remove what you do not need"
        case "stop" | "shutdown":
            how = "stopped by a person"
        case _:
            assert_never(finished.ended_by)
    text = finished.tail
    if len(text) > TOLD_OUTPUT or finished.output_bytes > len(text.encode("utf-8", "replace")):
        half = TOLD_OUTPUT // 2
        text = f"{finished.start[:half]}\n… {finished.output_bytes} bytes in all …\n{text[-half:]}"
    return f"[{how}]\n{text}"


def _explain_block(assessment: verdict.Assessment) -> tuple[str, str]:
    blocking = [reason for reason in assessment.reasons if reason.verdict is verdict.Verdict.BLOCKED]
    message = "Blocked: " + " ".join(dict.fromkeys(reason.text for reason in blocking))
    instead = " ".join(dict.fromkeys(reason.instead for reason in blocking if reason.instead))
    return message, instead


def _no_process(name: str, running: Mapping[str, object]) -> tuple[str, str]:
    names = ", ".join(sorted(running))
    hint = f"Running: {names}." if names else "Nothing runs in the background; `start` a command under a name first."
    return f"This session has no process named {name}.", hint


def _reason(reason: verdict.Reason) -> events.ReasonRecord:
    return events.ReasonRecord(
        rule=reason.rule, verdict=_word(reason.verdict), text=reason.text, instead=reason.instead
    )


def _part(part: verdict.Part) -> events.PartRecord:
    return events.PartRecord(
        text=part.text,
        words=part.words,
        verdict=_word(part.verdict),
        reasons=tuple(_reason(reason) for reason in part.reasons),
    )


def _word(tier: verdict.Verdict) -> events.VerdictWord:
    match tier:
        case verdict.Verdict.ALLOWED:
            return "allowed"
        case verdict.Verdict.REVIEWED:
            return "reviewed"
        case verdict.Verdict.BLOCKED:
            return "blocked"
        case _:
            assert_never(tier)
