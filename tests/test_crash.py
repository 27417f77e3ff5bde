"""`kill -9` of a real server at the event boundaries of a whole session: nothing is lost, nothing is left behind.

Some boundaries are taken, and the next server runs in this process, which is as good for what the first one left;
`CRASH_BOUNDARIES=all` (`make crash`) takes every boundary, with a process for the next server too.
"""

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos_lsp.cli import wiring
from agentos_lsp.cli.editor import Editor, Within
from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.store import Store
from tests.runtime import support

LAST = 54
SAMPLE = (1, 9, 20, 33, 48, 53, 54)
ALL = os.environ.get("CRASH_BOUNDARIES") == "all"
NUMBERS = range(1, LAST + 1) if ALL else SAMPLE

STEPS = [
    {"say": "I look first."},
    {"read": "a.txt"},
    {"run": "cat a.txt"},
    {"start": {"line": "sleep 300", "name": "server"}},
    {"run": "touch checked.txt"},
    {"run": "rm -rf /elsewhere-that-is-not-there"},
    {"write": {"path": "../escaped.txt", "text": "x"}},
    {"delete": "checked.txt"},
    {"write": {"path": "settings.py", "text": "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"}},
    {"commit": "Add settings"},
    {"delete": "settings.py"},
    {"edit": {"path": "a.txt", "old": "two", "new": "2"}},
    {"commit": "Change two"},
]


class KilledError(Exception):
    """The server was killed, as was wanted."""


class Person:
    """Drives a server as the tour does, until it is killed at the event that was chosen."""

    def __init__(self, editor: Editor, number: int) -> None:
        self.editor = editor
        self.number = number
        self.seen = 0

    async def heard(self) -> dict:
        async with asyncio.timeout(support.WAIT_S):
            event = await self.editor.events.get()
        self.seen += 1
        if self.seen == self.number:
            os.kill(self.editor._process.pid, signal.SIGKILL)
            raise KilledError
        return event

    async def until(self, kind: str, session: str) -> None:
        while (event := await self.heard())["type"] != kind:
            if event["type"] == "approval.requested":
                await self.decide(session, event)

    async def decide(self, session: str, asked: dict) -> None:
        answer = {"approval": asked["approval"], "digest": asked["digest"], "outcome": "approved"}
        await self.editor.command("agentos.approval.decide", session=session, **answer)


def editor(house: support.House, name: str) -> Editor:
    return Editor(house.root, house.state, house.folder / f"{name}.log", dict(os.environ))


@contextlib.asynccontextmanager
async def next_server(house: support.House) -> AsyncIterator[Editor]:
    """Serves what the first server left, with the parts of a real one."""
    if ALL:
        async with editor(house, "second") as second:
            yield second
        return
    parts = wiring.parts(argparse.Namespace(state=str(house.state)))
    try:
        async with Within(house.root, parts) as second:
            yield second
    finally:
        parts.store.close()


async def play_until_killed(house: support.House, number: int) -> None:
    with contextlib.suppress(UserError):
        async with editor(house, "first") as first:
            person = Person(first, number)
            script = house.script(STEPS)
            session = (await first.command("agentos.session.start", task="Mend it", script=script))["session"]
            await person.until("turn.finished", session)
            merging = asyncio.get_running_loop().create_task(first.command("agentos.session.merge", session=session))
            try:
                await person.until("worktree.removed", session)
            finally:
                await asyncio.wait([merging])
                merging.exception()


def marked_processes(mark: str) -> list[int]:
    """The processes whose environment names this test's own folder, beside this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes() and support.is_alive(int(folder.name)):
                    found.append(int(folder.name))
    return found


async def none_survive(mark: str) -> None:
    """Waits until the keeper has ended what the dead server had started; it is told by the end of its socket."""
    async with asyncio.timeout(support.WAIT_S):
        while marked_processes(mark):  # noqa: ASYNC110 - /proc sends no events
            await asyncio.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to see what survives")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", NUMBERS)
async def test_a_server_that_is_killed_at_an_event_leaves_a_session_that_goes_on_or_is_discarded(tmp_path, number):
    house = support.House(tmp_path)
    try:
        await play_until_killed(house, number)
    except* KilledError:
        pass
    await none_survive(str(house.state / "scratch"))
    store = Store(house.state)
    (name,) = store.sessions()
    assert store.verify(name) is None
    store.close()

    async with next_server(house) as second:
        shown = await second.command("agentos.session.show", session=name)
        status = shown["status"]
        live = status not in {"merged", "discarded", "failed"}
        assert house.worktrees() == ([shown["worktree"]] if live else [])
        # A merge that was cut off may have changed files of the checkout, as its notice says; it is made again.
        if live and number % 2 and "merge.attempted" not in support.kinds(house.log(name)):
            assert (await second.command("agentos.session.discard", session=name, confirm=True))["discarded"]
            status = "discarded"
        elif live:
            status = await finish(second, house, name)
        assert (await second.command("agentos.session.show", session=name))["status"] == status
    house.assert_nothing_left()
    assert support.assert_sound(house.log(name)).status == status
    assert house.verify(name) is None
    text = (house.root / "a.txt").read_text()
    assert text == ("one\n2\nthree\n" if status == "merged" else "one\ntwo\nthree\n")
    assert house.git("status", "--porcelain") == ""
    assert not list(house.state.parent.rglob("escaped.txt"))


async def finish(server: Editor, house: support.House, name: str) -> str:
    """Answers and resumes until the session's work can be merged, and merges it.

    A script cannot look whether a write that was cut off was made; where it then had nothing to commit, the session is
    discarded instead.
    """
    async with asyncio.timeout(support.WAIT_S):
        while True:
            shown = await server.command("agentos.session.show", session=name)
            if shown["approvals"]:
                asked = shown["approvals"][0]
                answer = {"approval": asked["approval"], "digest": asked["digest"], "outcome": "approved"}
                await server.command("agentos.approval.decide", session=name, **answer)
            elif shown["status"] == "interrupted":
                await server.command("agentos.session.resume", session=name)
            elif shown["status"] == "idle" and shown["head"] != shown["baseCommit"]:
                assert (await server.command("agentos.session.merge", session=name))["merged"]
                return "merged"
            elif shown["status"] == "idle" and "turn.finished" in support.kinds(house.log(name)):
                refused = [event for event in house.log(name) if event.type == "tool_call.refused"]
                assert any("its outcome is unknown" in event.message for event in refused)
                assert (await server.command("agentos.session.discard", session=name, confirm=True))["discarded"]
                return "discarded"
            else:
                await server.events.get()


async def test_an_unharmed_session_has_as_many_events_as_the_boundaries_say(tmp_path):
    house = support.House(tmp_path)
    await play_until_killed(house, LAST + 100)
    store = Store(house.state)
    log = store.read(ids.SessionId(store.sessions()[0]))
    store.close()
    assert log[-1].type == "worktree.removed"
    assert abs(len(log) - LAST) <= 1, "the boundaries no longer reach to the end of the session, or beyond it"
