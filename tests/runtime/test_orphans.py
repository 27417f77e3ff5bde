"""What is left of sessions whose log is gone: found, recovered with all that it holds, never removed unmerged."""

import shutil
from pathlib import Path

import pytest

from agentos_lsp.domain import ids, orphan
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import ending
from tests.runtime import support

CHANGE = [{"edit": {"path": "a.txt", "old": "two", "new": "2"}}, {"commit": "Change two", "expect": "ok"}]
WRITE = {"write": {"path": "new.txt", "text": "not committed\n"}}


async def left_behind(house, *steps):
    """Plays a session, then loses the log of everything; returns the session's name."""
    async with house.open() as desk:
        name = await desk.play(list(steps))
    for file in house.state.glob("events.db*"):
        file.unlink()
    return ids.SessionId(name)


async def look(house, desk):
    await desk.runtime.orphans.look(str(house.root))
    return desk.runtime.orphans.found()


async def test_a_session_whose_log_is_lost_is_found_recovered_and_merged(house):
    name = await left_behind(house, *CHANGE)
    tip = house.git("rev-parse", f"agentos/{name}")
    async with house.open() as desk:
        folder = str(house.state / "worktrees" / "repo" / name)
        expected = orphan.Orphan(
            name, str(house.root), folder, f"agentos/{name}", (tip,), (), "recover", is_empty=False
        )
        assert await look(house, desk) == (expected,)
        await desk.runtime.adopt(name, "a test")
        assert desk.runtime.orphans.found() == ()
        now = await desk.state(name)
        assert (now.status, now.agent, now.base_branch, now.task) == ("idle", "none", "main", f"Recovered: {name}")
        assert isinstance(await desk.merge(name), ending.Merged)
        assert (house.root / "a.txt").read_text() == "one\n2\nthree\n"
    house.assert_nothing_left()


async def test_what_was_not_committed_is_recovered_too_and_survives_a_restart(house):
    name = await left_behind(house, *CHANGE, WRITE)
    async with house.open() as desk:
        (one,) = await look(house, desk)
        assert orphan.describe(one) == "1 commit and 1 uncommitted file"
        await desk.runtime.adopt(name, "a test")
    async with house.open() as desk:
        now = await desk.state(name)
        assert now.status == "idle"
        assert await look(house, desk) == ()
        assert now.worktree is not None
        assert (Path(now.worktree.folder) / "new.txt").read_text() == "not committed\n"
        lost = await desk.runtime.losses(name)
        assert (lost.commits, lost.uncommitted) == ((house.git("rev-parse", f"agentos/{name}"),), ("new.txt",))
        await desk.runtime.discard(name, "a test")
    house.assert_nothing_left()


async def test_a_recovered_session_says_that_it_has_no_agent(house):
    name = await left_behind(house, WRITE)
    async with house.open() as desk:
        await look(house, desk)
        await desk.runtime.adopt(name, "a test")
        await desk.runtime.prompt(name, "Go on", "a test")
        failed = await desk.event("failure.recorded")
        assert failed.message.startswith("This session has no agent. Work in its worktree by hand")
        await desk.event("turn.finished")
        assert (await desk.state(name)).status == "idle"


async def test_what_holds_nothing_of_its_own_is_removed_and_nothing_else(house):
    empty, full = await left_behind(house), await left_behind(house, WRITE)
    async with house.open() as desk:
        assert {one.session: one.is_empty for one in await look(house, desk)} == {empty: True, full: False}
        await desk.runtime.orphans.remove(empty)
        with pytest.raises(UserError, match="holds 1 uncommitted file; nothing was removed"):
            await desk.runtime.orphans.remove(full)
        assert [one.session for one in desk.runtime.orphans.found()] == [full]
    assert [Path(path).name for path in house.worktrees()] == [full]
    assert f"agentos/{empty}" not in house.branches()


async def test_a_branch_alone_is_shown_with_the_way_to_have_it(house):
    name = await left_behind(house, *CHANGE)
    shutil.rmtree(house.state / "worktrees" / "repo" / name)
    house.git("worktree", "unlock", str(house.state / "worktrees" / "repo" / name))
    house.git("worktree", "prune")
    async with house.open() as desk:
        (one,) = await look(house, desk)
        assert orphan.advise(one).startswith(f"`git merge agentos/{name}` brings the commits in")
        with pytest.raises(UserError, match="no worktree to go on in"):
            await desk.runtime.adopt(name, "a test")


async def test_a_folder_alone_is_left_to_the_person(house):
    folder = house.state / "worktrees" / "repo" / "lost-1"
    folder.mkdir(parents=True)
    (folder / "file.txt").write_text("x\n")
    async with house.open() as desk:
        (one,) = await look(house, desk)
        assert (one.way, one.folder, one.is_empty) == ("folder", str(folder), False)
        with pytest.raises(UserError):
            await desk.runtime.orphans.remove(ids.SessionId("lost-1"))
    assert (folder / "file.txt").exists()


async def test_sessions_that_live_elsewhere_are_no_orphans(house, tmp_path):
    """Those of another runtime on the same log, and those of another state folder."""
    async with house.open() as first:
        name = await first.play([WRITE])
        async with house.open() as second:
            assert await look(house, second) == ()
        stranger = support.House(tmp_path / "stranger", "other")
        stranger.root = house.root
        async with stranger.open() as third:
            assert await look(house, third) == ()
        assert (await first.state(name)).status == "idle"


async def test_what_is_gone_meanwhile_is_said(house):
    name = await left_behind(house, WRITE)
    async with house.open() as desk:
        await look(house, desk)
        await desk.runtime.adopt(name, "a test")
        with pytest.raises(UserError, match="left anything behind"):
            await desk.runtime.adopt(name, "a test")
        with pytest.raises(UserError, match="left anything behind"):
            await desk.runtime.orphans.remove(name)
