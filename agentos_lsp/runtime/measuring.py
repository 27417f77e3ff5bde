"""What each session's worktree takes on the disk: measured when somebody looks, and not again for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from agentos_lsp.domain.ids import SessionId
    from agentos_lsp.effects.files import Disk
    from agentos_lsp.runtime.session import Session

HOLDS = timedelta(minutes=1)
"""How long a size is taken for the present one."""


class Sizes:
    """The sizes of the worktrees of a runtime.

    Args:
        sessions: Those that it owns, as they come and go.
        disk: The door.
        now: The clock.
    """

    def __init__(self, sessions: Mapping[SessionId, Session], disk: Disk, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._disk = disk
        self._now = now
        self._known: dict[SessionId, tuple[datetime, int]] = {}

    async def of(self, name: SessionId) -> int | None:
        """Returns how many bytes a session's worktree takes, None if it has none here."""
        one = self._sessions.get(name)
        if one is None or one.workspace is None or one.state.worktree is None:
            self._known.pop(name, None)
            return None
        known, at = self._known.get(name), self._now()
        if known is None or at - known[0] > HOLDS:
            folder = Path(one.state.worktree.folder)
            known = self._known[name] = (at, await asyncio.to_thread(self._disk.size, folder))
        return known[1]

    async def line(self, name: SessionId) -> str:
        """Returns what a session's page says of it, empty where there is nothing to say."""
        size, one = await self.of(name), self._sessions.get(name)
        if size is None or one is None or one.state.started_at is None:
            return ""
        return upkeep.line(size, self._now() - one.state.started_at, one.rules)
