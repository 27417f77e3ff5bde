"""A person's commit of what stands in a session's worktree: after hunks were rejected, or files were edited by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain import events, policy, review_events
from agentos_lsp.domain.errors import UserError
from agentos_lsp.domain.inspection import inspect
from agentos_lsp.runtime import commit_call, taking_in, trial, uncut

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Staged, Workspace


@dataclass(frozen=True, slots=True)
class Committed:
    """The session's branch is at `commit` now, which changed `files`."""

    commit: CommitId
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotCommitted:
    """Nothing was changed: the policy refuses what was found, or the person has not seen yet what it asks about."""

    kind: Literal["refused", "unconfirmed"]
    findings: tuple[policy.Finding, ...]


async def commit(session: Session, message: str, by: str, *, confirmed: bool) -> Committed | NotCommitted:
    """Commits all that is not committed; the caller holds the session. Required checks run when it is merged.

    Args:
        session: Whose worktree.
        message: What the commit says; empty for the task's first line.
        by: Who asks.
        confirmed: Whether they have seen what the policy wants to be asked about.

    Raises:
        UserError: There is nothing to commit, or the session has no worktree.
    """
    workspace = session.place
    await trial.put_back(session, workspace)
    await settle(session, workspace)
    await taking_in.settle_own(session, workspace, session.rules)
    staged = await workspace.stage(None)
    if not staged.files:
        raise UserError("There is nothing to commit.", "All that the session changed is committed, or was taken back.")
    said = message.strip() or session.state.task.strip().splitlines()[0][:72].strip()
    findings = await asyncio.to_thread(
        inspect.inspect, staged.files, session.rules, message=said, waived=session.state.waived
    )
    records, shown = commit_call.records(findings), {one.digest for one in session.state.findings}
    await session.record(events.DiffInspected, call=None, files=len(staged.files), findings=records)
    if policy.is_refused(findings):
        return NotCommitted("refused", findings)
    # Nobody confirms what was not among the findings before: it is shown now.
    if any(one.action == "review" and not (confirmed and one.digest in shown) for one in findings):
        return NotCommitted("unconfirmed", findings)
    return await uncut.finish(_make(session, workspace, staged, said, by))


async def _make(session: Session, workspace: Workspace, staged: Staged, message: str, by: str) -> Committed:
    paths = tuple(file.path for file in staged.files)
    async with workspace.branch.lock:
        await session.record(
            review_events.ReviewCommitAttempted,
            durable=True,
            tree=staged.tree,
            parent=staged.staged.parent,
            message=message,
            files=paths,
            by=by,
        )
        made = await workspace.commit(staged, message)
        await _record(session, made)
    return Committed(made, paths)


async def settle(session: Session, workspace: Workspace) -> None:
    """Records a commit of a person's that was made, and whose record was cut off."""
    begun = session.state.committing
    tip = await workspace.branch.tip() if begun is not None else None
    if begun is None or tip is None or tip == begun.parent or session.state.head != begun.parent:
        return
    made = await workspace.branch.since(begun.parent, tip)
    if made is None or len(made) != 1 or not made[0].message.startswith(begun.message):
        return
    common = workspace.checkout.common_dir
    if not await asyncio.to_thread(workspace.git.paths_between, common, begun.tree, tip):
        await _record(session, tip)


async def _record(session: Session, made: CommitId) -> None:
    begun = session.state.committing
    assert begun is not None  # noqa: S101 - its beginning is recorded always
    await session.record(
        review_events.ReviewCommitted,
        durable=True,
        commit=made,
        message=begun.message,
        files=begun.files,
        by=begun.by,
    )
