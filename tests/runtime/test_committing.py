"""A person commits what stands in a worktree, under the same policy as an agent."""

import pathlib

import pytest

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.files import watch
from agentos_lsp.runtime import committing, ending
from tests.runtime import support

SECRET = "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"


async def commit(desk, name, message="", *, confirmed=False):
    return await desk.holding(name, lambda it: committing.commit(it, message, "a test", confirmed=confirmed))


async def test_what_was_left_uncommitted_is_committed_and_can_be_merged(house):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "new\n"}}], task="Mend it\n\nall of it")
        with pytest.raises(UserError, match="no commit to merge"):
            await desk.merge(name)
        made = await commit(desk, name)
        assert isinstance(made, committing.Committed)
        assert made.files == ("new.txt",)
        assert house.git("show", "-s", "--format=%an|%s|%(trailers:key=AgentOS-Session,valueonly)", made.commit) == (
            f"Test Person|Mend it|{name}"
        )
        now = await desk.state(name)
        assert (now.head, now.commits) == (made.commit, (made.commit,))
        assert isinstance(await desk.merge(name), ending.Merged)
        assert (house.root / "new.txt").read_text() == "new\n"
    support.assert_sound(house.log(name))


async def test_nothing_is_committed_twice_nor_while_the_agent_works(house):
    async with house.open() as desk:
        name = await desk.begin([{"write": {"path": "new.txt", "text": "new\n"}}, {"run": "touch a"}])
        await desk.question(name)
        with pytest.raises(UserError, match="still working"):
            await commit(desk, name)
        await desk.runtime.stop(ids.SessionId(name), "a test")
        await commit(desk, name, "Mine")
        with pytest.raises(UserError, match="nothing to commit"):
            await commit(desk, name)
        assert [one.message for one in desk.of("review.committed")] == ["Mine"]


@pytest.mark.parametrize(("action", "kind"), [("refuse", "refused"), ("review", "unconfirmed")])
async def test_what_the_policy_finds_is_shown_and_holds_for_a_person_too(house, action, kind):
    house.user_policy.write_text(f'[rules]\nsecret = "{action}"\n')
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "k.py", "text": SECRET}}])
        found = await commit(desk, name)
        assert isinstance(found, committing.NotCommitted)
        assert (found.kind, [one.rule for one in found.findings]) == (kind, ["policy.secret"])
        assert house.git("rev-parse", f"agentos/{name}") == house.git("rev-parse", "main")
        assert [one.rule for one in (await desk.state(name)).findings] == ["policy.secret"]
        again = await commit(desk, name, confirmed=True)
        assert isinstance(again, committing.Committed if action == "review" else committing.NotCommitted)


async def test_nobody_confirms_what_they_have_not_seen(house):
    house.user_policy.write_text('[rules]\nsecret = "review"\n')
    async with house.open() as desk:
        name = await desk.play(
            [{"write": {"path": "k.py", "text": SECRET}}],
        )
        assert (await commit(desk, name)).kind == "unconfirmed"
        folder = pathlib.Path((await desk.state(name)).worktree.folder)
        (folder / "other.py").write_text(SECRET.replace("KEY", "OTHER"))
        found = await commit(desk, name, confirmed=True)
        assert (found.kind, [one.path for one in found.findings]) == ("unconfirmed", ["k.py", "other.py"])
        assert isinstance(await commit(desk, name, confirmed=True), committing.Committed)


async def test_a_commit_whose_record_was_lost_is_found_again_as_the_persons(house):
    house.user_policy.write_text('[rules]\nsecret = "review"\n')
    store = support.FailingStore(house.state, lambda event: event.type == "review.committed")
    async with house.open(store) as desk:
        name = await desk.play([{"write": {"path": "k.py", "text": SECRET}}])
        await commit(desk, name)
        with pytest.raises(EffectError, match="the disk is full"):
            await commit(desk, name, confirmed=True)
    async with house.open() as desk:
        now = await desk.state(name)
        assert now.head == house.git("rev-parse", f"agentos/{name}") != house.git("rev-parse", "main")
        assert [(one.files, one.by) for one in house.log(name) if one.type == "review.committed"] == [
            (("k.py",), "a test")
        ]
    support.assert_sound(house.log(name))


async def test_a_commit_that_was_not_made_is_not_recorded(house):
    store = support.FailingStore(house.state, lambda event: event.type == "review.commit_attempted")
    async with house.open(store) as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "new\n"}}])
        with pytest.raises(EffectError, match="the disk is full"):
            await commit(desk, name)
    async with house.open() as desk:
        assert (await desk.state(name)).commits == ()
        assert isinstance(await commit(desk, name), committing.Committed)


async def test_a_task_whose_first_line_ends_in_a_blank_is_found_again_too(house):
    store = support.FailingStore(house.state, lambda event: event.type == "review.committed")
    async with house.open(store) as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "new\n"}}], task="Mend it  \n\nall of it")
        with pytest.raises(EffectError, match="the disk is full"):
            await commit(desk, name)
    async with house.open() as desk:
        assert (await desk.state(name)).head == house.git("rev-parse", f"agentos/{name}")


async def test_another_commit_in_the_same_words_is_not_taken_for_the_persons(house):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "new\n"}}], task="Mend it")
        worktree = (await desk.state(name)).worktree
        lock = pathlib.Path(worktree.admin, "index.lock")
        lock.write_text("")  # noqa: ASYNC240 - a test
        with pytest.raises(EffectError):
            await commit(desk, name)
        lock.unlink()  # noqa: ASYNC240
        pathlib.Path(worktree.folder, "k.py").write_text(SECRET)  # noqa: ASYNC240
        house.git("add", "-A", cwd=worktree.folder)
        house.git("commit", "-qm", "Mend it, and more", cwd=worktree.folder)
        pathlib.Path(worktree.folder, "z.txt").write_text("z")  # noqa: ASYNC240
        assert isinstance(await commit(desk, name), committing.NotCommitted | committing.Committed)
        recorded = [one.files for one in desk.of("review.committed")]
        assert ("new.txt",) not in recorded


async def test_what_lies_in_folders_that_nobody_watches_is_committed_too(house, monkeypatch):
    house.commit("an ignored folder", {".gitignore": "gen/\n"})
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "gen/old.txt", "text": "old\n"}}])
        folder = pathlib.Path((await desk.state(name)).worktree.folder)
        eyes = ids.SessionId(name)
        await desk.runtime.reviews.shown(eyes)
        (folder / ".gitignore").write_text("\n")
        await desk.runtime.reviews.shown(eyes)
        (folder / "gen/new.txt").write_text("new\n")
        made = await commit(desk, name)
        assert made.files == (".gitignore", "gen/new.txt", "gen/old.txt")
        monkeypatch.setattr(watch, "FOLDERS", 0)
        (folder / "made").mkdir()
        (folder / "made/one.txt").write_text("1\n")
        await desk.runtime.reviews.shown(eyes)
        (folder / "made/two.txt").write_text("2\n")
        assert (await commit(desk, name)).files == ("made/one.txt", "made/two.txt")
        assert house.git("status", "--porcelain", cwd=folder) == ""
