"""What a former runtime left behind, brought to where a person can go on with it. Nothing unmerged is removed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain import events
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects.agents import nobody
from agentos_lsp.runtime import committing, ending, readying, trial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from agentos_lsp.domain import orphan
    from agentos_lsp.effects.git.worktrees import Worktree
    from agentos_lsp.runtime.doors import Doors
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

LOG = logging.getLogger(__name__)

Next = Literal["leave", "remove", "equip"]
"""What is left to do: nothing, remove the worktree of a session that has ended, or let it work again."""

MERGE_CUT_OFF = (
    "agentos-lsp ended during the merge, before the branch moved. Files of the checkout may already be as merged, which"
    " `git status` shows; merge again to complete it."
)


async def recover(one: Session, log: Sequence[events.AnyEvent], reopen: Callable[[], Awaitable[Workspace]]) -> Next:
    """Settles everything that has a beginning only.

    Args:
        one: The session, whose lock this runtime holds.
        log: Its events.
        reopen: Finds its place on disk.

    Raises:
        EffectError: The log, git or the disk failed.
    """
    now = one.state
    try:
        workspace = await reopen()
        if now.worktree is None:
            await workspace.remove_half_made()
    except AgentosError as error:
        await _without_place(one, log, error)
        return "leave"
    if now.worktree is None:
        message = "agentos-lsp ended while the worktree was being created; nothing was lost."
        await one.record(events.FailureRecorded, where="start", message=message, hint="Start the session again.")
        return "leave"
    one.workspace = workspace
    await workspace.clear_remains()
    await readying.surround(workspace)
    if now.ended or (now.merging is not None and await ending.settle_merge(one, MERGE_CUT_OFF)):
        return "remove"
    if not await workspace.is_there():
        if now.discarding:
            await one.record(events.SessionDiscarded, durable=True)
            return "remove"
        message = f"The worktree {now.worktree.folder} is gone. Its commits are still on {now.worktree.branch}."
        await one.record(
            events.FailureRecorded, where="worktree", message=message, hint="Merge what was committed, or discard."
        )
    else:
        await trial.is_over(one, workspace)
    await ending.settle_commit(one)
    await committing.settle(one, workspace)
    await one.recover(log)
    return "equip"


async def adopt(
    one: Session, known: orphan.Orphan, worktree: Worktree, state_folder: Path, by: str, doors: Doors
) -> None:
    """Begins the log of a session that has a worktree already; nothing in the worktree is touched.

    Args:
        one: The session, whose lock this runtime holds.
        known: What was found.
        worktree: Its place on disk.
        state_folder: Where the session's scratch folder goes.
        by: Who asks.
        doors: Git and the disk.

    Raises:
        UserError: Its repository cannot be worked in.
        EffectError: The log, git or the disk failed.
    """
    checkout = await asyncio.to_thread(doors.git.probe, known.repository)
    scratch = state_folder / "scratch" / known.session
    await asyncio.to_thread(doors.disk.make_folder, scratch)
    await one.record(
        events.SessionAdopted,
        durable=True,
        task=f"Recovered: {known.session}",
        agent=nobody.NAME,
        repository=checkout.root,
        base_branch=checkout.branch,
        base_commit=worktree.base,
        folder=worktree.folder,
        admin=worktree.admin_dir,
        branch=worktree.branch,
        scratch=str(scratch),
        by=by,
    )


async def _without_place(one: Session, log: Sequence[events.AnyEvent], error: AgentosError) -> None:
    """Shows a session whose repository cannot be opened: nothing is removed."""
    if not one.state.is_live:
        LOG.warning("what session %s left behind could not be removed: %s", one.id, error)
        return
    await one.recover(log)
    hint = "Bring the repository back and start the editor again."
    await one.record(events.FailureRecorded, where="start", message=str(error), hint=hint)
