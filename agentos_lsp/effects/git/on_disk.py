"""Git on the disk, with the functions of this folder behind one door; the demo has another behind the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.effects.git import (
    agents_git,
    changes,
    checkpoints,
    cloning,
    commits,
    filling,
    held,
    including,
    live,
    merges,
    orphans,
    past,
    repository,
    settling,
    spares,
    trash,
    worktrees,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree


class OnDisk:
    """See `Git`.

    Args:
        helpers: Runs scripts of ours that copy files; see `filling.Means`.
        program: Runs the git program; see there.
    """

    def __init__(self, helpers: filling.Helpers | None = None, program: filling.Program | None = None) -> None:
        self._helpers = helpers
        self._program = program

    probe = staticmethod(repository.probe)
    resolve = staticmethod(repository.resolve)
    identity = staticmethod(repository.identity)
    common_ancestor = staticmethod(repository.common_ancestor)
    hooks_folder = staticmethod(repository.hooks_folder)
    remove_worktree = staticmethod(worktrees.remove)
    empty_trash = staticmethod(trash.empty)
    base_text = staticmethod(changes.base_text)
    between = staticmethod(changes.between)
    paths_between = staticmethod(changes.paths_between)
    changed_paths = staticmethod(changes.changed_paths)
    for_folder = staticmethod(changes.for_folder)
    held = staticmethod(held.among)
    tracked = staticmethod(live.Tracked)
    stage_tree = staticmethod(commits.stage_tree)
    commit = staticmethod(commits.commit)
    advance = staticmethod(commits.advance)
    agents_git = staticmethod(agents_git.OnDisk)
    unmerged = staticmethod(orphans.unmerged)
    remove_orphan = staticmethod(orphans.remove)
    merged_commit = staticmethod(settling.merged_commit)
    merge = staticmethod(merges.merge)
    preview = staticmethod(merges.preview)
    hindrance = staticmethod(merges.hindrance)
    undo = staticmethod(merges.undo)
    keep_branch = staticmethod(merges.keep_branch)
    drop_branch = staticmethod(merges.drop_branch)
    include = staticmethod(including.include)
    clone_folders = staticmethod(cloning.clone)
    branch_tip = staticmethod(past.branch_tip)
    since = staticmethod(past.since)
    keep = staticmethod(past.keep)
    put_back = staticmethod(past.put_back)
    take_checkpoint = staticmethod(checkpoints.take)
    keep_removed = staticmethod(checkpoints.keep_removed)
    restore = staticmethod(checkpoints.restore)
    prune = staticmethod(checkpoints.prune)
    # Last, since their names hide the modules.
    changes = staticmethod(changes.changes)
    orphans = staticmethod(orphans.orphans)

    def create_worktree(
        self,
        checkout: Checkout,
        folder: str,
        branch: str,
        commit: CommitId,
        *,
        lock_reason: str,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
        shelf: str,
    ) -> Worktree | None:
        """Makes a worktree; see `worktrees.create`."""
        return worktrees.create(
            checkout,
            folder,
            branch,
            commit,
            lock_reason=lock_reason,
            progress=progress,
            cancelled=cancelled,
            means=filling.Means(helpers=self._helpers, shelf=shelf, program=self._program),
        )

    def restock(self, checkout: Checkout, shelf: str, count: int, nice: int, cancelled: Callable[[], bool]) -> bool:
        """Makes a spare unless there are enough; see `spares.make`."""
        means = filling.Means(helpers=self._helpers, nice=nice, shelf=shelf)
        return spares.make(checkout, means, count=count, cancelled=cancelled)
