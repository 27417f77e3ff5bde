"""The tool call that commits: stage, inspect, run checks, ask where the policy wants it, commit exactly that."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

from agentos_lsp.domain import events, policy, tools
from agentos_lsp.domain.inspection import inspect
from agentos_lsp.effects import agents
from agentos_lsp.runtime import checks, uncut
from agentos_lsp.runtime import journal as journals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Staged, Workspace


async def commit(
    journal: Journal,
    workspace: Workspace,
    rules: policy.Policy,
    call: CallId,
    request: tools.CommitCall,
    clear: checks.Clear,
) -> agents.ToolResult:
    """Commits what the inspector lets through; asks a person where the policy wants one.

    Args:
        journal: The session.
        workspace: Its doors.
        rules: The policy in force.
        call: The call.
        request: What the agent asks for.
        clear: The gate's own way for a line that a check wants to run.
    """
    staged = await workspace.stage(request.paths)
    await journal.record(events.CommitAttempted, call=call, message=request.message, files=len(staged.files))
    if not staged.files:
        return await journals.refuse(journal, call, "invalid", "There is nothing to commit.", "Change a file first.")
    if not request.message.strip():
        return await journals.refuse(
            journal, call, "invalid", "A commit needs a message.", "Say what changed, and why."
        )
    findings = await asyncio.to_thread(
        inspect.inspect, staged.files, rules, message=request.message, waived=journal.state.waived
    )
    await _record(journal, call, staged, findings)
    if not policy.is_refused(findings):
        told = await checks.run(checks.Doors(journal, workspace, rules, clear), call, staged)
        if isinstance(told, agents.ToolResult):
            return told
        if told:
            findings = (*told, *findings)
            await _record(journal, call, staged, findings)
    if policy.is_refused(findings):
        message = "The commit was refused:\n" + "\n".join(f"- {found.message}" for found in findings)
        await journal.record(events.CommitRefused, call=call, findings=records(findings), message=message)
        return agents.ToolResult(ok=False, text=f"{message}\nMend these and commit again; your changes are kept.")
    if policy.needs_review(findings):
        # The tree's name makes the question about this very content: another one is asked about anew.
        line = f"git commit -m {shlex.quote(request.message)}  # tree {staged.tree[:12]}"
        given = await journal.ask(call, line, "", None)
        if given is None or given.outcome == "rejected":
            why = "The commit was withdrawn." if given is None else journals.rejection(given.comment)
            await journal.record(events.CommitRefused, call=call, findings=records(findings), message=why)
            return agents.ToolResult(ok=False, text=why)
    return await uncut.finish(_make(journal, workspace, call, request.message, staged))


async def _record(journal: Journal, call: CallId, staged: Staged, findings: Iterable[policy.Finding]) -> None:
    await journal.record(events.DiffInspected, call=call, files=len(staged.files), findings=records(findings))


async def _make(
    journal: Journal, workspace: Workspace, call: CallId, message: str, staged: Staged
) -> agents.ToolResult:
    paths = tuple(file.path for file in staged.files)
    async with workspace.branch.lock:
        commit = await workspace.commit(staged, message)
        await journal.record(events.CommitMade, durable=True, call=call, commit=commit, message=message, files=paths)
    return agents.ToolResult(ok=True, text=f"Committed {len(paths)} file(s) as {commit[:10]}.")


def records(findings: Iterable[policy.Finding]) -> tuple[events.FindingRecord, ...]:
    """Returns findings as events keep them."""
    return tuple(
        events.FindingRecord(
            rule=found.rule,
            action=found.action,
            path=found.path,
            line=found.line,
            message=found.message,
            digest=found.digest,
        )
        for found in findings
    )
