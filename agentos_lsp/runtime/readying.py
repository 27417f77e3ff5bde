"""A fresh worktree made ready to work in: ignored files that it needs, a block of ports, and where the rest is."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from agentos_lsp.domain import conventions, events, tree_events
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.domain.policy import Policy
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

TOLD = 100
"""How many paths are recorded."""


async def ready(journal: Journal, workspace: Workspace, rules: Policy, cancelled: Callable[[], bool]) -> None:
    """Copies what is asked for, before the agent's first turn; where that fails the session goes on, and says so.

    Args:
        journal: The session's.
        workspace: Its worktree, which no agent has been in.
        rules: Whose patterns count, beside those of `.worktreeinclude`.
        cancelled: Asked while heavy folders are cloned.
    """
    await surround(workspace)
    checkout, worktree, git = workspace.checkout, workspace.worktree, workspace.git
    copied: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    try:
        included = await asyncio.to_thread(git.include, checkout, worktree, rules.include)
        copied, left = included.copied, included.left
        if rules.links:
            cloned = await asyncio.to_thread(git.clone_folders, checkout, worktree, rules.links, cancelled)
            copied, left = (*copied, *cloned.made), (*left, *cloned.left)
        offered = () if rules.setup else await asyncio.to_thread(conventions.offers, partial(_base_text, workspace))
    except AgentosError as error:
        hint = "Copy what is missing into the worktree by hand."
        await journal.record(events.FailureRecorded, where="readiness", message=str(error), hint=hint)
        return
    if copied or left or offered:
        await journal.record(
            tree_events.WorktreeReadied,
            copied=copied[:TOLD],
            left=left[:TOLD],
            offered=tuple(tree_events.OfferRecord(file=one.file, lines=one.lines) for one in offered),
        )


async def begin(session: Session, task: str, by: str, cancelled: Callable[[], bool]) -> None:
    """Gives a session its task, unless its start is no longer wanted: then it waits for the person's next word."""
    if not cancelled():
        await session.prompt(task, by)


async def begin_again(session: Session, workspace: Workspace, log: Sequence[events.AnyEvent]) -> None:
    """Makes a worktree ready whose session a crash cut off before its first turn, and gives it its task."""
    await ready(session, workspace, session.rules, lambda: False)
    await session.prompt(session.state.task, next(one.by for one in log if isinstance(one, events.SessionStarted)))


def _base_text(workspace: Workspace, path: str) -> bytes | None:
    return workspace.git.base_text(workspace.common_dir, workspace.base_commit, path)


async def surround(workspace: Workspace) -> None:
    """Tells the session's commands where they are, and which ports are theirs."""
    names = {
        "AGENTOS_SESSION": workspace.session,
        "AGENTOS_WORKTREE": workspace.root,
        "AGENTOS_MAIN_CHECKOUT": workspace.checkout.root,
    }
    port = await asyncio.to_thread(workspace.ports.take, workspace.state_folder, workspace.session)
    if port is not None:
        names.update(AGENTOS_PORT=str(port), AGENTOS_PORT_COUNT=str(workspace.ports.BLOCK))
    workspace.runner.surround(names)
