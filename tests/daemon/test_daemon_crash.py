"""`kill -9` of the daemon at event boundaries with two editors attached: nothing is lost, and nothing is run twice.

A few boundaries are taken; `CRASH_BOUNDARIES=all` takes every one. The session is that of `tests/test_crash.py`.
"""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.store import Store
from tests import test_crash
from tests.daemon import support
from tests.runtime.support import House, assert_sound

NUMBERS = range(1, test_crash.LAST + 1) if os.environ.get("CRASH_BOUNDARIES") == "all" else (2, 20, 48)


class Person(test_crash.Person):
    """Kills the daemon, and not the forwarder of one editor."""

    def __init__(self, editor, number, daemon):
        super().__init__(editor, number)
        self.daemon = daemon

    async def heard(self):
        async with asyncio.timeout(test_crash.support.WAIT_S):
            event = await self.editor.events.get()
        self.seen += 1
        if self.seen == self.number:
            os.kill(self.daemon, signal.SIGKILL)
            raise test_crash.KilledError
        return event


async def play_until_killed(house, number):
    first, second = (support.Forwarder(house.root, house.state) for _ in range(2))
    await first.__aenter__()
    await second.__aenter__()
    person = Person(first, number, support.process_of(house.state))
    with contextlib.suppress(UserError, test_crash.KilledError):
        started = await first.command("agentos.session.start", task="Mend it", script=house.script(test_crash.STEPS))
        await person.until("turn.finished", started["session"])
        merging = asyncio.get_running_loop().create_task(
            first.command("agentos.session.merge", session=started["session"])
        )
        try:
            await person.until("worktree.removed", started["session"])
        finally:
            await asyncio.wait([merging])
            merging.exception()
    # Editors see a server that failed, and start it again.
    async with asyncio.timeout(support.TIMEOUT_S):
        assert [await one.process.wait() for one in (first, second)] == [1, 1]
    for one in (first, second):
        await one.__aexit__(None, None, None)
    return first, second


def all_heard(editor):
    found = []
    while not editor.events.empty():
        found.append(editor.events.get_nowait())
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to see what survives")
@pytest.mark.parametrize("number", NUMBERS)
async def test_a_daemon_that_is_killed_at_an_event_is_followed_by_one_that_knows_everything(tmp_path, number):
    house = House(tmp_path)
    with support.ending(house.state):
        _, watcher = await play_until_killed(house, number)
        heard = all_heard(watcher)
        await test_crash.none_survive(str(house.state / "scratch"))
        store = Store(house.state)
        (name,) = store.sessions()
        assert store.verify(name) is None
        kept = [event.model_dump(mode="json") for event in store.read(name)]
        store.close()
        # Nobody was told of anything that is not on the disk.
        assert heard == kept[: len(heard)]

        async with (
            support.Forwarder(house.root, house.state) as first,
            support.Forwarder(house.root, house.state) as second,
        ):
            shown = [await one.command("agentos.session.show", session=name) for one in (first, second)]
            assert shown[0] == shown[1]
            status = shown[0]["status"]
            if status not in {"merged", "discarded", "failed"}:
                status = await test_crash.finish(first, house, name)
            assert (await second.command("agentos.session.show", session=name))["status"] == status
        log = house.log(name)
        assert assert_sound(log).status == status
        assert house.verify(name) is None
        # Each call was carried out once at most: a start is never repeated under the same name.
        started = Counter(event.call for event in log if event.type == "command.started")
        assert set(started.values()) <= {1}
        house.assert_nothing_left()
