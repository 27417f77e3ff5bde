"""The door to one session's private git directory: `private` and `intake` behind one value, for threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.effects.git import intake, private, repository

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree


class OnDisk:
    """See `AgentsGit`.

    Args:
        folder: Where it lies, for the user alone.
    """

    def __init__(self, folder: str) -> None:
        self._private = private.Private(folder)

    @property
    def is_there(self) -> bool:
        """Whether it was made."""
        return self._private.is_there

    def make(self, worktree: Worktree, checkout: Checkout) -> str:
        """Makes it if it is not there, and returns its folder; see `private.make`."""
        private.make(self._private, worktree, checkout, repository.identity(checkout))
        return self._private.folder

    def remove(self) -> None:
        """Removes it, at the end of the session."""
        private.remove(self._private)

    def clear_remains(self, worktree: Worktree) -> None:
        """See `private.clear_remains`."""
        private.clear_remains(self._private, worktree)

    def look(self, worktree: Worktree) -> private.Position:
        """See `private.look`."""
        return private.look(self._private, worktree)

    def agree(self, commit: CommitId) -> None:
        """See `private.agree`."""
        private.agree(self._private, commit)

    def put_back(self, worktree: Worktree, tip: CommitId, to: CommitId) -> None:
        """See `private.put_back`."""
        private.put_back(self._private, worktree, tip, to)

    def held(self, worktree: Worktree, at: CommitId) -> AbstractContextManager[private.Hold]:
        """See `private.held`."""
        return private.held(self._private, worktree, at)

    def fetch(self, worktree: Worktree, tip: CommitId) -> intake.Incoming:
        """See `intake.fetch`."""
        return intake.fetch(self._private.folder, self._private.git_dir, worktree.common_dir, tip)

    def take_in(self, worktree: Worktree, incoming: intake.Incoming) -> None:
        """See `intake.take_in`."""
        intake.take_in(incoming, worktree.common_dir)

    def drop(self, incoming: intake.Incoming) -> None:
        """See `intake.drop`."""
        intake.drop(incoming)
