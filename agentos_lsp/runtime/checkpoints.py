"""A session's checkpoints: taken before every turn and when a person asks, compared, and restored in a way to undo.

Number 0 is the session's beginning, which always exists; a checkpoint is only made where something differs from the
last one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff as diffs
from agentos_lsp.domain import events, state, tree_events
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.effects.git import checkpoints
from agentos_lsp.runtime import uncut

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Restored:
    """How a restore ended: the checkpoint that undoes it, how many files are back, which stayed as they were."""

    undo: int
    files: int
    kept: tuple[str, ...]


async def before_turn(journal: Journal, workspace: Workspace) -> None:
    """Takes a checkpoint; a turn begins all the same where that fails, and the page says so."""
    try:
        await take(journal, workspace, "turn", "")
    except AgentosError as error:
        hint = "The turn goes on; what it changes can be undone only as far back as the last checkpoint."
        await journal.record(events.FailureRecorded, where="checkpoint", message=str(error), hint=hint)


async def take(journal: Journal, workspace: Workspace, occasion: tree_events.Occasion, note: str) -> int:
    """Takes a checkpoint of the worktree as it is now.

    Returns:
        Its number, that of the last one if nothing has changed since.

    Raises:
        EffectError: git or the disk failed.
    """
    async with workspace.checkpointing:
        return await uncut.finish(_take(journal, workspace, occasion, note))


async def _take(journal: Journal, workspace: Workspace, occasion: tree_events.Occasion, note: str) -> int:
    known = journal.state.checkpoints
    number = known[-1].number if known else 0
    git, name = workspace.git, checkpoints.reference(workspace.session, number + 1)
    title = f"Checkpoint {number + 1} of {workspace.session}"
    message = f"{title}\n\n{note.strip()}" if note.strip() else title

    def keep() -> checkpoints.Checkpoint | None:
        who = git.identity(workspace.checkout)
        before = commit_of(journal.state, number)
        made = git.take_checkpoint(workspace.worktree, before, name, message, who, workspace.now())
        if made is not None and number >= state.KEPT_CHECKPOINTS:
            old = number + 1 - state.KEPT_CHECKPOINTS
            git.prune(workspace.worktree.common_dir, workspace.session, [old])
        return made

    made = await asyncio.to_thread(keep)
    if made is None:
        return number
    await journal.record(
        tree_events.CheckpointMade,
        durable=True,
        number=number + 1,
        commit=made.commit,
        occasion=occasion,
        note=note.strip(),
        files=made.files,
        skipped=made.skipped,
    )
    return number + 1


async def restore(journal: Journal, workspace: Workspace, number: int, by: str) -> Restored:
    """Brings the worktree's files back to a checkpoint; what they replace becomes a checkpoint of its own first.

    The session's branch stays where it is: its commits are not undone. The caller keeps the agent from working.

    Raises:
        UserError: There is no such checkpoint.
        EffectError: git or the disk failed.
    """
    target = commit_of(journal.state, number)
    undo = await take(journal, workspace, "restore", f"Before restoring checkpoint {number}")
    now = commit_of(journal.state, undo)

    async def carry_out() -> Restored:
        await journal.record(tree_events.CheckpointRestoreAttempted, durable=True, number=number, undo=undo, by=by)
        done = await exchange(workspace, now, target)
        await journal.record(
            tree_events.CheckpointRestored, durable=True, number=number, undo=undo, files=done.files, kept=done.kept
        )
        return Restored(undo, done.files, done.kept)

    return await uncut.finish(carry_out())


async def exchange(workspace: Workspace, now: str, target: str) -> checkpoints.Restored:
    """Replaces the worktree's files, which are those of `now`, by those of `target`, and nobody is taken for a writer.

    Raises:
        EffectError: git or the disk failed.
    """
    git, worktree = workspace.git, workspace.worktree
    paths = await asyncio.to_thread(git.paths_between, worktree.common_dir, now, target)
    return await workspace.change.touching(lambda: git.restore(worktree, now, target), *paths)


async def diff(journal: Journal, workspace: Workspace, older: int, newer: int | None) -> str:
    """Returns what differs between two checkpoints, or between one and the worktree as it is now, as a patch.

    Raises:
        UserError: There is no such checkpoint.
        EffectError: git or the disk failed.
    """
    before = commit_of(journal.state, older)
    if newer is None:
        found = await asyncio.to_thread(workspace.git.changes, workspace.worktree, before)
    else:
        after = commit_of(journal.state, newer)
        found = await asyncio.to_thread(workspace.git.between, workspace.worktree.common_dir, before, after)
    return diffs.unified(found)


def commit_of(now: state.SessionState, number: int) -> CommitId:
    """Returns the commit that keeps a checkpoint.

    Raises:
        UserError: There is none of that number.
    """
    if number == 0:
        return now.base_commit
    for known in now.checkpoints:
        if known.number == number:
            return known.commit
    if not now.checkpoints:
        raise UserError(
            f"There is no checkpoint {number}.", "The session has none yet but its beginning, which has the number 0."
        )
    first, last = now.checkpoints[0].number, now.checkpoints[-1].number
    raise UserError(f"There is no checkpoint {number}.", f"There are {first} to {last}, and 0 for the beginning.")


async def keep_removed(journal: Journal, workspace: Workspace) -> None:
    """Keeps what a discard is about to remove.

    Raises:
        EffectError: It cannot be kept, so nothing may be removed.
    """
    tip = await workspace.tip() or workspace.base_commit
    name = f"{checkpoints.REMOVED}{workspace.session}"

    def keep() -> checkpoints.Kept:
        who = workspace.git.identity(workspace.checkout)
        return workspace.git.keep_removed(workspace.worktree, tip, name, who, workspace.now())

    kept = await asyncio.to_thread(keep)
    await journal.record(
        tree_events.SessionKept, durable=True, reference=name, commit=kept.commit, skipped=kept.skipped
    )


async def prune(now: state.SessionState, workspace: Workspace) -> None:
    """Lets go of all checkpoints of a session that has ended."""
    last = now.checkpoints[-1].number + 1 if now.checkpoints else 1
    # One more than is known: its reference may have been made just before a crash.
    numbers = range(max(1, last - state.KEPT_CHECKPOINTS), last + 1)
    await asyncio.to_thread(workspace.git.prune, workspace.worktree.common_dir, workspace.session, numbers)
