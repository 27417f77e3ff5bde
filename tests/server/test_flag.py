"""A flag lets one task go on, once it is set."""

import asyncio

import pytest

from agentos_lsp.server.flag import Flag


async def test_a_task_waits_until_the_flag_is_set_and_again_once_it_is_cleared():
    flag = Flag()
    told = []

    async def wait():
        for _ in range(2):
            await flag.wait()
            flag.clear()
            told.append(flag.is_set())

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    assert told == []
    flag.set()
    flag.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == [False]
    flag.set()
    await task
    assert told == [False, False]


async def test_whoever_comes_after_it_was_set_does_not_wait():
    flag = Flag()
    flag.set()
    await flag.wait()
    assert flag.is_set()


async def test_a_task_that_is_cancelled_while_it_waits_leaves_the_flag_as_it_was():
    flag = Flag()
    task = asyncio.create_task(flag.wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    flag.set()
    await flag.wait()
