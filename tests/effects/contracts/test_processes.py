"""What every door to processes holds: for commands that are started, and for those that are played."""

import asyncio
from datetime import timedelta

import pytest

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.process import commands

GRACE = timedelta(seconds=3)


@pytest.mark.parametrize(
    ("line", "code", "printed"),
    [
        ("echo one; echo two; echo three", 0, b"one\ntwo\nthree\n"),
        ("echo -n 'it  is'  \"one\"", 0, b"it  is one"),
        ("", 0, b""),
        ("true", 0, b""),
        ("false", 1, b""),
        ("exit 3", 3, b""),
        ("exit 300", 44, b""),
        ("false && echo no", 1, b""),
        ("false || echo yes", 0, b"yes\n"),
        ("true && echo yes || echo no", 0, b"yes\n"),
        ("false; echo went on", 0, b"went on\n"),
        ("cat a.txt src/deep/c.py", 0, b"one\ntwo\nthree\nc = 1\n"),
        ("ls src", 0, b"b.py\ndeep\n"),
        ("echo new > fresh.txt; echo more >> fresh.txt; cat fresh.txt", 0, b"new\nmore\n"),
        ("touch fresh.txt && rm fresh.txt && ls", 0, b"a.txt\nsrc\n"),
        ("rm -r src; ls", 0, b"a.txt\n"),
        ("echo quiet >/dev/null; echo heard", 0, b"heard\n"),
    ],
)
async def test_a_line_runs_to_its_end(bench, line, code, printed):
    finished = await bench.run(line)
    assert finished == commands.Finished(
        code, None, "itself", finished.duration, finished.output, len(printed), truncated=False, survivors=0
    )
    assert bench.kept(finished) == b"".join(bench.printed) == printed


async def test_a_program_that_is_not_there_ends_with_its_own_code(bench):
    finished = await bench.run("nosuchprogram --help")
    assert finished.exit_code == 127
    assert b"nosuchprogram: command not found" in bench.kept(finished)


async def test_a_time_limit_ends_a_command(bench):
    finished = await bench.run("echo begun; sleep 60; echo never", seconds=0.5)
    assert (finished.ended_by, finished.exit_code, finished.signal) == ("time limit", None, 9)
    assert bench.kept(finished) == b"begun\n"


async def test_whoever_is_cancelled_ends_a_command(bench):
    running = asyncio.ensure_future(bench.run("echo begun; sleep 60"))
    await bench.until(lambda: bench.printed)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_background_process_goes_on_until_it_is_stopped(bench):
    running = await bench.start("echo serving; sleep 60", "server")
    await bench.until(lambda: running.output(0) == b"serving\n")
    assert running.alive
    assert running.finished is None
    assert running.output(3) == b"ving\n"
    with pytest.raises(UserError, match="already running"):
        await bench.start("sleep 60", "server")
    finished = await bench.processes.stop("server", GRACE)
    assert (finished.ended_by, finished.exit_code, finished.signal) == ("stop", None, 15)
    assert await running.wait() == finished == running.finished
    assert not running.alive
    assert bench.kept(finished) == b"serving\n"


async def test_a_background_process_may_end_by_itself_and_its_name_is_free_then(bench):
    running = await bench.start("echo done", "job")
    finished = await running.wait()
    assert (finished.exit_code, finished.ended_by, bench.kept(finished)) == (0, "itself", b"done\n")
    again = await bench.start("exit 2", "job")
    assert (await again.wait()).exit_code == 2


@pytest.mark.parametrize("name", ["", "a" * 65, "../x", "-x"])
async def test_a_name_that_cannot_be_one_is_refused(bench, name):
    with pytest.raises(UserError, match="cannot name a process"):
        await bench.start("sleep 60", name)


async def test_there_are_so_many_background_processes_and_no_more(bench):
    for number in range(commands.BACKGROUND_LIMIT):
        await bench.start("sleep 60", f"job {number}")
    with pytest.raises(UserError, match="background processes are running"):
        await bench.start("sleep 60", "one more")


async def test_all_that_runs_is_ended_with_a_reason_and_more_can_be_started(bench):
    running = [await bench.start("sleep 60", "server"), await bench.start("sleep 60", "other")]
    await bench.processes.end_running("disk limit")
    assert [(await one.wait()).ended_by for one in running] == ["disk limit", "disk limit"]
    assert (await bench.run("echo more")).ended_by == "itself"


async def test_the_end_of_a_session_ends_all_that_it_started(bench):
    running = await bench.start("sleep 60", "server")
    assert await bench.processes.stop_all() == 0
    assert (await running.wait()).ended_by == "shutdown"
    assert await bench.processes.stop_all() == 0


async def test_nothing_is_stopped_that_was_not_started(bench):
    with pytest.raises(UserError, match="no process named 'server'"):
        await bench.processes.stop("server", GRACE)
