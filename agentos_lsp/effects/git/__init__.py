"""The door to git: worktrees, changes, commits and merges, all in this process; the only place for pygit2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from datetime import datetime

    from agentos_lsp.domain import diff
    from agentos_lsp.domain.ids import CommitId, SessionId
    from agentos_lsp.effects.git import checkpoints, cloning, including, intake, live, merges, past, private, updating
    from agentos_lsp.effects.git.commits import Staged
    from agentos_lsp.effects.git.orphans import Orphan, Unmerged
    from agentos_lsp.effects.git.repository import Checkout, Identity
    from agentos_lsp.effects.git.worktrees import Worktree


class Tracked(Protocol):
    """A worktree's change against a commit, kept current; see `live.Tracked`."""

    def touch(self, *paths: str) -> None:
        """Says that files or folders may have changed."""

    def distrust(self) -> None:
        """Says that anything may have changed."""

    def is_interesting(self, folder: str) -> bool:
        """Whether what is written in a folder can be part of the change."""

    def current(self) -> live.Current:
        """Brings the change up to date; the same value as before if nothing has changed."""


class AgentsGit(Protocol):
    """The git directory in which an agent's own git works under confinement; see `private` and `intake`."""

    @property
    def is_there(self) -> bool:
        """Whether it was made."""

    def make(self, worktree: Worktree, checkout: Checkout) -> str:
        """Makes it if it is not there, and returns its folder."""

    def remove(self) -> None:
        """Removes it; nothing happens if it is gone."""

    def clear_remains(self, worktree: Worktree) -> None:
        """See `private.clear_remains`."""

    def look(self, worktree: Worktree) -> private.Position:
        """See `private.look`."""

    def agree(self, commit: CommitId) -> None:
        """See `private.agree`."""

    def put_back(self, worktree: Worktree, tip: CommitId, to: CommitId) -> None:
        """See `private.put_back`."""

    def held(self, worktree: Worktree, at: CommitId) -> AbstractContextManager[private.Hold]:
        """See `private.held`."""

    def fetch(self, worktree: Worktree, tip: CommitId) -> intake.Incoming:
        """See `intake.fetch`."""

    def take_in(self, worktree: Worktree, incoming: intake.Incoming) -> None:
        """See `intake.take_in`."""

    def drop(self, incoming: intake.Incoming) -> None:
        """See `intake.drop`."""


class Git(Protocol):
    """Git as sessions use it, on the disk (`on_disk.OnDisk`) or in memory; plain functions for threads.

    Each method is described where the module of the same words has it.
    """

    def probe(self, path: str) -> Checkout:
        """See `repository.probe`."""

    def resolve(self, checkout: Checkout, branch: str) -> CommitId | None:
        """See `repository.resolve`."""

    def identity(self, checkout: Checkout) -> Identity:
        """See `repository.identity`."""

    def common_ancestor(self, checkout: Checkout, one: CommitId, other: CommitId) -> CommitId | None:
        """See `repository.common_ancestor`."""

    def hooks_folder(self, common_dir: str) -> str:
        """See `repository.hooks_folder`."""

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
        """See `worktrees.create`; spares are on the shelf."""

    def remove_worktree(self, worktree: Worktree, *, delete_branch: bool) -> None:
        """See `worktrees.remove`."""

    def empty_trash(self, folder: str) -> int:
        """See `trash.empty`."""

    def restock(self, checkout: Checkout, shelf: str, count: int, nice: int, cancelled: Callable[[], bool]) -> bool:
        """See `spares.make`."""

    def base_text(self, common_dir: str, commit: CommitId, path: str) -> bytes | None:
        """See `changes.base_text`."""

    def between(self, common_dir: str, old: str, new: str) -> tuple[diff.FileChange, ...]:
        """See `changes.between`."""

    def paths_between(self, common_dir: str, old: str, new: str) -> tuple[str, ...]:
        """See `changes.paths_between`."""

    def changes(self, worktree: Worktree, base: CommitId) -> tuple[diff.FileChange, ...]:
        """See `changes.changes`."""

    def changed_paths(self, worktree: Worktree, base: CommitId) -> tuple[str, ...]:
        """See `changes.changed_paths`."""

    def for_folder(self, common_dir: str, folder: str, path: str, data: bytes) -> bytes:
        """See `changes.for_folder`."""

    def held(
        self, worktree: Worktree, paths: Iterable[str], commits: Iterable[str], git_dir: str = ""
    ) -> dict[str, str]:
        """See `held.among`."""

    def tracked(self, worktree: Worktree, base: CommitId) -> Tracked:
        """See `live.Tracked`."""

    def stage_tree(self, worktree: Worktree, paths: Sequence[str] | None, known: Sequence[str] | None = None) -> Staged:
        """See `commits.stage_tree`."""

    def commit(
        self,
        worktree: Worktree,
        staged: Staged,
        message: str,
        author: Identity,
        trailers: Mapping[str, str],
        at: datetime,
    ) -> CommitId:
        """See `commits.commit`."""

    def advance(self, worktree: Worktree, old: CommitId, new: CommitId, why: str) -> None:
        """See `commits.advance`."""

    def agents_git(self, folder: str) -> AgentsGit:
        """Returns a session's private git directory, there or not."""

    def unmerged(self, worktree: Worktree, into: str | None) -> Unmerged:
        """See `orphans.unmerged`."""

    def orphans(self, state_folder: str, checkout: Checkout, live: AbstractSet[SessionId]) -> tuple[Orphan, ...]:
        """See `orphans.orphans`."""

    def remove_orphan(self, orphan: Orphan, common_dir: str) -> None:
        """See `orphans.remove`."""

    def merged_commit(
        self, checkout: Checkout, into: str, before: CommitId, source: CommitId, mark: str, *, rebased: bool = False
    ) -> CommitId | None:
        """See `settling.merged_commit`."""

    def merge(  # noqa: PLR0913 - what is merged, how, by whom, and who watches
        self,
        checkout: Checkout,
        session_branch: str,
        into: str,
        strategy: merges.Strategy,
        message: str,
        author: Identity,
        at: datetime,
        *,
        protected_paths: frozenset[str],
        watch: updating.Watch,
        proven: str | None = None,
        inspected: CommitId | None = None,
    ) -> merges.Merged | merges.Refused | merges.Conflicted:
        """See `merges.merge`."""

    def preview(
        self, checkout: Checkout, session_branch: str, into: str, strategy: merges.Strategy = "merge"
    ) -> merges.MergePreview:
        """See `merges.preview`."""

    def hindrance(
        self, checkout: Checkout, found: merges.MergePreview, into: str, protected_paths: frozenset[str]
    ) -> merges.Refused | None:
        """See `merges.hindrance`."""

    def undo(
        self, checkout: Checkout, into: str, made: CommitId, before: CommitId, protected: frozenset[str]
    ) -> merges.Refused | None:
        """See `merges.undo`."""

    def keep_branch(self, checkout: Checkout, branch: str, commit: CommitId) -> bool:
        """See `merges.keep_branch`."""

    def drop_branch(self, checkout: Checkout, branch: str, commit: CommitId) -> None:
        """See `merges.drop_branch`."""

    def include(self, checkout: Checkout, worktree: Worktree, wanted: Sequence[str]) -> including.Included:
        """See `including.include`."""

    def clone_folders(
        self, checkout: Checkout, worktree: Worktree, folders: Sequence[str], cancelled: Callable[[], bool]
    ) -> cloning.Cloned:
        """See `cloning.clone`."""

    def branch_tip(self, worktree: Worktree) -> CommitId | None:
        """See `past.branch_tip`."""

    def since(self, git_dir: str, base: CommitId, tip: CommitId) -> tuple[past.Made, ...] | None:
        """See `past.since`."""

    def keep(self, worktree: Worktree, kind: str, commit: CommitId) -> str:
        """See `past.keep`."""

    def put_back(self, worktree: Worktree, tip: CommitId, to: CommitId) -> bool:
        """See `past.put_back`."""

    def take_checkpoint(
        self, worktree: Worktree, before: CommitId, name: str, message: str, author: Identity, at: datetime
    ) -> checkpoints.Checkpoint | None:
        """See `checkpoints.take`."""

    def keep_removed(
        self, worktree: Worktree, tip: CommitId, name: str, author: Identity, at: datetime
    ) -> checkpoints.Kept:
        """See `checkpoints.keep_removed`."""

    def restore(self, worktree: Worktree, now: str, target: str) -> checkpoints.Restored:
        """See `checkpoints.restore`."""

    def prune(self, common_dir: str, session: str, numbers: Iterable[int]) -> None:
        """See `checkpoints.prune`."""
