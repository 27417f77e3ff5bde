"""One session: prompts in turn, pause, resume and stop; its failures stay its own."""

import asyncio
import errno

import pytest

from agentos_lsp.domain import approval, ids
from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.process import commands as process_commands
from agentos_lsp.runtime import commands
from tests.runtime import support

TREE = """\
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
print("pids", os.getpid(), child.pid, flush=True)
child.wait()
"""


def one(name):
    return ids.SessionId(name)


async def test_prompts_that_come_during_a_turn_are_taken_afterwards_in_their_order(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}], [{"run": "ls"}], [{"read": "a.txt"}])
        asked = await desk.question(name)
        await desk.runtime.prompt(one(name), "Second", "a test")
        await desk.runtime.prompt(one(name), "Third", "a test")
        assert [prompt.text for prompt in (await desk.state(name)).queued] == ["Second", "Third"]
        await desk.answer(name, asked)
        await desk.event("turn.finished", 3)
        assert [turn.prompt for turn in desk.of("turn.started")] == ["Mend it", "Second", "Third"]
        assert (await desk.state(name)).status == "idle"
    support.assert_sound(house.log(name))


async def test_an_empty_prompt_is_refused(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}])
        with pytest.raises(UserError, match="empty"):
            await desk.runtime.prompt(one(name), "  \n", "a test")


async def test_a_paused_session_starts_no_further_call_until_it_is_resumed(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}, {"run": "ls"}])
        asked = await desk.question(name)
        await desk.runtime.pause(one(name), "a test")
        await desk.answer(name, asked)
        await desk.event("command.finished")
        await desk.runtime.prompt(one(name), "Later", "a test")
        assert (await desk.state(name)).status == "paused"
        assert len(desk.of("tool_call.requested")) == 1
        await desk.runtime.resume(one(name), "a test")
        await desk.event("turn.finished", 2)
        assert len(desk.of("tool_call.requested")) == 2


async def test_a_paused_session_stays_paused_over_a_restart(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}], [{"run": "ls"}])
        await desk.runtime.pause(one(name), "a test")
        await desk.runtime.prompt(one(name), "Go on", "a test")
        assert len(desk.of("turn.started")) == 1
    async with house.open() as desk:
        assert (await desk.state(name)).status == "paused"
        await desk.runtime.resume(one(name), "a test")
        await desk.event("turn.finished")


async def test_stop_ends_the_whole_process_tree_and_the_turn_and_the_session_stays(house):
    house.commit("tree", {"tree.py": TREE})
    house.user_policy.write_text('[commands]\nallow = [["python3", "tree.py"]]\n')
    async with house.open() as desk:
        name = await desk.begin([{"run": "python3 tree.py"}, {"run": "ls"}])
        said = await desk.event("command.output")
        pids = [support.pid_outside(int(word), house.state / "scratch") for word in said.text.split()[1:]]
        assert [support.is_alive(pid) for pid in pids] == [True, True]
        await desk.runtime.stop(one(name), "a test")
        assert [support.is_alive(pid) for pid in pids] == [False, False]
        assert [end.ended_by for end in desk.of("command.finished")] == ["stop"]
        assert [end.reason for end in desk.of("turn.finished")] == ["stopped"]
        assert (await desk.state(name)).status == "idle"
        await desk.runtime.prompt(one(name), "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert [start.line for start in desk.of("command.started")] == ["python3 tree.py", "ls"]
    support.assert_sound(house.log(name))


async def test_what_starts_commands_is_ready_before_the_first(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}])
        await desk.question(name)
        processes = desk.runtime._sessions[name].workspace.runner._processes
        async with asyncio.timeout(support.WAIT_S):
            while processes.hold is None:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.01)
        assert desk.of("command.started") == []
        await desk.runtime.stop(one(name), "a test")
        assert processes.hold is None


async def test_a_cage_that_cannot_be_made_ahead_does_not_end_the_session(house, monkeypatch):
    async def fail(_self):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(process_commands.Processes, "open", fail)
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}])
        asked = await desk.question(name)
        await asyncio.sleep(commands.AHEAD_AFTER_S * 2)
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        await desk.runtime.prompt(one(name), "More", "a test")
        await desk.event("turn.finished", 2)


async def test_stop_withdraws_the_question_and_a_late_answer_does_not_count(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}])
        asked = await desk.question(name)
        await desk.runtime.stop(one(name), "a test")
        assert [gone.approval for gone in desk.of("approval.withdrawn")] == [asked.approval]
        assert isinstance(await desk.answer(name, asked), approval.Stale)
        assert desk.of("approval.decided") == desk.of("command.started") == []
        assert (await desk.state(name)).status == "idle"


async def test_stop_ends_background_processes_too_and_says_who_ended_them(house):
    async with house.open() as desk:
        name = await desk.play([{"start": {"line": "sleep 300", "name": "server"}, "expect": "ok"}])
        await desk.runtime.stop(one(name), "a test")
        assert [end.ended_by for end in desk.of("command.finished")] == ["stop"]


async def test_two_stops_at_once_end_the_turn_once(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "sleep 300"}])
        await desk.event("command.started")
        await asyncio.gather(desk.runtime.stop(one(name), "one"), desk.runtime.stop(one(name), "two"))
        assert len(desk.of("turn.finished")) == 1


async def test_an_answer_counts_although_the_connection_that_gave_it_goes_away(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch a"}])
        asked = await desk.question(name)
        giving = asyncio.get_running_loop().create_task(desk.answer(name, asked))
        await asyncio.sleep(0)
        giving.cancel()
        await desk.event("turn.finished")
        assert [start.line for start in desk.of("command.started")] == ["touch a"]


async def test_an_agent_that_fails_ends_its_turn_and_no_other_session(house):
    async with house.open() as desk:
        other = await desk.begin([{"run": "touch a"}], task="Other")
        failing = await desk.begin([{"run": "ls", "expect": "refused"}], task="Failing")
        ended = await desk.event("turn.finished", session=failing)
        assert ended.reason == "failed"
        assert (await desk.state(failing)).status == "idle"
        await desk.answer(other, await desk.event("approval.requested", session=other))
        assert (await desk.event("turn.finished", session=other)).reason == "done"


class Broken:
    """An agent with a defect."""

    async def turn(self, prompt, tools, history):
        raise ZeroDivisionError


async def test_a_defect_in_an_agent_is_a_failure_of_its_turn_that_tells_no_internals(house):
    async with house.open(agent=lambda *_: Broken()) as desk:
        name = await desk.play([])
        (failure,) = desk.of("failure.recorded")
        assert failure.message == "An internal error: ZeroDivisionError."
        assert (await desk.state(name)).status == "idle"


class Wild:
    """An agent that asks for several things at once, and that goes on although its turn was stopped."""

    async def turn(self, prompt, tools, history):
        from agentos_lsp.domain.tools import RunCall

        results = await asyncio.gather(*(tools.call(RunCall(line=f"touch {name}")) for name in "xyz"))
        return " ".join(str(result.ok) for result in results)


async def test_calls_that_an_agent_makes_at_once_each_get_their_own_question_and_answer(house):
    async with house.open(agent=lambda *_: Wild()) as desk:
        name = await desk.begin([])
        asked = [await desk.question(name, count) for count in (1, 2, 3)]
        await desk.answer(name, asked[1], "rejected")
        await desk.answer(name, asked[2])
        await desk.answer(name, asked[0])
        done = await desk.event("turn.finished")
        outcomes = {question.line: question is not asked[1] for question in asked}
        assert done.summary == " ".join(str(outcomes[f"touch {name}"]) for name in "xyz")
    support.assert_sound(house.log(name))


async def test_a_listener_that_fails_does_not_reach_the_session(house):
    async with house.open() as desk:
        desk.runtime.subscribe(lambda _event, _state: 1 / 0, lambda _progress: 1 / 0)
        await desk.play([{"run": "ls", "expect": "ok"}])
        assert [end.reason for end in desk.of("turn.finished")] == ["done"]


async def test_a_store_that_fails_halts_its_session_and_no_other_and_resume_goes_on(house):
    store = support.FailingStore(house.state, lambda event: False)
    async with house.open(store) as desk:
        name = await desk.begin([{"run": "touch a"}, {"run": "ls"}], task="Failing")
        asked = await desk.question(name)
        store.fails = lambda event: event.session == name and event.type != "approval.decided"
        await desk.answer(name, asked)
        await desk.play([{"run": "ls", "expect": "ok"}], task="Other")
        await wait_until_halted(desk, name)
        assert (await desk.state(name)).sequence == len(desk.runtime._parts.store.read(one(name)))
        store.fails = lambda event: False
        await desk.runtime.resume(one(name), "a test")
        again = await desk.event("approval.requested", 2, name)
        await desk.answer(name, again)
        await desk.event("turn.finished", session=name)
        assert [start.line for start in desk.of("command.started") if start.session == name] == ["touch a", "ls"]
    support.assert_sound(house.log(name))


async def wait_until_halted(desk, name):
    async with asyncio.timeout(support.WAIT_S):
        while not desk.runtime._sessions[name]._halted:  # noqa: ASYNC110 - a closed log tells nobody
            await asyncio.sleep(0.002)


async def test_an_answer_that_cannot_be_written_does_not_count_and_can_be_given_again(house):
    store = support.FailingStore(house.state, lambda event: event.type == "approval.decided")
    async with house.open(store) as desk:
        name = await desk.begin([{"run": "touch a"}])
        asked = await desk.question(name)
        with pytest.raises(EffectError, match="the disk is full"):
            await desk.answer(name, asked)
        assert desk.of("command.started") == []
        assert (await desk.state(name)).status == "waiting"
        store.fails = lambda event: False
        await desk.answer(name, asked)
        await desk.event("turn.finished")


async def test_output_that_cannot_be_told_does_not_end_the_command(house):
    store = support.FailingStore(house.state, lambda event: event.type == "command.output")
    async with house.open(store) as desk:
        name = await desk.play([{"run": "cat a.txt", "expect": "ok"}])
        (finished,) = desk.of("command.finished")
        assert await desk.runtime.command_output(one(name), finished.call) == b"one\ntwo\nthree\n"


async def test_a_session_cannot_be_started_when_its_first_event_cannot_be_written(house):
    store = support.FailingStore(house.state, lambda event: True)
    async with house.open(store) as desk:
        with pytest.raises(EffectError):
            await desk.begin([{"run": "ls"}])
        assert desk.runtime.states() == ()
    house.assert_nothing_left()
