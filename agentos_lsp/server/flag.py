"""Something that one task waits for; `asyncio.Event` holds a queue of waiters, ten times the memory for each editor."""

import asyncio


class Flag:
    """Set and cleared on one loop; at most one task waits."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Lets the task that waits go on, or the next that would wait."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Lets the next task wait again."""
        self._is_set = False

    def is_set(self) -> bool:
        """Whether nobody would have to wait."""
        return self._is_set

    async def wait(self) -> None:
        """Waits until it is set."""
        if not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
