"""A runtime that ended at any moment, and the next one: nothing is lost, nothing is left, everything can go on."""

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest

from agentos_lsp.domain import approval, ids
from agentos_lsp.domain.command import allowlist
from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.effects.store import Store
from agentos_lsp.runtime import ending, recovery
from tests.runtime import support

CHANGE = [{"edit": {"path": "a.txt", "old": "two", "new": "2"}}, {"commit": "Change two", "expect": "ok"}]


def one(name):
    return ids.SessionId(name)


@contextlib.asynccontextmanager
async def dying(house, fails):
    """A runtime whose log takes nothing more from the first event on for which `fails` holds, as if it were killed."""
    store = support.FailingStore(house.state, fails, for_ever=True)
    try:
        async with house.open(store) as desk:
            yield desk
    except* AgentosError:
        pass


def of(kind):
    return lambda event: event.type == kind


# --- questions -----------------------------------------------------------------------------------------------------


async def test_an_unanswered_question_is_asked_again_and_its_answer_resumes_the_session(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt"}, {"run": "ls"}])
        first = await desk.question(name)
    async with house.open() as desk:
        (question,) = (await desk.state(name)).questions.values()
        assert question.approval != first.approval
        assert (question.line, question.cwd, question.prefix) == (first.line, first.cwd, first.prefix)
        assert (await desk.state(name)).status == "waiting"
        assert isinstance(await desk.answer(name, first), approval.Stale)
        await desk.answer(name, question)
        await desk.event("turn.finished")
        assert [start.line for start in desk.of("command.started")] == ["touch made.txt", "ls"]
        assert len(desk.of("approval.requested")) == 1
    support.assert_sound(house.log(name))


async def test_a_question_that_is_asked_again_can_be_rejected_and_the_agent_hears_why(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt", "expect": "refused"}, {"run": "ls"}])
        await desk.question(name)
    async with house.open() as desk:
        (question,) = (await desk.state(name)).questions.values()
        await desk.answer(name, question, "rejected", comment="No.")
        await desk.event("turn.finished")
        assert desk.told() == ["A person rejected this: No."]
        assert [start.line for start in desk.of("command.started")] == ["ls"]


async def test_the_scope_of_an_answer_given_after_a_restart_counts(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}, {"run": "touch b"}])
        await desk.question(name)
    async with house.open() as desk:
        (question,) = (await desk.state(name)).questions.values()
        await desk.answer(name, question, scope="prefix")
        await desk.event("turn.finished")
        assert (await desk.state(name)).prefixes == (allowlist.TokenPrefix(("touch",)),)
    support.assert_sound(house.log(name))


@pytest.mark.parametrize("lost", ["command.started", "allowlist.extended"])
async def test_what_was_approved_but_never_started_is_asked_again(house, lost):
    async with dying(house, of(lost)) as desk:
        name = await desk.begin([{"run": "touch made.txt"}])
        await desk.answer(name, await desk.question(name), scope="line")
        await halted(desk, name)
    async with house.open() as desk:
        (question,) = (await desk.state(name)).questions.values()
        await desk.answer(name, question)
        await desk.event("turn.finished")
    assert support.assert_sound(house.log(name)).status == "idle"


async def halted(desk, name):
    """Waits until a session found its log closed."""
    async with asyncio.timeout(support.WAIT_S):
        session = desk.runtime._sessions[name]
        while not session._halted:  # noqa: ASYNC110 - a closed log tells nobody
            await asyncio.sleep(0.002)


async def test_what_a_person_rejected_stays_rejected_over_a_restart(house):
    async with dying(house, of("tool_call.refused")) as desk:
        name = await desk.begin([{"run": "touch made.txt", "expect": "refused"}, {"run": "ls", "expect": "ok"}])
        await desk.answer(name, await desk.question(name), "rejected", comment="Never.")
        await halted(desk, name)
    async with house.open() as desk:
        assert (await desk.state(name)).questions == {}
        await desk.runtime.resume(one(name), "a test")
        await desk.event("turn.finished")
        log = house.log(name)
    assert [event.message for event in log if event.type == "tool_call.refused"] == ["A person rejected this: Never."]
    assert [event.line for event in log if event.type == "command.started"] == ["ls"]
    support.assert_sound(log)


async def test_a_commit_that_waited_for_review_is_asked_about_again_only_if_it_changed(house):
    house.user_policy.write_text('[rules]\nsecret = "review"\n')
    steps = [{"write": {"path": "k.py", "text": "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"}}, {"commit": "Add"}]
    async with house.open() as desk:
        name = await desk.begin(steps)
        first = await desk.question(name)
    async with house.open() as desk:
        (question,) = (await desk.state(name)).questions.values()
        assert question.line == first.line
        (Path((await desk.state(name)).worktree.folder) / "more.txt").write_text("changed meanwhile\n")
        await desk.answer(name, question)
        again = await desk.question(name, 2)
        assert again.line != first.line
        await desk.answer(name, again)
        await desk.event("turn.finished")
        assert len(desk.of("commit.made")) == 1


# --- commands, files, commits --------------------------------------------------------------------------------------


async def test_what_had_started_without_an_end_is_unknown_and_the_agent_is_told(house):
    async with dying(house, of("command.finished")) as desk:
        name = await desk.begin([{"run": "cat a.txt"}, {"run": "ls", "expect": "ok"}])
        await halted(desk, name)
    async with house.open() as desk:
        now = await desk.state(name)
        assert now.status == "interrupted"
        assert [call.step for call in now.calls.values()] == ["unknown"]
        await desk.runtime.resume(one(name), "a test")
        await desk.event("turn.finished")
        assert ["unknown" in message for message in desk.told()] == [True]
        assert [start.line for start in desk.of("command.started")] == ["ls"]


async def test_a_commit_whose_record_was_cut_off_is_found_in_git(house):
    async with dying(house, of("commit.made")) as desk:
        name = await desk.begin(CHANGE)
        await halted(desk, name)
    async with house.open() as desk:
        now = await desk.state(name)
        assert now.commits == (house.git("rev-parse", f"agentos/{name}"),)
        await desk.runtime.resume(one(name), "a test")
        await desk.event("turn.finished")
        assert isinstance(await desk.merge(name), ending.Merged)
    house.assert_nothing_left()


async def test_an_interrupted_turn_can_be_stopped_and_the_session_merged_or_prompted(house):
    async with dying(house, of("tool_call.requested")) as desk:
        name = await desk.begin(CHANGE)
        await halted(desk, name)
    async with house.open() as desk:
        assert (await desk.state(name)).status == "interrupted"
        await desk.runtime.stop(one(name), "a test")
        assert (await desk.state(name)).status == "idle"
        await desk.runtime.prompt(one(name), "Again", "a test")
        await desk.event("turn.finished", 2)
        assert isinstance(await desk.merge(name), ending.Merged)


async def test_the_task_is_not_lost_when_the_runtime_ended_before_it_was_prompted(house):
    async with dying(house, of("prompt.queued")) as desk:
        name = await desk.begin([{"run": "ls"}])
        await desk.event("worktree.created")
        await desk.runtime._sessions[name].begun.wait()
    async with house.open() as desk:
        if not desk.of("turn.finished"):
            await desk.until(
                lambda: desk.runtime._sessions[name].state.calls and not desk.runtime._sessions[name].state.turn
            )
        assert [event.prompt for event in house.log(name) if event.type == "turn.started"] == ["Mend it"]


# --- worktrees -----------------------------------------------------------------------------------------------------


async def test_an_ended_session_whose_worktree_was_not_removed_is_cleared_at_the_next_start(house):
    async with dying(house, of("worktree.removed")) as desk:
        name = await desk.play(CHANGE)
        await desk.merge(name)
    async with house.open() as desk:
        assert [(await desk.state(name)).status, (await desk.state(name)).worktree] == ["merged", None]
        assert desk.runtime.states() == (await desk.state(name),)
    house.assert_nothing_left()


async def test_a_discard_that_was_cut_off_before_its_end_can_be_repeated(house):
    async with dying(house, of("session.discarded")) as desk:
        name = await desk.play(CHANGE)
        with pytest.raises(EffectError):
            await desk.runtime.discard(one(name), "a test")
    async with house.open() as desk:
        assert (await desk.state(name)).is_live
        lost = await desk.runtime.discard(one(name), "a test")
        assert len(lost.commits) == 1
    house.assert_nothing_left()


async def test_a_half_made_worktree_is_removed_and_the_session_is_marked_failed(house):
    async with dying(house, of("worktree.created")) as desk:
        name = await desk.begin([{"run": "ls"}])
        await desk.runtime._sessions[name].begun.wait()
    assert house.worktrees() == []
    async with house.open() as desk:
        assert (await desk.state(name)).status == "failed"
    house.assert_nothing_left()
    async with house.open() as desk:
        assert desk.runtime.states() == ()


async def test_a_worktree_that_vanished_is_reported_and_its_commits_can_be_merged(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        folder = (await desk.state(name)).worktree.folder
    shutil.rmtree(folder)
    async with house.open() as desk:
        assert "is gone" in (await desk.state(name)).notice
        assert isinstance(await desk.merge(name), ending.Merged)
    assert (house.root / "a.txt").read_text() == "one\n2\nthree\n"
    house.assert_nothing_left()


async def test_a_session_whose_repository_vanished_is_not_discarded_unseen_and_goes_on_once_it_is_back(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}])
        await desk.question(name)
    house.root.rename(house.folder / "moved")
    async with house.open() as desk:
        assert "not inside a git repository" in (await desk.state(name)).notice
        with pytest.raises(UserError, match="what a discard would lose"):
            await desk.runtime.discard(one(name), "a test")
        with pytest.raises(UserError, match="what a discard would lose"):
            await desk.runtime.losses(one(name))
    (house.folder / "moved").rename(house.root)
    async with house.open() as desk:
        (question,) = (await desk.state(name)).questions.values()
        await desk.answer(name, question)
        await desk.event("turn.finished")
    support.assert_sound(house.log(name))


async def test_a_script_that_vanished_is_reported_and_resume_works_once_it_is_back(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch x"}])
        await desk.question(name)
        script = Path((await desk.state(name)).script)
    script.rename(script.with_suffix(".away"))  # noqa: ASYNC240 - of a test, on a quiet disk
    async with house.open() as desk:
        assert "cannot be read" in (await desk.state(name)).notice
        with pytest.raises(UserError, match="cannot be read"):
            await desk.runtime.resume(one(name), "a test")
        script.with_suffix(".away").rename(script)
        await desk.runtime.resume(one(name), "a test")
        (question,) = (await desk.state(name)).questions.values()
        await desk.answer(name, question)
        await desk.event("turn.finished")


async def test_what_a_killed_runtime_left_half_done_does_not_stand_in_the_way(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}], CHANGE)
        admin = Path((await desk.state(name)).worktree.admin)
    (admin / "index.lock").touch()
    spool = house.state / "spool" / name / "left"
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.touch()
    async with house.open() as desk:
        assert not spool.exists()
        await desk.runtime.prompt(one(name), "Go on", "a test")
        await desk.event("turn.finished")
        assert len(desk.of("commit.made")) == 1


# --- merges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["fast-forward", "merge", "squash", "rebase"])
async def test_a_merge_that_was_cut_off_after_the_branch_moved_is_found_and_completed(house, strategy):
    async with dying(house, of("merge.made")) as desk:
        name = await desk.play(CHANGE)
        if strategy != "fast-forward":
            house.commit("other", {"b.txt": "b\n"})
        with pytest.raises(EffectError):
            await desk.merge(name, strategy)
    moved = house.git("rev-parse", "main")
    async with house.open() as desk:
        now = await desk.state(name)
        assert (now.status, now.merge_commit) == ("merged", moved)
    assert (house.root / "a.txt").read_text() == "one\n2\nthree\n"
    assert house.git("status", "--porcelain") == ""
    house.assert_nothing_left()


async def test_a_merge_that_was_cut_off_before_the_branch_moved_can_be_made_again(house):
    async with house.open() as desk:
        name = await desk.play(CHANGE)
        head = (await desk.state(name)).head
    begun = house.log(name)
    store = Store(house.state)
    from agentos_lsp.domain import events

    store.append(
        events.MergeAttempted(
            session=name,
            sequence=len(begun) + 1,
            at=support.T0,
            into="main",
            strategy="merge",
            source_commit=head,
            target_commit=house.git("rev-parse", "main"),
            by="a test",
        ),
        durable=True,
    )
    store.close()
    async with house.open() as desk:
        now = await desk.state(name)
        assert (now.status, now.notice) == ("idle", recovery.MERGE_CUT_OFF)
        assert isinstance(await desk.merge(name), ending.Merged)
    house.assert_nothing_left()


async def test_a_branch_that_went_on_after_its_merge_is_kept(house):
    async with dying(house, of("worktree.removed")) as desk:
        name = await desk.play(CHANGE)
        kept = desk.runtime._sessions[name].workspace
        remove = kept.remove

        async def commit_and_remove(merged):
            house.git("commit", "--allow-empty", "-qm", "late", cwd=Path(kept.root))
            return await remove(merged)

        kept.remove = commit_and_remove
        await desk.merge(name)
    assert f"agentos/{name}" in house.branches()
    assert house.git("log", "-1", "--format=%s", f"agentos/{name}") == "late"


# --- every moment --------------------------------------------------------------------------------------------------

EVERYTHING = [
    {"read": "a.txt"},
    {"run": "touch made.txt"},
    {"run": "rm -rf /elsewhere-that-is-not-there"},
    {"write": {"path": "../escaped.txt", "text": "x"}},
    {"delete": "made.txt"},
    *CHANGE,
]


@pytest.mark.parametrize("number", range(2, 34, 2))
async def test_a_log_that_ends_at_any_event_can_be_taken_up_to_the_merge(house, number):
    with contextlib.suppress(UserError):
        async with dying(house, lambda event: event.sequence >= number) as desk:
            name = await desk.begin(EVERYTHING)
            await through(desk, name)
    with contextlib.closing(Store(house.state)) as log:
        (name,) = log.sessions()
    async with house.open() as desk:
        await through(desk, name)
        status = (await desk.state(name)).status
        assert status in {"merged", "failed"}
        assert status == "merged" or number == 2
    log = house.log(name)
    assert support.assert_sound(log).status == status
    assert house.verify(name) is None
    house.assert_nothing_left()
    if status == "merged":
        assert (house.root / "a.txt").read_text() == "one\n2\nthree\n"
        assert house.git("log", "--format=%s", "main").splitlines().count("Change two") == 1


async def through(desk, name):
    """Does what a person would do until the session has ended, or its log is closed."""
    async with asyncio.timeout(support.WAIT_S):
        await desk.runtime._sessions[name].begun.wait()
        prompted = False
        while (session := desk.runtime._sessions.get(name)) is not None and not session._halted:
            if (loop := desk.runtime._loops.get(name)) is not None and loop.done():
                return  # it could not even record that it failed
            now = session.state
            try:
                if not now.is_live or now.worktree is None or is_full(desk):
                    return
                if now.questions:
                    await desk.answer(name, next(iter(now.questions.values())))
                elif now.interrupted:
                    await desk.runtime.resume(one(name), "a test")
                elif now.turn is None and now.commits:
                    await desk.merge(name)
                elif now.turn is None and not now.queued and not prompted and has_had_a_turn(desk, name):
                    prompted = True
                    await desk.runtime.prompt(one(name), "Go on", "a test")
            except EffectError:
                return
            await asyncio.sleep(0.002)


def is_full(desk):
    """Whether nothing more can be recorded, as long as the runtime lasts."""
    store = desk.runtime._parts.store
    return isinstance(store, support.FailingStore) and store.failed.is_set()


def has_had_a_turn(desk, name):
    return "turn.started" in support.kinds(desk.house.log(name))
