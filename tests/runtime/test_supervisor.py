"""All sessions: where one can begin, how one is merged or discarded, and two runtimes over one state folder."""

import asyncio
import pathlib

import pytest

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import AgentosError, ConfigError, UserError
from agentos_lsp.runtime import ending
from tests.runtime import support

CHANGE = [{"edit": {"path": "a.txt", "old": "two", "new": "2"}}, {"commit": "Change two", "expect": "ok"}]


def one(name):
    return ids.SessionId(name)


# --- beginning -----------------------------------------------------------------------------------------------------


async def test_a_session_works_on_its_own_branch_in_a_locked_worktree_that_git_shows(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}])
        worktree = (await desk.state(name)).worktree
        assert house.worktrees() == [worktree.folder]
        assert worktree.branch == f"agentos/{name}"
        assert "locked agentos session" in house.git("worktree", "list", "--porcelain")
        assert not worktree.folder.startswith(str(house.root))


@pytest.mark.parametrize("name", ["my repo", "dépôt ü 中", "a'b\"c$d"])
async def test_a_repository_with_an_odd_name_works_from_start_to_merge(tmp_path, name):
    house = support.House(tmp_path, name)
    async with house.open() as desk:
        session = await desk.play([*CHANGE, {"run": "ls", "expect": "ok"}], task="Änder' es: \u4e2d\u6587")
        await desk.merge(session)
    assert (house.root / "a.txt").read_text() == "one\n2\nthree\n"
    house.assert_nothing_left()


async def test_a_dirty_checkout_is_left_as_it_is_and_the_session_begins_from_the_commit(house):
    (house.root / "a.txt").write_text("dirty\n")
    async with house.open() as desk:
        await desk.play([{"run": "cat a.txt", "expect": "ok"}])
        assert [said.text for said in desk.of("command.output")] == ["one\ntwo\nthree\n"]
    assert (house.root / "a.txt").read_text() == "dirty\n"


async def test_a_session_from_a_detached_head_is_merged_into_a_branch_that_is_named(house):
    house.git("checkout", "--quiet", "--detach")
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        with pytest.raises(UserError, match="detached"):
            await desk.merge(name)
        assert isinstance(await desk.merge(name, into="main"), ending.Merged)
    assert "2" in house.git("show", "main:a.txt")


@pytest.mark.parametrize("kind", ["none", "unborn", "bare", "missing"])
async def test_a_folder_that_no_session_can_begin_from_is_refused_with_what_to_do(house, kind):
    folder = house.folder / kind
    if kind != "missing":
        folder.mkdir()
    if kind in {"unborn", "bare"}:
        house.git("init", "--quiet", *(["--bare"] if kind == "bare" else []), cwd=folder)
    async with house.open() as desk:
        with pytest.raises(UserError) as caught:
            await desk.begin([{"run": "ls"}], workspace=folder)
        assert caught.value.hint
        assert desk.runtime.states() == ()
    assert desk.events == []


async def test_a_broken_policy_file_refuses_the_start_and_names_the_line(house):
    house.commit("policy", {".agentos/policy.toml": "[commit]\nmax_files = 'many'\n"})
    async with house.open() as desk:
        with pytest.raises(ConfigError) as caught:
            await desk.begin([{"run": "ls"}])
        assert (caught.value.file, caught.value.line) == (".agentos/policy.toml", 1)
    assert desk.events == []


async def test_a_missing_script_an_unknown_agent_and_an_empty_task_are_refused(house):
    from agentos_lsp.runtime import supervisor

    async with house.open() as desk:
        for task, agent, script in [("x", "scripted", "/missing.yaml"), ("x", "other", None), (" ", "scripted", None)]:
            with pytest.raises(UserError):
                await desk.runtime.start(supervisor.Start(str(house.root), task, agent, script, None, "a test"))
    assert desk.events == []


async def test_a_start_that_is_cancelled_leaves_nothing(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "ls"}])
        desk.runtime.cancel_start(one(name))
        failure = await desk.event("failure.recorded")
        assert "cancelled" in failure.message
        assert (await desk.state(name)).status == "failed"
    house.assert_nothing_left()


async def test_a_session_that_is_discarded_while_it_starts_leaves_nothing(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "ls"}])
        await desk.runtime.discard(one(name), "a test")
        assert not (await desk.state(name)).is_live
    house.assert_nothing_left()


async def test_a_runtime_that_ends_while_a_session_starts_leaves_nothing_half_made(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "ls"}])
    async with house.open() as desk:
        assert (await desk.state(name)).status == "failed"
    house.assert_nothing_left()


async def test_a_name_that_is_taken_already_is_not_given_twice(house):
    numbers = iter(["aaaa", "t1", "c1", "t2", "aaaa", "bbbb", *(f"x{n}" for n in range(99))])
    async with house.open(new_id=lambda: next(numbers)) as desk:
        first = await desk.play([{"run": "ls"}])
        await desk.runtime.prompt(one(first), "Again", "a test")
        await desk.event("turn.finished", 2)
        assert [first, await desk.begin([{"run": "ls"}])] == ["mend-it-aaaa", "mend-it-bbbb"]


# --- merging -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["fast-forward", "merge", "squash", "rebase"])
async def test_a_merge_brings_the_work_into_the_checkout_and_leaves_nothing_behind(house, strategy):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        made = await desk.merge(name, strategy, message="Bring it")
        assert isinstance(made, ending.Merged)
        assert (made.into, made.files) == ("main", ("a.txt",))
        assert made.commit == house.git("rev-parse", "main")
        now = await desk.state(name)
        assert (now.status, now.worktree, now.merge_commit) == ("merged", None, made.commit)
        with pytest.raises(UserError):
            await desk.merge(name)
        with pytest.raises(UserError):
            await desk.runtime.prompt(one(name), "More", "a test")
        assert await desk.runtime.changes(one(name)) == ()
    assert (house.root / "a.txt").read_text() == "one\n2\nthree\n"
    assert house.git("status", "--porcelain") == ""
    house.assert_nothing_left()
    assert house.verify(name) is None


async def test_a_fast_forward_is_refused_when_the_branch_has_gone_on_and_a_merge_is_made_instead(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        house.commit("other", {"b.txt": "b\n"})
        refused = await desk.merge(name, "fast-forward")
        assert (refused.kind, refused.paths) == ("refused", ())
        assert (await desk.state(name)).status == "idle"
        assert isinstance(await desk.merge(name, "merge"), ending.Merged)
    assert house.git("log", "-1", "--format=%p").count(" ") == 1


async def test_a_conflict_leaves_both_sides_untouched_and_is_listed(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        mine = house.commit("mine", {"a.txt": "one\nzwei\nthree\n"})
        before = (await desk.state(name)).head
        found = await desk.merge(name)
        assert (found.kind, found.paths) == ("conflict", ("a.txt",))
        assert (await desk.state(name)).conflicts == ("a.txt",)
        assert [house.git("rev-parse", "main"), house.git("rev-parse", f"agentos/{name}")] == [mine, before]
        assert house.git("status", "--porcelain") == ""
        assert len(house.worktrees()) == 1


async def test_a_file_in_the_way_that_is_not_committed_is_never_overwritten(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        (house.root / "a.txt").write_text("mine\n")
        found = await desk.merge(name)
        assert (found.kind, found.paths) == ("refused", ("a.txt",))
        assert (house.root / "a.txt").read_text() == "mine\n"
        house.git("checkout", "--quiet", "a.txt")
        assert isinstance(await desk.merge(name), ending.Merged)


async def test_a_file_with_unsaved_changes_in_an_editor_is_named_and_refused(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        found = await desk.merge(name, unsaved={str(house.root / "a.txt")})
        assert (found.kind, found.paths) == ("refused", ("a.txt",))
        assert isinstance(await desk.merge(name, unsaved={str(house.root / "tool.py")}), ending.Merged)


async def test_a_merge_that_would_lose_uncommitted_work_is_refused(house):
    async with house.open() as desk:
        name = await desk.play([*CHANGE, {"write": {"path": "more.txt", "text": "x"}}])
        with pytest.raises(UserError, match=r"more\.txt"):
            await desk.merge(name)


async def test_a_session_without_a_commit_or_with_a_turn_under_way_is_not_merged(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}])
        await desk.question(name)
        with pytest.raises(UserError, match="still working"):
            await desk.merge(name)
        await desk.runtime.stop(one(name), "a test")
        with pytest.raises(UserError, match="no commit"):
            await desk.merge(name)


async def test_a_session_is_not_merged_into_its_own_branch_which_would_lose_it(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        with pytest.raises(UserError, match="own branch"):
            await desk.merge(name, into=f"agentos/{name}")
        with pytest.raises(UserError, match="no branch"):
            await desk.merge(name, into="missing")
        assert f"agentos/{name}" in house.branches()


async def test_of_two_merges_at_once_only_one_is_made(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        found = await asyncio.gather(desk.merge(name), desk.merge(name), return_exceptions=True)
        assert [type(outcome) for outcome in found] == [ending.Merged, UserError]
        assert len(desk.of("merge.attempted")) == 1
    house.assert_nothing_left()


async def test_a_merge_goes_on_although_the_connection_that_asked_for_it_goes_away(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        merging = asyncio.get_running_loop().create_task(desk.merge(name))
        await desk.event("merge.attempted")
        merging.cancel()
        await desk.event("worktree.removed")
    house.assert_nothing_left()


async def test_a_prompt_that_comes_during_a_merge_that_is_refused_is_taken_afterwards(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE, [{"run": "ls"}])
        (house.root / "a.txt").write_text("mine\n")
        merging = asyncio.get_running_loop().create_task(desk.merge(name))
        await desk.event("merge.attempted")
        await desk.runtime.prompt(one(name), "Go on", "a test")
        await merging
        await desk.event("turn.finished", 2)


async def test_a_commit_past_the_gate_is_inspected_before_it_is_merged(house):
    secret = "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        folder = house.root / (await desk.state(name)).worktree.folder
        (folder / "k.py").write_text(secret)
        house.git("add", "k.py", cwd=folder)
        house.git("commit", "--quiet", "--message=by hand", cwd=folder)
        found = await desk.merge(name)
        assert (found.kind, found.paths) == ("refused", ("k.py",))
        assert not (house.root / "k.py").exists()


async def test_a_background_process_does_not_outlive_the_merge(house):
    async with house.open() as desk:
        name = await desk.play([*CHANGE, {"start": {"line": "sleep 300", "name": "server"}}])
        await desk.merge(name)
        assert [end.ended_by for end in desk.of("command.finished")] == ["shutdown"]
    house.assert_nothing_left()


async def test_the_changes_and_the_base_of_a_session_can_be_looked_at(house):
    async with house.open() as desk:
        name = await desk.play([*CHANGE, {"write": {"path": "more.txt", "text": "x\n"}}])
        changed, added = await desk.runtime.changes(one(name))
        assert (changed.path, changed.status, changed.additions, changed.deletions) == ("a.txt", "modified", 1, 1)
        assert (added.path, added.status, added.additions, added.deletions) == ("more.txt", "added", 1, 0)
        assert await desk.runtime.base_text(one(name), "a.txt") == b"one\ntwo\nthree\n"
        assert await desk.runtime.base_text(one(name), "more.txt") is None


# --- discarding ----------------------------------------------------------------------------------------------------


async def test_a_discard_shows_what_is_lost_and_removes_worktree_and_branch(house):
    async with house.open() as desk:
        name = await desk.play([*CHANGE, {"write": {"path": "more.txt", "text": "x"}}])
        (made,) = desk.of("commit.made")
        shown = await desk.runtime.losses(one(name))
        assert (shown.commits, shown.uncommitted) == ((made.commit,), ("more.txt",))
        assert len(house.worktrees()) == 1
        assert await desk.runtime.discard(one(name), "a test") == shown
        assert (await desk.state(name)).status == "discarded"
        (attempt,) = desk.of("discard.attempted")
        assert (attempt.commits, attempt.uncommitted) == (shown.commits, shown.uncommitted)
        with pytest.raises(UserError):
            await desk.runtime.discard(one(name), "a test")
    house.assert_nothing_left()


async def test_what_cannot_be_kept_is_not_removed(house):
    async with house.open() as desk:
        name = await desk.play([*CHANGE, {"write": {"path": "more.txt", "text": "x"}}])
        house.git("update-ref", "refs/agentos/removed", "HEAD")  # a reference where a folder of references is needed
        with pytest.raises(AgentosError):
            await desk.runtime.discard(one(name), "a test")
        (folder,) = house.worktrees()
        assert (pathlib.Path(folder) / "more.txt").read_text() == "x"
        assert f"agentos/{name}" in house.branches()
        house.git("update-ref", "-d", "refs/agentos/removed")
        await desk.runtime.discard(one(name), "a test")
        assert house.git("show", f"refs/agentos/removed/{name}:more.txt") == "x"
    house.assert_nothing_left()
    support.assert_sound(house.log(name))


async def test_a_discard_in_the_middle_of_a_turn_ends_it_first(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "sleep 300"}])
        await desk.event("command.started")
        await desk.runtime.discard(one(name), "a test")
        assert (await desk.state(name)).status == "discarded"
    house.assert_nothing_left()
    support.assert_sound(house.log(name))


# --- more than one runtime -----------------------------------------------------------------------------------------


async def test_a_second_runtime_shows_a_session_and_leaves_it_alone_until_the_first_lets_go(house):
    async with house.open() as second:
        async with house.open() as first:
            name = await first.begin([{"run": "touch a"}])
            asked = await first.question(name)
            assert [state.status for state in await second.runtime.all_states()] == ["waiting"]
            assert second.runtime.states() == ()
            for act in (second.answer(name, asked), second.runtime.stop(one(name), "x"), second.merge(name)):
                with pytest.raises(UserError, match="not one that this server runs"):
                    await act
        await second.runtime.resume(one(name), "a test")
        again = await second.question(name)
        assert again.approval != asked.approval
        await second.answer(name, again)
        await second.event("turn.finished")
    support.assert_sound(house.log(name))


async def test_a_session_that_does_not_exist_is_refused_everywhere(house):
    async with house.open() as desk:
        for name in ("missing", "../../etc", ""):
            with pytest.raises(UserError):
                await desk.state(name)
            with pytest.raises(AgentosError):
                await desk.runtime.discard(one(name), "a test")


async def test_a_damaged_trace_of_one_session_does_not_hide_the_others(house):
    import sqlite3

    async with house.open() as desk:
        damaged = await desk.play([{"run": "ls"}], task="Damaged")
        whole = await desk.begin([{"run": "touch a"}], task="Whole")
        await desk.event("approval.requested", session=whole)
    connection = sqlite3.connect(house.state / "events.db")
    connection.execute("UPDATE events SET body = '{}' WHERE session = ? AND sequence = 2", (damaged,))
    connection.commit()
    connection.close()
    async with house.open() as desk:
        assert [state.session for state in await desk.runtime.all_states()] == [whole]
        await desk.runtime.discard(one(whole), "a test")
    assert house.verify(damaged) is not None


async def test_a_merge_that_is_cancelled_is_refused_and_can_be_made_again(house):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "new.txt", "text": "x\n"}}, {"commit": "Add it"}])
        desk.runtime.cancel_merge(one(name))  # nothing is under way yet: this counts for no later merge
        stop = desk.runtime.subscribe(
            lambda event, _now: desk.runtime.cancel_merge(one(name)) if event.type == "merge.attempted" else None,
            lambda _progress: None,
        )
        outcome = await desk.merge(name)
        assert isinstance(outcome, ending.NotMerged)
        assert outcome.message == "The merge was cancelled; nothing was changed."
        assert not (house.root / "new.txt").exists()
        stop()
        assert isinstance(await desk.merge(name), ending.Merged)
    house.assert_nothing_left()
