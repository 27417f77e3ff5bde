"""The same runtime over the demo's doors: what a person may do with a session, all of it in memory."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest

from agentos_lsp.cli import simulation
from agentos_lsp.domain import approval, hunks, ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.simulated import script
from agentos_lsp.runtime import checkpoints, ending, reviewing, supervisor
from tests.runtime import support

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Demo(support.Desk):
    """A person at the demo's runtime."""

    def __init__(self, runtime: supervisor.Runtime) -> None:
        super().__init__(None, runtime)  # type: ignore[arg-type] - there is no house on a disk

    async def begin(self, task: str = script.TASK) -> ids.SessionId:  # type: ignore[override]
        wanted = supervisor.Start("/wherever", task, "builtin", None, None, "a test")
        return await self.runtime.start(wanted)

    async def finish(self, session: str, outcome: str = "approved") -> None:
        for count in (1, 2):
            asked = await self.question(session, count)
            await self.answer(session, asked, outcome)
        await self.event("turn.finished", session=session)


@contextlib.asynccontextmanager
async def opened():
    async with supervisor.Runtime(simulation.parts(0, lambda: AT)) as runtime:
        yield Demo(runtime)


def own_text(demo: Demo, path: str) -> bytes | None:
    return demo.runtime.reviews.own_text(script.ROOT, path)


async def test_a_hunk_is_accepted_into_the_persons_checkout_and_the_rest_is_merged():
    async with opened() as demo:
        session = await demo.begin()
        await demo.finish(session)
        shown = await demo.runtime.reviews.shown(session)
        (item,) = [item for change in shown.changes for item in hunks.items(change) if item.hunk is not None]
        answer = reviewing.Answer(item.path, item.digest, whole=False, by="a test")
        outcome = await demo.runtime.reviews.accept(session, answer, lambda _path: None)
        assert outcome == reviewing.Outcome(counted=True)
        assert b"return one + two" in own_text(demo, "calculator.py")
        merged = await demo.merge(session)
        assert isinstance(merged, ending.Merged)
        assert (await demo.state(session)).status == "merged"


async def test_a_person_who_rejects_is_heard_and_the_work_goes_on():
    async with opened() as demo:
        session = await demo.begin()
        await demo.finish(session, "rejected")
        said = [one.text for one in demo.of("agent.message")]
        assert "Without the tests I go by what I read: `add` subtracts. I mend that one line." in said
        assert demo.of("command.started")[0].line == "git status --short"
        await demo.runtime.prompt(session, "And show in the README how to add.", "a test")
        await demo.event("turn.finished", 2, session)
        assert len(demo.of("commit.made")) == 2
        await demo.runtime.prompt(session, "And now?", "a test")
        third = await demo.event("turn.finished", 3, session)
        assert "the demo" in third.summary


async def test_checkpoints_are_restored_and_a_discard_leaves_the_checkout_alone():
    async with opened() as demo:
        session = await demo.begin()
        await demo.finish(session)
        one = demo.runtime._sessions[session]
        restored = await demo.runtime.on(session, lambda it: checkpoints.restore(it, it.place, 0, "a test"))
        assert (restored.files, restored.kept) == (1, ())
        assert "one - two" in (await one.place.read("calculator.py"))[0]
        lost = await demo.runtime.discard(session, "a test")
        assert len(lost.commits) == 1
        assert lost.uncommitted == ("calculator.py",)
        assert (await demo.state(session)).status == "discarded"
        assert own_text(demo, "calculator.py") == script.FILES["calculator.py"].encode()


async def test_two_sessions_meet_in_the_forecast_and_the_second_merge_changes_nothing():
    async with opened() as demo:
        first, second = await demo.begin(), await demo.begin("Mend it too")
        await demo.finish(first)
        await demo.finish(second)
        assert isinstance(await demo.merge(first), ending.Merged)
        again = await demo.merge(second)
        assert isinstance(again, ending.Merged)
        assert own_text(demo, "calculator.py").count(b"one + two") == 2
        await demo.event("worktree.removed", 2)
        with pytest.raises(UserError):
            await demo.merge(second)


async def test_another_model_may_be_chosen_and_a_wrong_one_says_what_to_do():
    async with opened() as demo:
        session = await demo.begin()
        await demo.finish(session)
        assert await demo.runtime.choose_model(session, "router", "a test") == "router/played-coder:8b"
        await demo.runtime.prompt(session, "Go on.", "a test")
        failed = await demo.event("failure.recorded", session=session)
        assert "unauthorised" in failed.message
        assert "ROUTER_KEY" in failed.hint


async def test_a_stop_ends_a_reply_that_is_being_played():
    # A second of the model's takes a hundred here, so its first reply is far from its end.
    async with supervisor.Runtime(simulation.parts(100, lambda: AT)) as runtime:
        demo = Demo(runtime)
        session = await demo.begin()
        await demo.event("turn.started", session=session)
        await runtime.stop(session, "a test")
        assert (await demo.event("turn.finished", session=session)).reason == "stopped"


async def test_an_answer_to_a_stale_question_counts_for_nothing():
    async with opened() as demo:
        session = await demo.begin()
        asked = await demo.question(session)
        given = approval.Answer(asked.approval, "0" * 16, "approved", "once", "a test", "")
        assert isinstance(await demo.runtime.decide(session, given), approval.Stale)
        await demo.finish(session)
