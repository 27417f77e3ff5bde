"""A merge previewed, and undone as long as nothing came on top, also by a later runtime."""

import asyncio
from pathlib import Path

import pytest

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import ending, merging
from tests.runtime import support

CHANGE = [{"edit": {"path": "a.txt", "old": "two", "new": "2"}}, {"commit": "Change two", "expect": "ok"}]
NONE: frozenset[str] = frozenset()


async def preview(desk, name, strategy="merge", into=None, unsaved=NONE):
    return await desk.runtime.on(ids.SessionId(name), lambda one: merging.preview(one, strategy, into, unsaved))


async def undo(desk, name, unsaved=NONE):
    return await merging.undo(await desk.runtime.ended(ids.SessionId(name)), desk.runtime.doors.git, unsaved, "a test")


async def test_a_preview_says_what_a_merge_would_do_and_changes_nothing(house):
    async with house.open() as desk:
        name = await desk.play([*CHANGE, {"write": {"path": "left.txt", "text": "x\n"}}])
        log, refs = house.log(name), house.git("for-each-ref")
        found = await preview(desk, name)
        assert (found.into, found.kind, found.paths, found.conflicts) == ("main", "fast-forward", ("a.txt",), ())
        assert (found.uncommitted, found.possible) == (("left.txt",), False)
        assert (house.log(name), house.git("for-each-ref")) == (log, refs)


async def test_a_preview_shows_conflicts_policy_and_what_stands_in_the_way(house):
    async with house.open() as desk:
        secret = "AKIA" + "Z7Q2M4N6P8R1S3T5"
        name = await desk.play(CHANGE)
        folder = Path((await desk.state(name)).worktree.folder)
        (folder / "key.txt").write_text(f"{secret}\n")
        house.git("add", "-A", cwd=folder)
        house.git("commit", "-qm", "past the gate", cwd=folder)
        found = await preview(desk, name)
        refused = [(one.path, one.message) for one in found.findings if one.action == "refuse"]
        assert [path for path, _ in refused] == ["key.txt"]
        assert "AWS" in refused[0][1]
        assert not found.possible
        (house.root / "a.txt").write_text("dirty\n")
        found = await preview(desk, name)
        assert found.in_the_way == ("a.txt",)
        house.commit("mine", {"a.txt": "mine\n"})
        assert (await preview(desk, name)).conflicts == ("a.txt",)
        assert (await preview(desk, name, "rebase")).conflicts == ("a.txt",)
        assert "cannot be moved along" in (await preview(desk, name, "fast-forward")).hindrance


@pytest.mark.parametrize("later", [False, True])
async def test_a_merge_is_undone_and_its_commits_keep_a_branch(house, later):
    before = house.git("rev-parse", "main")
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        source = house.git("rev-parse", f"agentos/{name}")
        assert isinstance(await desk.merge(name), ending.Merged)
        if not later:
            done = await undo(desk, name)
    if later:
        async with house.open() as desk:
            done = await undo(desk, name)
    assert done == merging.Undone("main", before, f"agentos/{name}")
    assert house.git("rev-parse", "main") == before
    assert house.git("rev-parse", f"agentos/{name}") == source
    assert (house.root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert house.git("status", "--porcelain") == ""
    assert support.assert_sound(house.log(name)).status == "undone"
    assert house.verify(name) is None
    async with house.open() as desk:
        with pytest.raises(UserError, match="not merged"):
            await undo(desk, name)
    assert house.git("rev-parse", f"agentos/{name}") == source


async def test_a_merge_with_commits_on_top_stays_and_no_branch_is_left(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        await desk.merge(name)
        top = house.commit("on top", {"b.txt": "b\n"})
        refused = await undo(desk, name)
        assert isinstance(refused, ending.NotMerged)
        assert "on top" in refused.message
        assert house.git("rev-parse", "main") == top
        house.assert_nothing_left()
        assert (await desk.state(name)).status == "merged"


async def test_unsaved_files_of_an_editor_stop_the_undoing(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        await desk.merge(name)
        refused = await undo(desk, name, frozenset({str(house.root / "a.txt")}))
        assert isinstance(refused, ending.NotMerged)
        assert refused.paths == ("a.txt",)


async def test_of_two_that_undo_at_once_one_does(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        await desk.merge(name)
        done = await asyncio.gather(undo(desk, name), undo(desk, name), return_exceptions=True)
        assert [type(one) for one in done] == [merging.Undone, UserError]
        assert len(desk.of("merge.undone")) == 1


async def test_an_undoing_that_was_cut_off_is_completed_by_the_next(house):
    store = support.FailingStore(house.state, lambda event: event.type == "merge.undone", for_ever=True)
    before = house.git("rev-parse", "main")
    async with house.open(store) as desk:
        name = await desk.play(CHANGE)
        await desk.merge(name)
        with pytest.raises(Exception, match="the disk is full"):
            await undo(desk, name)
    assert house.git("rev-parse", "main") == before
    async with house.open() as desk:
        assert isinstance(await undo(desk, name), merging.Undone)
        assert (await desk.state(name)).status == "undone"


async def test_only_a_merged_session_is_undone(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        with pytest.raises(UserError, match="not merged"):
            await undo(desk, name)
        with pytest.raises(UserError, match="no session"):
            await undo(desk, "nobody-x")
