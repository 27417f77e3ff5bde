"""A session's own branch, as what did not come through the gate is dealt with; each call in a thread of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git import Git, past
    from agentos_lsp.effects.git.worktrees import Worktree


class Branch:
    """The branch of one worktree.

    Args:
        git: The door.
        worktree: Returns the worktree, once it is there.
    """

    def __init__(self, git: Git, worktree: Callable[[], Worktree]) -> None:
        self._git = git
        self._worktree = worktree
        self.lock = asyncio.Lock()
        """Held by whoever moves the branch or judges where it stands."""

    async def tip(self) -> CommitId | None:
        """Returns where it is by its full name, None if it is gone."""
        return await asyncio.to_thread(self._git.branch_tip, self._worktree())

    async def since(self, base: CommitId, tip: CommitId, git_dir: str = "") -> tuple[past.Made, ...] | None:
        """Returns the commits from one to another, in the repository or in a place apart; see `past.since`."""
        return await asyncio.to_thread(self._git.since, git_dir or self._worktree().common_dir, base, tip)

    async def keep(self, kind: str, commit: CommitId) -> str:
        """Keeps a commit under a ref of ours; see `past.keep`."""
        return await asyncio.to_thread(self._git.keep, self._worktree(), kind, commit)

    async def put_back(self, tip: CommitId, to: CommitId) -> bool:
        """Moves it back, and nothing else; see `past.put_back`."""
        return await asyncio.to_thread(self._git.put_back, self._worktree(), tip, to)
