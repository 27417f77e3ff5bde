"""A session's checkpoints: before every turn, on demand, restored and undone, and gone with the session."""

import asyncio
from pathlib import Path

import pytest

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import checkpoints
from tests.runtime import support

WRITE = [{"write": {"path": "new.txt", "text": "one\n"}}, {"run": "echo by a command > made.txt"}]
MORE = [{"edit": {"path": "new.txt", "old": "one", "new": "two"}}]


async def on(desk, name, act):
    return await desk.runtime.on(ids.SessionId(name), act)


async def restore(desk, name, number):
    async def act(one):
        with one.hold():
            return await checkpoints.restore(one, one.place, number, "a test")

    return await on(desk, name, act)


async def played(desk):
    """A session with two turns: the second begins with a checkpoint of what the first made."""
    name = await desk.begin(WRITE, MORE)
    await desk.answer(name, await desk.question(name))
    await desk.event("turn.finished")
    await desk.runtime.prompt(ids.SessionId(name), "More", "a test")
    await desk.event("turn.finished", 2)
    return name


async def test_every_turn_begins_with_a_checkpoint_of_what_commands_wrote_too(house):
    async with house.open() as desk:
        name = await played(desk)
        (made,) = desk.of("checkpoint.made")
        assert (made.number, made.occasion, made.files) == (1, "turn", 2)
        assert house.git("show", f"{made.commit}:made.txt") == "by a command"
        order = support.kinds(house.log(name))
        assert order.index("checkpoint.made") < len(order) - order[::-1].index("turn.started")


async def test_a_restore_is_undone_by_the_checkpoint_that_it_names(house):
    async with house.open() as desk:
        name = await played(desk)
        folder = Path((await desk.state(name)).worktree.folder)
        back = await restore(desk, name, 0)
        assert (back.files, back.kept) == (2, ())
        assert not (folder / "new.txt").exists()
        assert not (folder / "made.txt").exists()
        await restore(desk, name, 1)
        assert (folder / "new.txt").read_text() == "one\n"
        assert (await restore(desk, name, back.undo)).kept == ()
        assert (folder / "new.txt").read_text() == "two\n"
        assert (folder / "made.txt").read_text() == "by a command\n"
        now = await desk.state(name)
        assert [(one.number, one.occasion) for one in now.checkpoints] == [
            (1, "turn"),
            (2, "restore"),
            (3, "restore"),
            (4, "restore"),
        ]
    support.assert_sound(house.log(name))
    assert house.verify(name) is None


async def test_any_two_are_compared_and_one_with_now(house):
    async with house.open() as desk:
        name = await played(desk)
        assert "+two" in await on(desk, name, lambda one: checkpoints.diff(one, one.place, 0, None))
        assert await on(desk, name, lambda one: checkpoints.take(one, one.place, "asked", "It works")) == 2
        between = await on(desk, name, lambda one: checkpoints.diff(one, one.place, 1, 2))
        assert ("-one" in between, "+two" in between, "made.txt" in between) == (True, True, False)
        assert await on(desk, name, lambda one: checkpoints.take(one, one.place, "asked", "")) == 2
        assert house.git("log", "-1", "--format=%b", desk.of("checkpoint.made")[-1].commit) == "It works"


async def test_one_that_does_not_exist_is_refused_and_a_working_agent_is_not_disturbed(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "python3 tool.py"}])
        asked = await desk.question(name)
        with pytest.raises(UserError, match="still working"):
            await restore(desk, name, 0)
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        with pytest.raises(UserError, match="no checkpoint 7"):
            await restore(desk, name, 7)
    assert "checkpoint.restore_attempted" not in support.kinds(house.log(name))


async def test_two_that_ask_at_once_get_one_checkpoint(house):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "x\n"}}])
        asked = [on(desk, name, lambda one: checkpoints.take(one, one.place, "asked", "")) for _ in range(5)]
        assert await asyncio.gather(*asked) == [1] * 5


async def test_checkpoints_are_found_again_after_a_restart(house):
    async with house.open() as desk:
        name = await played(desk)
    async with house.open() as desk:
        assert (await restore(desk, name, 1)).kept == ()
        folder = Path((await desk.state(name)).worktree.folder)
        assert (folder / "new.txt").read_text() == "one\n"


async def test_a_turn_begins_all_the_same_where_no_checkpoint_can_be_kept(house):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "x\n"}}], task="Block it")
        # A reference of that very name's folder stands in the way.
        house.git("update-ref", f"refs/agentos/{name}", "HEAD")
        await desk.runtime.prompt(ids.SessionId(name), "More", "a test")
        await desk.event("turn.finished", 2)
        assert [one.where for one in desk.of("failure.recorded")][:1] == ["checkpoint"]


@pytest.mark.parametrize("ending", ["merge", "discard"])
async def test_checkpoints_go_with_the_session(house, ending):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "x\n"}}, {"commit": "New"}])
        await on(desk, name, lambda one: checkpoints.take(one, one.place, "asked", ""))
        assert house.git("for-each-ref", "refs/agentos")
        await (desk.merge(name) if ending == "merge" else desk.runtime.discard(ids.SessionId(name), "a test"))
    assert house.git("for-each-ref", f"refs/agentos/{name}") == ""
    house.assert_nothing_left()


async def test_a_restore_is_told_to_the_agent_and_taken_for_nobodys_edit(house):
    async with house.open() as desk:
        name = await played(desk)
        await desk.runtime.reviews.shown(ids.SessionId(name))
        await restore(desk, name, 0)
        shown = await desk.runtime.reviews.shown(ids.SessionId(name))
        assert shown.changes == ()
        assert desk.of("review.edited") == []
        await desk.runtime.prompt(ids.SessionId(name), "Go on", "a test")
        await desk.event("turn.finished", 3)
        told = desk.of("turn.started")[-1].prompt
        assert told.startswith("A person brought the files of your worktree back to how they were where the session")
        assert told.endswith("Go on")
        assert (await desk.state(name)).review.notes == ()
