"""A session's change in memory, looked at anew each time: that costs next to nothing here; see `live.Tracked`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.effects.git import live
from agentos_lsp.effects.simulated.objects import compared, differing

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git.worktrees import Worktree
    from agentos_lsp.effects.simulated.objects import Objects, Tree


class Tracked:
    """A folder's change; see `effects.git.Tracked`."""

    def __init__(self, objects: Objects, worktree: Worktree, base: CommitId) -> None:
        self._objects = objects
        self._worktree = worktree
        self._base = base
        self._rows: dict[str, live.Row] = {}
        self._current = live.Current(0, (), {})

    def touch(self, *paths: str) -> None:
        """Takes no notice: everything is looked at."""

    def distrust(self) -> None:
        """Takes no notice: everything is looked at."""

    def is_interesting(self, folder: str) -> bool:
        """Says that every folder is."""
        del folder
        return True

    def current(self) -> live.Current:
        """Returns the change; the same value, and the same rows, as long as nothing has changed."""
        with self._objects.lock:
            held: Tree = self._objects.tree(self._base)
            there = self._objects.present(self._worktree.folder, self._base)
        rows = {path: live.Row(held.get(path), there.get(path)) for path in differing(held, there)}
        if self._current.number and rows == self._rows:
            return self._current
        self._rows = {path: self._rows[path] if self._rows.get(path) == row else row for path, row in rows.items()}
        self._current = live.Current(self._current.number + 1, compared(held, there), dict(self._rows))
        return self._current
