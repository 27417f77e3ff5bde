"""What each session's worktree takes on the disk: measured when somebody looks, and not again for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
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
        spawn: Runs work beside everything else.
    """

    def __init__(
        self,
        sessions: Mapping[SessionId, Session],
        disk: Disk,
        now: Callable[[], datetime],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._sessions = sessions
        self._disk = disk
        self._now = now
        self._spawn = spawn
        self._known: dict[SessionId, tuple[datetime, int]] = {}
        self._measuring: set[SessionId] = set()

    async def measure(self, name: SessionId) -> None:
        """Measures a session's worktree; nothing happens if it has none, or if that is under way."""
        one = self._sessions.get(name)
        if one is None or one.state.worktree is None or name in self._measuring:
            return
        self._measuring.add(name)
        try:
            size = await asyncio.to_thread(self._disk.size, Path(one.state.worktree.folder))
            self._known[name] = (self._now(), size)
        finally:
            self._measuring.discard(name)

    def line(self, name: SessionId) -> str:
        """Returns what a session's page says of its size as last known, empty where there is nothing to say.

        It never waits: a size that is not known, or is from some time ago, is measured meanwhile.
        """
        one, known = self._sessions.get(name), self._known.get(name)
        if one is None or one.workspace is None or one.state.worktree is None or one.state.started_at is None:
            self._known.pop(name, None)
            return ""
        if (known is None or self._now() - known[0] > HOLDS) and name not in self._measuring:
            self._spawn(self.measure(name))
        return "" if known is None else upkeep.line(known[1], self._now() - one.state.started_at, one.rules)
