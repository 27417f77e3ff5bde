"""Commits past the tool: what an agent's own git put on its branch is found, inspected, and kept or set aside.

Looked for when a command ends, before a commit of the gate, and when a turn begins. What the policy would refuse or
ask about is not lost: it is kept under `refs/agentos/…`, the branch goes back to where the gate left it, and no file of
the worktree is touched; the agent is told to commit with its tool, by which a person can be asked and checks can run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy, policy_events
from agentos_lsp.domain.inspection import inspect
from agentos_lsp.runtime import checks, commit_call

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CallId, CommitId
    from agentos_lsp.effects.git.past import Made
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Workspace

TRIES = 5
"""How often a branch that moves while it is looked at is looked at again."""


async def settle(journal: Journal, workspace: Workspace, rules: policy.Policy, call: CallId | None) -> str:
    """Deals with what is on the session's branch and did not come from the gate; the caller holds the branch's lock.

    Args:
        journal: The session.
        workspace: Its doors.
        rules: The policy in force.
        call: The call after which it was found, None for none.

    Returns:
        What the agent should know, in words; empty if there was nothing.
    """
    told: list[str] = []
    for _ in range(TRIES):
        tip, head = await workspace.branch.tip(), journal.state.head
        if tip is None or tip == head:
            break
        made = await workspace.branch.since(journal.state.base_commit, tip)
        findings, files = await inspected(journal, workspace, rules, made)
        if made is not None and not policy.is_refused(findings) and not policy.needs_review(findings):
            await keep_replaced(journal, workspace, made)
            told.append(await record_found(journal, call, tip, made, findings, files))
        else:
            told.append(await record_aside(journal, workspace, call, tip, findings))
            await workspace.branch.put_back(tip, head)
    return " ".join(told)


async def inspected(
    journal: Journal,
    workspace: Workspace,
    rules: policy.Policy,
    made: tuple[Made, ...] | None,
    git_dir: str = "",
) -> tuple[tuple[policy.Finding, ...], tuple[str, ...]]:
    """Inspects every commit that is not known; returns what was found, and the paths of all.

    Args:
        journal: The session.
        workspace: Its doors.
        rules: The policy in force.
        made: The commits, the oldest first; None if they do not lead from where the session began.
        git_dir: Where they are, if they are not in the repository yet.
    """
    if made is None:
        message = "The session's branch no longer leads from where the session began, or by too many commits."
        return (policy.Finding("policy.history", "refuse", "", None, message),), ()
    known, found, paths = set(journal.state.commits), dict[policy.Finding, None](), dict[str, None]()
    steps: list[tuple[CommitId, CommitId, str | None]] = []
    for one in made:
        if one.unfit:
            message = f"The commit {one.commit[:10]} cannot be kept: {one.unfit}."
            found[policy.Finding("policy.history", "refuse", "", None, message)] = None
        elif one.parent is not None and one.commit not in known:
            steps.append((one.parent, one.commit, one.message))
    if steps:
        # A commit is compared with its first parent, which its author chooses; what changes in the end, nobody does.
        whole = (journal.state.head, made[-1].commit)
        steps += [(*whole, None)] if whole not in {(older, newer) for older, newer, _ in steps} else []
    for older, newer, said in steps:
        files = await workspace.change_between(older, newer, git_dir)
        told = await asyncio.to_thread(inspect.inspect, files, rules, message=said, waived=journal.state.waived)
        found.update(dict.fromkeys(told))
        paths.update(dict.fromkeys(path for file in files for path in file.paths))
    needed = checks.due(rules, tuple(paths)) if paths else ()
    for check in needed:
        message = f"The check {check.name} ({check.run}) must pass first; it runs for commits of the commit tool only."
        found[policy.Finding("policy.check", rules.actions["check"], "", None, message)] = None
    return tuple(found), tuple(paths)


async def keep_replaced(journal: Journal, workspace: Workspace, made: tuple[Made, ...]) -> None:
    """Keeps what an amended or rebased commit replaced; such a commit is the agent's right."""
    commits = {one.commit for one in made}
    if any(one not in commits for one in journal.state.commits):
        await workspace.branch.keep("replaced", journal.state.head)


async def record_found(
    journal: Journal,
    call: CallId | None,
    tip: CommitId,
    made: tuple[Made, ...],
    findings: tuple[policy.Finding, ...],
    files: tuple[str, ...],
) -> str:
    """Records that commits belong to the session from now on; returns what the agent is told."""
    await journal.record(
        policy_events.CommitsFound,
        durable=True,
        call=call,
        head=tip,
        commits=tuple(one.commit for one in made),
        files=files,
        findings=commit_call.records(findings),
    )
    return f"Found {len(made)} commit(s) on the session's branch, inspected and kept; it is at {tip[:10]}."


async def record_aside(
    journal: Journal,
    workspace: Workspace,
    call: CallId | None,
    tip: CommitId,
    findings: tuple[policy.Finding, ...],
) -> str:
    """Keeps commits that are not let on the branch, which the caller puts back; returns what the agent is told."""
    head = journal.state.head
    ref = await workspace.branch.keep("refused", tip)
    stopping = [one for one in findings if one.action != "note"]
    why = "\n".join(f"- {one.message}" for one in stopping)
    message = (
        f"What git committed here past the commit tool was set aside as {ref}:\n{why}\n"
        f"The branch is back at {head[:10]}; your files are as they were. Mend this, and use the commit tool."
    )
    # The intent is on the disk before the branch moves; after a crash between the two, it is found and set aside again.
    await journal.record(
        policy_events.CommitsSetAside,
        durable=True,
        call=call,
        ref=ref,
        tip=tip,
        head=head,
        findings=commit_call.records(findings),
        message=message,
    )
    return message
