"""Commits in the session's private git directory: read, inspected, and only then taken onto its branch.

What speaks against them is judged as for all commits past the tool (see `past`); what is set aside, or cannot be read,
leaves the agent's own git where the session's branch is, with every file as it was.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy, policy_events
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects.git.foreign_packs import UnfitError
from agentos_lsp.runtime import commit_call, past, uncut

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CallId, CommitId
    from agentos_lsp.effects.git.intake import Incoming
    from agentos_lsp.effects.git.private import Position
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Workspace


async def settle(journal: Journal, workspace: Workspace, rules: policy.Policy, call: CallId | None) -> str:
    """Deals with all that was committed and did not come from the gate.

    Args:
        journal: The session.
        workspace: Its doors.
        rules: The policy in force.
        call: The call after which it was found, None for none.

    Returns:
        What the agent should know, in words; empty if there was nothing.
    """
    async with workspace.branch.lock:
        return await uncut.finish(_settle(journal, workspace, rules, call))


async def _settle(journal: Journal, workspace: Workspace, rules: policy.Policy, call: CallId | None) -> str:
    before = own = ""
    try:
        before = await past.settle(journal, workspace, rules, call)
        own = await _take_in(journal, workspace, rules, call)
    except AgentosError as error:
        # What the agent left there must not fail its call, which is done; it is looked at again at the next one.
        own = f"Your commits were not taken in yet: {error}"
    return " ".join(one for one in (before, own) if one)


async def settle_own(journal: Journal, workspace: Workspace, rules: policy.Policy) -> None:
    """Deals with what the agent's own git committed and nobody has looked at yet, before its session ends."""
    async with workspace.branch.lock:
        # Whatever is wrong with what is there does not keep a session from ending.
        with contextlib.suppress(AgentosError):
            await uncut.finish(_take_in(journal, workspace, rules, None))


async def _take_in(journal: Journal, workspace: Workspace, rules: policy.Policy, call: CallId | None) -> str:
    found, head = await workspace.agents_git.look(), journal.state.head
    if found is None:
        return ""
    if found.tip is None:
        return _once(workspace, _no_branch(workspace, found))
    told = _once(workspace, _elsewhere(workspace, found))
    if found.tip == head:
        if found.agreed != head:
            await workspace.agents_git.agree(head)
        return told
    if found.tip == found.agreed:
        # The session's branch was moved by the gate or by the person; a crash, or they, left the agent's behind.
        await workspace.agents_git.follow(found.tip, head)
        return told
    try:
        incoming = await workspace.agents_git.fetch(found.tip)
    except UnfitError as error:
        return await _refuse(journal, workspace, call, found.tip, error.reason)
    try:
        return " ".join(one for one in (await _judge(journal, workspace, rules, call, incoming, found), told) if one)
    finally:
        await workspace.agents_git.drop(incoming)


async def _judge(
    journal: Journal,
    workspace: Workspace,
    rules: policy.Policy,
    call: CallId | None,
    incoming: Incoming,
    found: Position,
) -> str:
    head, base = journal.state.head, journal.state.base_commit
    made = await workspace.branch.since(base, incoming.tip, incoming.git_dir)
    findings, files = await past.inspected(journal, workspace, rules, made, incoming.git_dir)
    known = {one.commit for one in made or ()}
    if head not in {found.agreed, base, *known} and not policy.is_refused(findings):
        message = f"The session's branch moved on to {head[:10]}, which these commits do not hold: rebase onto it."
        findings = (*findings, policy.Finding("policy.history", "refuse", "", None, message))
    if made is None or policy.is_refused(findings) or policy.needs_review(findings):
        await workspace.agents_git.take_in(incoming)
        told = await past.record_aside(journal, workspace, call, incoming.tip, findings)
        await workspace.agents_git.put_back(incoming.tip, head)
        return told
    await workspace.agents_git.take_in(incoming)
    await past.keep_replaced(journal, workspace, made)
    await workspace.agents_git.advance(head, incoming.tip)
    told = await past.record_found(journal, call, incoming.tip, made, findings, files)
    await workspace.agents_git.agree(incoming.tip)
    return told


async def _refuse(journal: Journal, workspace: Workspace, call: CallId | None, tip: CommitId, reason: str) -> str:
    """Takes nothing of what cannot be read; it stays where it is, in the agent's own git."""
    head = journal.state.head
    message = (
        f"What git committed here was not taken in, for {reason}. It stays in your own git as {tip[:10]}; your branch "
        f"is back at {head[:10]}, and your files are as they were. Commit them again, or use the commit tool."
    )
    found = policy.Finding("policy.history", "refuse", "", None, reason)
    await journal.record(
        policy_events.CommitsSetAside,
        durable=True,
        call=call,
        ref="",
        tip=tip,
        head=head,
        findings=commit_call.records((found,)),
        message=message,
    )
    await workspace.agents_git.put_back(tip, head)
    return message


def _no_branch(workspace: Workspace, found: Position) -> str:
    branch = workspace.worktree.branch
    if found.branch is None:
        mend = (
            f"`git symbolic-ref HEAD refs/heads/{branch}` may mend it; after a stop of the session there is a new one"
        )
        return f"Your git directory cannot be read: its HEAD is broken. {mend}."
    return f"Your git has no branch {branch} any more, and only what is on it counts: `git branch -m {branch}`."


def _elsewhere(workspace: Workspace, found: Position) -> str:
    branch = workspace.worktree.branch
    if found.branch == branch:
        return ""
    on = "no branch" if found.branch is None else f"the branch {found.branch}"
    return f"Your git is on {on}. Only what is on {branch} belongs to the session: switch to it and merge what counts."


def _once(workspace: Workspace, words: str) -> str:
    """Returns what is to be said of the agent's branch, empty if it was said already."""
    if words == workspace.agents_git.told:
        return ""
    workspace.agents_git.told = words
    return words
