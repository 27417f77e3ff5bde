"""The one gate: every command, write, edit, delete, move and commit passes through `Gate.call`.

Understand, judge, ask, record, act, record. A refusal is a result that the agent can act on, never an exception.
The only place that makes a `Cleared`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, assert_never

from agentos_lsp.domain import approval, events, policy, tools
from agentos_lsp.domain.command import allowlist, classify, verdict
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects import agents
from agentos_lsp.runtime import uncut

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.runtime.commands import Finished
    from agentos_lsp.runtime.workspace import Refused, Staged, Workspace

TOLD_OUTPUT = 16_000
"""How many characters of a command's output an agent is told; the whole is a document."""

DEFAULT_TIMEOUT = timedelta(minutes=10)
MAX_TIMEOUT = timedelta(hours=2)

FileOperation = Literal["read", "write", "edit", "delete", "move"]


class Journal(Protocol):
    """The session as the gate sees it: its log, its state, and the person behind it."""

    @property
    def state(self) -> SessionState:
        """The fold of everything recorded so far."""

    async def record(self, kind: type[events.Event], *, durable: bool = False, **fields: object) -> None:
        """Appends one event."""

    async def ask(self, call: CallId, line: str, cwd: str, prefix: tuple[str, ...] | None) -> approval.Answer | None:
        """Waits for a person's answer, however long; None if the question was withdrawn."""

    def is_asked(self, call: CallId) -> bool:
        """Whether a person was asked about this call and has the word."""

    @property
    def stopping(self) -> bool:
        """Whether a person is ending the turn, and not the runtime."""

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs work beside the turn, until the runtime ends."""


@dataclass(frozen=True, slots=True)
class _Clearance:
    """What may start, and what the person who approved it wants the agent to know; empty if nothing."""

    cleared: approval.Cleared
    comment: str


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
                return await self._read(call, request)
            case tools.WriteCall() | tools.EditCall() | tools.DeleteCall() | tools.MoveCall():
                # A turn may be stopped at any moment; the change and its record stay together.
                return await uncut.finish(self._change_file(call, request))
            case tools.CommitCall():
                return await self._commit(call, request)
            case _:
                assert_never(request)

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
        await self._started(cleared, None)
        try:
            finished = await self._workspace.runner.run(
                cleared,
                limit=min(timeout, MAX_TIMEOUT),
                on_output=lambda text: self._journal.record(events.CommandOutput, call=call, text=text),
            )
        except asyncio.CancelledError:
            await self._cut_off(call)
            raise
        await uncut.finish(self._finished(call, finished))
        return agents.ToolResult(ok=finished.exit_code == 0, text=clearance.comment + _tell(finished))

    async def _start(self, call: CallId, request: tools.StartCall) -> agents.ToolResult:
        if request.name in self._workspace.runner.background:
            message = f"A process named {request.name} is already running."
            return await self._refuse(call, "invalid", message, f"Use `stop {request.name}` first, or another name.")
        clearance = await self._clear(call, request.line, request.cwd)
        if isinstance(clearance, agents.ToolResult):
            return clearance
        await self._started(clearance.cleared, request.name)
        try:
            report = await self._workspace.runner.start(
                clearance.cleared, request.name, on_end=lambda finished: self._finished(call, finished)
            )
        except asyncio.CancelledError:
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
            return await self._refuse(call, "invalid", *_no_process(request.name, self._workspace.runner.background))
        await self._journal.record(events.FileRead, call=call, path=f"output of {request.name}", size_bytes=len(text))
        return agents.ToolResult(ok=True, text=text[-TOLD_OUTPUT:])

    async def _stop(self, call: CallId, request: tools.StopCall) -> agents.ToolResult:
        if request.name not in self._workspace.runner.background:
            return await self._refuse(call, "invalid", *_no_process(request.name, self._workspace.runner.background))
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

    async def _clear(self, call: CallId, line: str, cwd: str) -> _Clearance | agents.ToolResult:
        """Takes a line to its verdict, and to a person where one must decide."""
        folder = await self._workspace.folder(cwd)
        if not isinstance(folder, str):
            return await self._refuse_path(call, cwd, "read", folder)
        assessment = await self._judge(call, line, folder)
        comment = ""
        tier = assessment.verdict
        if tier is verdict.Verdict.ALLOWED and self._journal.is_asked(call):
            # A question that was put is for a person to answer, whatever the allowlist says by now.
            tier = verdict.Verdict.REVIEWED
        match tier:
            case verdict.Verdict.BLOCKED:
                return await self._refuse(call, "blocked", *_explain_block(assessment))
            case verdict.Verdict.ALLOWED:
                cleared_by = "allowlist"
            case verdict.Verdict.REVIEWED:
                given = await self._journal.ask(call, line, cwd, assessment.prefix)
                if given is None:
                    return await self._refuse(call, "withdrawn", "The request was withdrawn before a person decided.")
                if given.outcome == "rejected":
                    return await self._refuse(call, "rejected", rejection(given.comment))
                folder = await self._workspace.folder(cwd)
                if not isinstance(folder, str):
                    return await self._refuse_path(call, cwd, "read", folder)
                # Invariant: the block list has the last word; what a line leads to may have changed while it waited.
                if (await self._assess(line, folder)).verdict is verdict.Verdict.BLOCKED:
                    again = await self._judge(call, line, folder)
                    return await self._refuse(call, "blocked", *_explain_block(again))
                await self._extend(given, line, folder, assessment.prefix)
                cleared_by = f"approval {given.approval}"
                comment = f"A person approved this and says: {given.comment}\n" if given.comment else ""
            case _:
                assert_never(tier)
        # Invariant: this is the only maker of a Cleared, and the line is byte for byte the one that was judged.
        return _Clearance(approval.Cleared(call, line, folder, cleared_by), comment)

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
            *(allowlist.TokenPrefix(tokens) for tokens in (*self._rules.allow, *state.prefixes)),
            *(allowlist.ExactLine(line) for line, cwd in sorted(state.lines) if cwd == where),
        )
        known = allowlist.Allowlist(entries)
        surroundings = await self._workspace.surroundings(folder, self._rules.protected_branches)
        first = classify.classify(line, surroundings, known)
        links = await self._workspace.links(first, surroundings)
        if links == dict(surroundings.links):
            return first
        return classify.classify(line, self._workspace.with_links(surroundings, links), known)

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

    async def _read(self, call: CallId, request: tools.ReadCall) -> agents.ToolResult:
        content = await self._workspace.read(request.path)
        if not isinstance(content, tuple):
            return await self._refuse_path(call, request.path, "read", content)
        text, size = content
        await self._journal.record(events.FileRead, call=call, path=request.path, size_bytes=size)
        return agents.ToolResult(ok=True, text=text)

    async def _change_file(
        self, call: CallId, request: tools.WriteCall | tools.EditCall | tools.DeleteCall | tools.MoveCall
    ) -> agents.ToolResult:
        before = await self._workspace.keep(request.path)
        await self._journal.record(
            events.FileWriteAttempted, call=call, path=request.path, operation=request.kind, before=before
        )
        match request:
            case tools.WriteCall():
                outcome = await self._workspace.write(request.path, request.text)
                told = f"Wrote {request.path}."
            case tools.EditCall():
                outcome = await self._workspace.edit(request.path, request.old, request.new)
                told = f"Edited {request.path}."
            case tools.DeleteCall():
                outcome = await self._workspace.delete(request.path, recursive=request.recursive)
                told = f"Deleted {request.path}."
            case tools.MoveCall():
                outcome = await self._workspace.move(request.path, request.to)
                told = f"Moved {request.path} to {request.to}."
            case _:
                assert_never(request)
        if outcome is not None and not isinstance(outcome, int):
            return await self._refuse_path(call, request.path, request.kind, outcome)
        to = request.to if isinstance(request, tools.MoveCall) else None
        await self._journal.record(
            events.FileWritten, call=call, path=request.path, operation=request.kind, to=to, size_bytes=outcome
        )
        return agents.ToolResult(ok=True, text=told)

    async def _commit(self, call: CallId, request: tools.CommitCall) -> agents.ToolResult:
        staged = await self._workspace.stage(request.paths)
        await self._journal.record(events.CommitAttempted, call=call, message=request.message, files=len(staged.files))
        if not staged.files:
            return await self._refuse(call, "invalid", "There is nothing to commit.", "Change a file first.")
        if not request.message.strip():
            return await self._refuse(call, "invalid", "A commit needs a message.", "Say what changed, and why.")
        findings = policy.inspect(staged.files, self._rules)
        records = tuple(finding_record(found) for found in findings)
        await self._journal.record(events.DiffInspected, call=call, files=len(staged.files), findings=records)
        if policy.is_refused(findings):
            message = "The commit was refused:\n" + "\n".join(f"- {found.message}" for found in findings)
            await self._journal.record(events.CommitRefused, call=call, findings=records, message=message)
            return agents.ToolResult(ok=False, text=f"{message}\nMend these and commit again; your changes are kept.")
        if policy.needs_review(findings):
            # The tree's name makes the question about this very content: another one is asked about anew.
            line = f"git commit -m {shlex.quote(request.message)}  # tree {staged.tree[:12]}"
            given = await self._journal.ask(call, line, "", None)
            if given is None or given.outcome == "rejected":
                why = "The commit was withdrawn." if given is None else rejection(given.comment)
                await self._journal.record(events.CommitRefused, call=call, findings=records, message=why)
                return agents.ToolResult(ok=False, text=why)
        return await uncut.finish(self._make_commit(call, request.message, staged))

    async def _make_commit(self, call: CallId, message: str, staged: Staged) -> agents.ToolResult:
        commit = await self._workspace.commit(staged, message)
        paths = tuple(file.path for file in staged.files)
        await self._journal.record(
            events.CommitMade, durable=True, call=call, commit=commit, message=message, files=paths
        )
        return agents.ToolResult(ok=True, text=f"Committed {len(paths)} file(s) as {commit[:10]}.")

    async def _refuse_path(
        self, call: CallId, path: str, operation: FileOperation, refused: Refused
    ) -> agents.ToolResult:
        await self._journal.record(
            events.FileRefused,
            call=call,
            path=path,
            operation=operation,
            reason=refused.reason,
            message=refused.message,
        )
        return agents.ToolResult(ok=False, text=refused.message)

    async def _refuse(
        self,
        call: CallId,
        why: Literal["blocked", "rejected", "invalid", "withdrawn"],
        message: str,
        instead: str = "",
    ) -> agents.ToolResult:
        await self._journal.record(events.ToolCallRefused, call=call, why=why, message=message, instead=instead)
        return agents.ToolResult(ok=False, text=f"{message} {instead}".strip())


def _tell(finished: Finished) -> str:
    """Says how a command ended, and what it printed, in words for an agent."""
    match finished.ended_by:
        case "itself":
            how = f"exit code {finished.exit_code}" if finished.signal is None else f"ended by signal {finished.signal}"
        case "time limit":
            how = f"ended at its time limit after {finished.duration.total_seconds():.0f} s"
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


def rejection(comment: str) -> str:
    """Says to an agent that a person said no, and what they added."""
    return f"A person rejected this: {comment}" if comment else "A person rejected this."


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


def finding_record(found: policy.Finding) -> events.FindingRecord:
    """Returns a finding as events keep it."""
    return events.FindingRecord(
        rule=found.rule, action=found.action, path=found.path, line=found.line, message=found.message
    )
