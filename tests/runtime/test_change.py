"""The change is current while commands run and people type, and says who wrote what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import ids
from agentos_lsp.effects.files import watch
from agentos_lsp.effects.git import live
from tests.runtime import support

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from agentos_lsp.runtime.reviewing import Shown


class Eyes:
    """An editor that looks at a session again whenever it is told to."""

    def __init__(self, desk: support.Desk, name: str) -> None:
        self.desk = desk
        self.name = ids.SessionId(name)
        self.news = asyncio.Event()
        desk.runtime.reviews.subscribe(lambda _session: self.news.set())
        desk.runtime.subscribe(lambda _event, _now: self.news.set(), lambda _progress: None)

    async def until(self, holds: Callable[[Shown], Any]) -> Shown:
        async with asyncio.timeout(support.WAIT_S):
            while True:
                self.news.clear()
                shown = await self.desk.runtime.reviews.shown(self.name)
                if shown is not None and holds(shown):
                    return shown
                await self.news.wait()

    async def folder(self) -> Path:
        worktree = (await self.desk.state(self.name)).worktree
        assert worktree is not None
        return Path(worktree.folder)


def paths(shown: Shown) -> list[str]:
    return [change.path for change in shown.changes]


PROGRAM = """\
import pathlib, sys, time
folder = pathlib.Path("made/deep")
folder.mkdir(parents=True)
(folder / "file.txt").write_text("by a command\\n")
pathlib.Path("a.txt").write_text("by a command\\n")
while not pathlib.Path("stop").exists():
    time.sleep(0.01)
"""


async def test_what_a_command_writes_is_seen_while_it_runs_and_marked_as_unreported(house: support.House) -> None:
    house.commit("slow", {"slow.py": PROGRAM})
    async with house.open() as desk:
        name = await desk.begin([{"write": {"path": "tool.txt", "text": "by a tool\n"}}, {"run": "python3 slow.py"}])
        eyes = Eyes(desk, name)
        asked = await desk.question(name)
        await eyes.until(lambda shown: paths(shown) == ["tool.txt"])
        await desk.answer(name, asked)
        shown = await eyes.until(lambda shown: "made/deep/file.txt" in paths(shown) and "a.txt" in paths(shown))
        assert desk.of("command.finished") == []
        assert {path: shown.writers.get(path) for path in ("a.txt", "made/deep/file.txt")} == {
            "a.txt": "command",
            "made/deep/file.txt": "command",
        }
        (await eyes.folder() / "stop").touch()
        await desk.event("turn.finished")
        text = (await desk.runtime.reviews.page(eyes.name)).text
        assert "Written by a command, not by a tool: a.txt\ndiff --git a/a.txt b/a.txt\n" in text
        assert "not by a tool: tool.txt" not in text
        assert desk.of("review.edited") == []


async def test_what_a_person_writes_into_the_worktree_is_theirs_and_the_agent_is_told(house: support.House) -> None:
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "tool.txt", "text": "by a tool\n"}}])
        eyes = Eyes(desk, name)
        await eyes.until(lambda shown: paths(shown) == ["tool.txt"])
        folder = await eyes.folder()
        (folder / "a.txt").write_text("by a person\n")
        shown = await eyes.until(lambda shown: shown.writers.get("a.txt") == "person")
        assert paths(shown) == ["a.txt", "tool.txt"]
        await desk.event("review.edited")
        assert "Edited by a person: a.txt\n" in (await desk.runtime.reviews.page(eyes.name)).text
        (folder / "a.txt").write_text("by a person, again\n")
        await eyes.until(lambda shown: b"again" in (shown.sides("a.txt")[1] or b""))
        assert [event.paths for event in desk.of("review.edited")] == [("a.txt",)]
        await desk.runtime.prompt(eyes.name, "Go on", "a test")
        await desk.event("turn.started", 2)
        assert desk.of("turn.started")[1].prompt == (
            "A person edited a.txt in your worktree; read it again before you change it.\n\nGo on"
        )


async def test_all_who_ask_during_a_look_share_the_next(house: support.House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "tool.txt", "text": "by a tool\n"}}])
        eyes = Eyes(desk, name)
        await eyes.until(lambda shown: paths(shown) == ["tool.txt"])
        looked: list[object] = []
        real = live.Tracked.current

        def current(tracked: live.Tracked) -> live.Current:
            looked.append(tracked)
            return real(tracked)

        monkeypatch.setattr(live.Tracked, "current", current)
        (await eyes.folder() / "a.txt").write_text("by a person\n")
        shown = await asyncio.gather(*(desk.runtime.reviews.shown(eyes.name) for _ in range(50)))
        assert all(one is not None and paths(one) == ["a.txt", "tool.txt"] for one in shown)
        # Editors that notice what was written look too, while these do.
        assert len(looked) < 10


async def test_a_command_that_could_not_start_writes_nothing(house: support.House) -> None:
    async with house.open() as desk:
        name = await desk.begin([{"run": f"touch {'x' * 140_000}", "expect": "refused"}])
        await desk.answer(name, await desk.question(name))
        await desk.event("turn.finished")
        assert [one.type for one in desk.of("command.started") + desk.of("command.finished")] == ["command.started"]
        eyes = Eyes(desk, name)
        await eyes.until(lambda shown: paths(shown) == [])
        (await eyes.folder() / "a.txt").write_text("by a person\n")
        shown = await eyes.until(lambda shown: paths(shown) == ["a.txt"])
        assert shown.writers == {"a.txt": "person"}


async def test_a_tool_that_writes_after_a_person_has_the_file_again(house: support.House) -> None:
    async with house.open() as desk:
        name = await desk.play([{"read": "a.txt"}], [{"write": {"path": "a.txt", "text": "by a tool\n"}}])
        eyes = Eyes(desk, name)
        await eyes.until(lambda shown: paths(shown) == [])
        (await eyes.folder() / "a.txt").write_text("by a person\n")
        await eyes.until(lambda shown: shown.writers.get("a.txt") == "person")
        await desk.runtime.prompt(eyes.name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        shown = await eyes.until(lambda shown: shown.sides("a.txt")[1] == b"by a tool\n")
        assert shown.writers == {"a.txt": "tool"}


async def test_where_nothing_can_be_watched_a_sweep_finds_it_when_the_command_ends(
    house: support.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no more watches")

    monkeypatch.setattr(watch, "Watch", refuse)
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt"}])
        eyes = Eyes(desk, name)
        await eyes.until(lambda shown: paths(shown) == [])
        await desk.answer(name, await desk.question(name))
        await desk.event("turn.finished")
        shown = await eyes.until(lambda shown: paths(shown) == ["made.txt"])
        assert shown.writers == {"made.txt": "command"}


async def test_a_lost_notice_is_made_up_for_by_a_sweep(house: support.House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.open() as desk:
        name = await desk.play([])
        eyes = Eyes(desk, name)
        await eyes.until(lambda shown: paths(shown) == [])
        lost = watch.Noticed(frozenset(), frozenset(), lost=True)
        real = watch.Watch.read
        monkeypatch.setattr(watch.Watch, "read", lambda one: (real(one), lost)[1])
        (await eyes.folder() / "sub").mkdir()
        (await eyes.folder() / "sub" / "file").write_text("x\n")
        await eyes.until(lambda shown: paths(shown) == ["sub/file"])
        monkeypatch.undo()
        # The folder is watched from then on.
        (await eyes.folder() / "sub" / "file").write_text("y\n")
        await eyes.until(lambda shown: shown.sides("sub/file")[1] == b"y\n")
