"""Ends what a session runs once its files take more of the disk than they may; no kernel counts that for a folder."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from agentos_lsp.effects.files import Disk

EVERY_S = 0.25
FLOOR_BYTES = 256 << 20
"""What no session may take of the disk: its last part, which the person, and our own logs, need."""

_SLACK_BYTES = 16 << 20
"""How much the disk may change before the session's files are counted again, even if nothing is left to it."""


class Quota:
    """Watches the disk while something of a session runs, at the cost of one question to the file system each time.

    Files are counted when the disk has lost as much as was left to the session, whoever took it: the limit never ends a
    command for what others wrote; the disk's last part does. What is written between two looks is over the limit.

    Args:
        disk: The door.
        end: Ends all that the session runs, and says that it was this.
    """

    def __init__(self, disk: Disk, end: Callable[[], Awaitable[None]]) -> None:
        self._disk = disk
        self._end = end
        self._folders: tuple[Path, ...] = ()
        self._limit_bytes: int | None = None

    def set(self, folders: tuple[Path, ...], limit_bytes: int | None) -> None:
        """Says what is counted, the first being there always, and how much it may be; None for no limit of its own."""
        self._folders, self._limit_bytes = folders, limit_bytes

    async def watch(self) -> None:
        """Watches until it is cancelled; for as long as something runs."""
        if not self._folders:
            return
        with contextlib.suppress(AgentosError):  # a disk that cannot be asked is none that fills up
            began_with = free = await self._free()
            left = await self._left()
            while True:
                await asyncio.sleep(EVERY_S)
                now = await self._free()
                free = max(free, now)  # what others gave back is not the session's to take
                if now < FLOOR_BYTES <= began_with:
                    await self._end()
                elif free - now >= max(left, _SLACK_BYTES):
                    left = await self._left()
                    free = now
                    if left < 0:
                        await self._end()

    async def _free(self) -> int:
        return await asyncio.to_thread(self._disk.free, self._folders[0])

    async def _left(self) -> int:
        """How many bytes the session may still take; nothing is counted where there is no limit."""
        limit = self._limit_bytes
        if limit is None:
            return 1 << 62
        return limit - await asyncio.to_thread(lambda: sum(map(self._disk.size, self._folders)))
