"""What a session's files may take on the disk: what it runs is ended when they take more, and nothing for others."""

import asyncio
import sys
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.runtime import quota
from tests.runtime import support

MB = 1 << 20
POLICY = '[confinement]\ndisk_mb = 30\n\n[commands]\nallow = [["python3", "fill.py"], ["rm", "big"]]\n'
FILL = """\
import sys, time
with open("big", "wb", buffering=0) as file:
    for count in range(400 if sys.argv[1] == "all" else 2):
        file.write(bytes(1 << 20))
        time.sleep(0.005)
"""


async def test_a_command_that_fills_the_disk_is_ended_and_the_session_goes_on(house):
    house.commit("a program", {"fill.py": FILL})
    house.user_policy.write_text(POLICY)
    async with house.open() as desk:
        await desk.play(
            [
                {"run": "python3 fill.py some", "expect": "ok"},
                {"run": "python3 fill.py all", "expect": "refused"},
                {"run": "rm big", "expect": "ok"},
                {"run": "python3 fill.py some", "expect": "ok"},
            ]
        )
        ends = [one.ended_by for one in desk.of("command.finished")]
        assert ends == ["itself", "disk limit", "itself", "itself"]
        assert [one.reason for one in desk.of("turn.finished")] == ["done"]


async def test_a_process_in_the_background_is_ended_too(house):
    house.commit("a program", {"fill.py": FILL})
    house.user_policy.write_text(POLICY)
    async with house.open() as desk:
        await desk.play([{"start": {"name": "filler", "line": "python3 fill.py all"}, "expect": "ok"}])
        ended = await desk.event("command.finished")
        assert (ended.ended_by, ended.exit_code) == ("disk limit", None)


class Disk:
    """A disk of which others take, too."""

    def __init__(self, free: int, size: int) -> None:
        self._free, self._size = free, size
        self.looks = 0
        self.counted = 0

    def free(self, folder: Path) -> int:
        assert folder == Path("/worktree")
        self.looks += 1
        return self._free

    def size(self, folder: Path) -> int:
        self.counted += 1
        return self._size

    async def change(self, *, free: int, size: int) -> None:
        """Changes, and waits until somebody has looked at it and gone on to look again."""
        self._free, self._size = free, size
        since = self.looks
        async with asyncio.timeout(support.WAIT_S):
            while self.looks < since + 3:  # noqa: ASYNC110 - a thread looks, which may not touch an event
                await asyncio.sleep(0.001)


@pytest.fixture
def ended(monkeypatch):
    monkeypatch.setattr(quota, "EVERY_S", 0.001)
    return []


async def watched(disk, ended, limit_bytes):
    async def end() -> None:
        ended.append("disk limit")

    one = quota.Quota(disk, end)
    one.set((Path("/worktree"),), limit_bytes)
    return asyncio.ensure_future(one.watch())


async def test_what_others_write_ends_nothing(ended):
    disk = Disk(1000 * MB, 10 * MB)
    watching = await watched(disk, ended, 100 * MB)
    await disk.change(free=950 * MB, size=20 * MB)
    assert disk.counted == 1  # ninety were left, so nothing had to be counted
    await disk.change(free=800 * MB, size=20 * MB)
    assert (disk.counted, ended) == (2, [])
    await disk.change(free=700 * MB, size=101 * MB)
    assert ended == ["disk limit"]
    watching.cancel()


async def test_room_that_others_make_is_not_the_sessions(ended):
    disk = Disk(1000 * MB, 10 * MB)
    watching = await watched(disk, ended, 100 * MB)
    await disk.change(free=5000 * MB, size=10 * MB)
    await disk.change(free=4800 * MB, size=210 * MB)
    assert ended
    watching.cancel()


async def test_nothing_takes_the_last_of_the_disk_even_without_a_limit(ended):
    disk = Disk(quota.FLOOR_BYTES + MB, 0)
    watching = await watched(disk, ended, None)
    await disk.change(free=quota.FLOOR_BYTES, size=MB)
    assert (disk.counted, ended) == (0, [])
    await disk.change(free=quota.FLOOR_BYTES - 1, size=2 * MB)
    assert ended
    watching.cancel()


async def test_where_the_disk_was_full_before_commands_may_run(ended):
    disk = Disk(quota.FLOOR_BYTES - MB, 0)
    watching = await watched(disk, ended, None)
    await disk.change(free=quota.FLOOR_BYTES - 2 * MB, size=0)
    assert ended == []
    watching.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="asks this disk")
async def test_a_disk_that_cannot_be_asked_ends_nothing(house, ended):
    async with house.open() as desk:
        disk = desk.runtime.doors.disk
        with pytest.raises(EffectError, match="room"):
            disk.free(house.folder / "gone")
        one = quota.Quota(disk, lambda: pytest.fail("nothing to end"))
        one.set((house.folder / "gone",), 1)
        await one.watch()
    assert ended == []
