"""A worktree that has the files of a merge for as long as checks run on them gets its own back before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain import events, tree_events
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.runtime import checkpoints

if TYPE_CHECKING:
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Workspace


async def put_back(journal: Journal, workspace: Workspace) -> None:
    """Gives the worktree its own files back, if it has others for a trial; what was changed meanwhile stays.

    Raises:
        EffectError: git or the disk failed; the session has the others still, and must not go on.
    """
    trial = journal.state.trial
    if trial is not None:
        done = await checkpoints.exchange(workspace, trial.tree, trial.commit)
        await journal.record(tree_events.MergeTrialEnded, durable=True, kept=done.kept)


async def is_over(journal: Journal, workspace: Workspace) -> bool:
    """Makes sure that the worktree has its own files; where that fails it is recorded, and nothing may work in it."""
    try:
        await put_back(journal, workspace)
    except AgentosError as error:
        message = f"The worktree still has the files of a merge that was tried: {error}"
        hint = "Mend this (a full disk?), then resume the session."
        await journal.record(events.FailureRecorded, where="worktree", message=message, hint=hint)
        return False
    return True
