"""Work that must not be cut in two: an act and its record belong together, also when the caller is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Carries work out to its end; a cancellation of the caller is raised afterwards, whatever came of the work.

    Raises:
        Exception: Whatever the work raises.
    """
    # A TaskGroup would hand the cancellation on. The task does not outlive this function.
    task = asyncio.get_running_loop().create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError from task.exception()
    return task.result()


async def apart(work: Coroutine[Any, Any, T], spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> T:
    """Carries work out in a task of its own and waits for it; a caller that is cancelled leaves it to go on.

    Raises:
        Exception: Whatever the work raises.
    """
    outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def carry_out() -> None:
        try:
            result = await work
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if not outcome.done():
                outcome.set_exception(error)
        else:
            if not outcome.done():
                outcome.set_result(result)
        finally:
            outcome.cancel()

    spawn(carry_out())
    return await outcome
