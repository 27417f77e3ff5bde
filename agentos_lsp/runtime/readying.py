"""A fresh worktree made ready to work in: ignored files that it needs, a block of ports, and where the rest is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentos_lsp.domain import events, tree_events
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from agentos_lsp.domain.policy import Policy
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Workspace

TOLD = 100
"""How many paths are recorded."""


async def ready(journal: Journal, workspace: Workspace, rules: Policy) -> None:
    """Copies what is asked for, before the agent's first turn; where that fails the session goes on, and says so.

    Args:
        journal: The session's.
        workspace: Its worktree, which no agent has been in.
        rules: Whose patterns count, beside those of `.worktreeinclude`.
    """
    await surround(workspace)
    try:
        done = await asyncio.to_thread(workspace.git.include, workspace.checkout, workspace.worktree, rules.include)
    except AgentosError as error:
        hint = "Copy what is missing into the worktree by hand."
        await journal.record(events.FailureRecorded, where="readiness", message=str(error), hint=hint)
        return
    if done.copied or done.left:
        await journal.record(tree_events.WorktreeReadied, copied=done.copied[:TOLD], left=done.left[:TOLD])


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
