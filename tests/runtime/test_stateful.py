"""What must always hold, whatever is asked, answered, stopped or killed: a state machine over one session.

The log and the gate are real. Only the workspace is scripted: a command ends when the machine says so.
"""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentos_lsp.domain import approval, events, ids, policy, state, tools
from agentos_lsp.domain.command import surroundings
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.runtime import checkpoints, commands, session, world
from tests.runtime import support

NAME = ids.SessionId("machine-1")
LINES = ["ls", "touch x", "touch y", "make", "make test", "rm -rf /elsewhere", "touch x && ls", 'touch "unclosed']
REVIEWED = {"touch x", "touch y", "make", "make test", "touch x && ls", 'touch "unclosed'}


class Inline(ThreadPoolExecutor):
    """Runs at once what would go to a thread, so that every run of the machine is the same."""

    def submit(self, function, /, *arguments, **named):
        done = Future()
        try:
            done.set_result(function(*arguments, **named))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            done.set_exception(error)
        return done


class Runner:
    """Commands that end when the machine says so."""

    def __init__(self):
        self.running = {}
        self.ran = []

    async def run(self, cleared, *, limit, on_output):
        self.ran.append(cleared)
        ends = self.running[cleared.call] = asyncio.get_running_loop().create_future()
        await on_output("it runs\n")
        try:
            code = await ends
        finally:
            del self.running[cleared.call]
        return commands.Finished(code, None, "itself", timedelta(), None, 8, False, "it runs\n", "it runs\n")


class Branch:
    """A branch on which nobody commits."""

    def __init__(self):
        self.lock = asyncio.Lock()

    async def tip(self):
        return "a" * 40


class Workspace:
    """A place on disk as the gate sees it, without a disk."""

    root = "/code/machine"

    def __init__(self):
        self.runner = Runner()
        self.branch = Branch()

    def relative(self, folder):
        return ""

    async def folder(self, cwd):
        return self.root

    async def surroundings(self, cwd, protected):
        return surroundings.Surroundings(cwd=cwd, worktree=self.root, home="/home", scratch=("/scratch",))

    async def links(self, judged, given):
        return {}

    async def stop_all(self):
        pass


async def no_checkpoint(journal, workspace):
    del journal, workspace


class Puppet:
    """An agent that asks for what the machine puts into its hands."""

    def __init__(self):
        self.wishes = asyncio.Queue()

    async def turn(self, prompt, tools, history):
        while (line := await self.wishes.get()) is not None:
            await tools.call(line)
        return "Done."


class SessionMachine(RuleBasedStateMachine):
    """Requests, decisions, stale decisions, pauses, stops, crashes and restarts of one session."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="agentos-machine-"))
        # There are no files to keep; checkpoints have tests of their own.
        self.unkept = mock.patch.object(checkpoints, "before_turn", no_checkpoint)
        self.unkept.start()
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(Inline(1))
        self.numbers = itertools.count(1)
        self.old = []
        self.opened = []
        self.lives = []
        self.open()
        self.do(self.start())

    def do(self, work):
        """Carries something out, and lets everything that follows from it happen."""

        async def settled():
            result = await work
            for _ in range(120):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(settled())

    def open(self):
        self.store = support.FailingStore(self.folder, lambda event: False)
        self.opened.append(self.store)
        self.tasks = set()
        self.log = self.store.read(NAME)
        shared = world.World(
            self.store, lambda: support.T0, lambda: f"n{next(self.numbers)}", lambda event, now: None, self.spawn
        )
        self.session = session.Session(NAME, self.log, shared)
        self.workspace, self.agent = Workspace(), Puppet()
        self.lives.append(self.workspace.runner)

    def spawn(self, work):
        task = self.loop.create_task(work)
        self.tasks.add(task)
        return task

    async def start(self):
        await self.session.record(
            events.SessionStarted,
            task="t",
            agent="puppet",
            repository="/r",
            base_branch="main",
            base_commit="a" * 40,
            by="x",
        )
        await self.session.record(
            events.WorktreeCreated, folder=self.workspace.root, admin="/a", branch="b", commit="a" * 40, scratch="/s"
        )
        await self.work()

    async def work(self):
        self.session.equip(self.workspace, self.agent, policy.Policy())
        self.spawn(self.session.work())

    @property
    def now(self):
        return self.session.state

    @rule()
    def prompt(self):
        self.do(self.session.prompt("Go on", "x"))

    @rule(line=st.sampled_from(LINES))
    def ask(self, line):
        async def put():
            self.agent.wishes.put_nowait(tools.RunCall(line=line))

        self.do(put())

    @rule()
    def end_turn(self):
        async def put():
            self.agent.wishes.put_nowait(None)

        self.do(put())

    @precondition(lambda self: self.now.questions)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["approved", "rejected"]),
        scope=st.sampled_from(["once", "line", "prefix", "folder"]),
    )
    def decide(self, data, outcome, scope):
        asked = data.draw(st.sampled_from(list(self.now.questions.values())))
        given = approval.Answer(asked.approval, asked.digest, outcome, scope, "x")
        counted = self.do(self.session.decide(given))
        offered = asked.prefix is not None if scope == "prefix" else scope != "folder" or asked.folder is not None
        assert isinstance(counted, approval.Answer) == offered
        if offered:
            assert asked.approval not in self.now.questions
            self.old.append(given)

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def decide_again(self, data):
        given = data.draw(st.sampled_from(self.old))
        before = self.now.sequence
        assert isinstance(self.do(self.session.decide(given)), approval.Stale)
        assert self.now.sequence == before

    @precondition(lambda self: self.now.questions)
    @rule(data=st.data())
    def decide_on_a_stale_screen(self, data):
        asked = data.draw(st.sampled_from(list(self.now.questions.values())))
        before = self.now.sequence
        given = approval.Answer(asked.approval, "0" * 16, "approved", "once", "x")
        assert isinstance(self.do(self.session.decide(given)), approval.Stale)
        assert self.now.sequence == before

    @precondition(lambda self: self.workspace.runner.running)
    @rule(code=st.integers(0, 1))
    def end_command(self, code):
        async def end():
            next(iter(self.workspace.runner.running.values())).set_result(code)

        self.do(end())

    @rule()
    def pause(self):
        self.do(self.session.pause("x"))

    @rule()
    def resume(self):
        self.do(self.session.resume("x"))

    @rule()
    def stop(self):
        self.do(self.session.stop("x"))
        assert self.now.turn is None
        assert not self.now.questions
        assert not self.workspace.runner.running

    @rule()
    def crash_and_restart(self):
        self.die()
        self.open()

        async def recover():
            await self.session.recover(self.log)
            await self.work()

        self.do(recover())

    @rule(after=st.integers(0, 6), line=st.sampled_from(LINES))
    def crash_in_the_middle(self, after, line):
        """The log closes some events from now, while a turn is under way."""
        last = self.now.sequence + after
        self.store.fails = lambda event: event.sequence > last
        self.agent.wishes.put_nowait(tools.RunCall(line=line))

        async def act():
            with contextlib.suppress(EffectError):
                if self.now.questions:
                    asked = next(iter(self.now.questions.values()))
                    given = approval.Answer(asked.approval, asked.digest, "approved", "line", "x")
                    await self.session.decide(given)
                else:
                    await self.session.prompt("Go on", "x")

        self.do(act())
        self.crash_and_restart()

    def die(self):
        """Nothing more is written, and every task is gone: as much of a `kill -9` as one process can do to itself."""
        self.store.fails = lambda event: True

        async def end():
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

        self.do(end())
        self.store.close()

    @invariant()
    def state_is_the_fold_of_the_log_and_nothing_ran_uncleared(self):
        log = self.store.read(NAME)
        assert support.assert_sound(log) == self.now
        assert state.fold(log) == self.now
        started = {event.call: event for event in log if event.type == "command.started"}
        for runner in self.lives:
            for cleared in runner.ran:
                assert (started[cleared.call].line, started[cleared.call].cleared_by) == (cleared.line, cleared.by)
        runs = [cleared.call for runner in self.lives for cleared in runner.ran]
        assert len(runs) == len(set(runs))
        assert not {event.line for event in started.values()} & {"rm -rf /elsewhere"}

    @invariant()
    def every_question_waits_for_a_call_that_waits_for_it(self):
        for question in self.now.questions.values():
            call = self.now.calls[question.call]
            assert (call.step, call.approval, call.request.line) == ("waiting", question.approval, question.line)
            assert question.line in REVIEWED

    def teardown(self):
        if not hasattr(self, "loop"):
            return
        assert self.store.verify(NAME) is None
        self.die()
        self.unkept.stop()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)


SessionMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestSession = SessionMachine.TestCase
