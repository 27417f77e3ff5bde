"""What sessions left behind that no log knows: looked for where people work, offered, never removed unmerged."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import orphan, state
from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.runtime import workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agentos_lsp.domain.ids import SessionId
    from agentos_lsp.effects import Log
    from agentos_lsp.effects.git import Git, orphans, repository

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """An orphan in words, as git has it, and the git directory of its repository."""

    told: orphan.Orphan
    row: orphans.Orphan
    common_dir: str


class Orphans:
    """The orphans of the repositories that were looked at.

    Args:
        store: The log, which knows the sessions of every running agentos-lsp.
        state_folder: Where worktrees lie; what lies elsewhere is none of ours.
        git: The door.
    """

    def __init__(self, store: Log, state_folder: Path, git: Git) -> None:
        self._git = git
        self._store = store
        self._state_folder = state_folder
        self._found: dict[str, dict[SessionId, orphans.Orphan]] = {}
        self._roots: dict[str, str] = {}
        self._looking = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []

    def found(self) -> tuple[orphan.Orphan, ...]:
        """Returns what was found when it was last looked for."""
        return tuple(
            _told(row, self._roots[common]) for common, rows in sorted(self._found.items()) for row in rows.values()
        )

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls a listener on the loop when what is found has changed, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def look_at(self, folders: list[str]) -> None:
        """Looks at the repositories of several folders, one after the other."""
        for folder in folders:
            await self.look(folder)

    async def look(self, folder: str) -> None:
        """Looks at the repository of a folder; one that cannot be opened has nothing to show."""
        async with self._looking:
            try:
                checkout = await asyncio.to_thread(self._git.probe, folder)
                rows = await asyncio.to_thread(self._look, checkout)
            except AgentosError as error:
                LOG.info("nobody can look for orphans in %s: %s", folder, error)
                return
            before = self._found.get(checkout.common_dir, {})
            self._roots.setdefault(checkout.common_dir, checkout.root)
            self._found[checkout.common_dir] = rows
        if rows != before:
            for listener in list(self._listeners):
                listener()

    def _look(self, checkout: repository.Checkout) -> dict[SessionId, orphans.Orphan]:
        live = {name for name in self._store.sessions() if self._may_be_live(name)}
        folder = workspace.worktrees_folder(self._state_folder, checkout)
        return {row.session: row for row in self._git.orphans(str(folder), checkout, live)}

    def _may_be_live(self, name: SessionId) -> bool:
        try:
            now = state.fold(self._store.read(name))
        except EffectError:
            return True  # a log that cannot be read is no proof that its session has ended
        # What an ended one still has is cleared by whoever owns it, at the latest at the next start.
        return now.is_live or now.worktree is not None

    async def get(self, name: SessionId) -> Found:
        """Returns an orphan as it is now.

        Raises:
            UserError: There is none of that name.
        """
        for root in list(self._roots.values()):
            await self.look(root)
        for common, rows in self._found.items():
            if name in rows:
                return Found(_told(rows[name], self._roots[common]), rows[name], common)
        raise UserError(f"No session named {name!r} left anything behind.", "The overview lists what was left.")

    async def remove(self, name: SessionId) -> None:
        """Removes an orphan that holds nothing of its own.

        Raises:
            UserError: Something would be lost, or it is gone.
            EffectError: git or the disk failed.
        """
        found = await self.get(name)
        if not found.told.is_empty:
            message = f"{name} holds {orphan.describe(found.told)}; nothing was removed."
            raise UserError(message, orphan.advise(found.told))
        await asyncio.to_thread(self._git.remove_orphan, found.row, found.common_dir)
        await self.look(found.told.repository)


def _told(row: orphans.Orphan, root: str) -> orphan.Orphan:
    way: orphan.Way = "folder"
    if row.worktree is not None and row.branch is not None and row.folder is not None:
        way = "recover" if row.readable and row.complete else "folder"
    elif row.branch is not None:
        way = "branch"
    return orphan.Orphan(
        row.session,
        root,
        row.folder,
        row.branch,
        row.unmerged.commits,
        row.unmerged.uncommitted,
        way,
        row.may_be_removed,
    )
