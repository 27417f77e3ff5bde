"""Background processes go on under a name, tell what they print, and end when stopped or with the session."""

# A test may look at small files, and waits for what another process does.
# ruff: noqa: ASYNC110

import asyncio
from datetime import timedelta

import pytest

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.process import commands
from tests.effects.process.conftest import is_alive


async def until(bench, name, text):
    async with asyncio.timeout(10):
        while text not in bench.processes.output(name):
            await asyncio.sleep(0.01)


async def test_what_it_prints_can_be_read_while_it_runs_and_after(bench):
    await bench.start("echo one; while [ ! -e GO ]; do sleep 0.01; done; echo two", "server")
    await until(bench, "server", b"one\n")
    assert bench.processes.names == ("server",)

    (bench.folder / "GO").touch()
    await until(bench, "server", b"two\n")

    finished = await bench.processes._named("server").wait()
    assert (finished.exit_code, finished.ended_by) == (0, "itself")
    assert bench.processes.output("server", 4) == b"two\n"
    assert bench.processes.output("server", 400) == b""
    assert bench.processes.names == ()


async def test_a_name_can_be_used_again_after_its_process_ended(bench):
    first = await bench.start("echo first", "server")
    await first.wait()
    second = await bench.start("echo second", "server")
    await second.wait()

    assert bench.processes.output("server") == b"second\n"


async def test_a_name_that_is_taken_is_refused(bench):
    await bench.start("sleep 1000", "server")

    with pytest.raises(UserError, match="already running"):
        await bench.start("sleep 1000", "server")


async def test_two_starts_at_once_do_not_share_a_name(bench):
    outcomes = await asyncio.gather(
        bench.start("sleep 1000", "server"), bench.start("sleep 1000", "server"), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [commands.Running, UserError]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\nb", "-x", "x" * 65, "\x1b[31m"])
async def test_a_name_that_cannot_be_shown_is_refused(bench, name):
    with pytest.raises(UserError, match="cannot name"):
        await bench.start("true", name)


async def test_the_number_of_background_processes_is_limited(bench):
    for number in range(commands.BACKGROUND_LIMIT):
        await bench.start("sleep 1000", f"server {number}")

    with pytest.raises(UserError, match="8 background processes"):
        await bench.start("sleep 1000", "one more")


async def test_a_process_that_ignores_a_polite_stop_is_killed(bench):
    running = await bench.start("trap '' TERM; echo up; while :; do sleep 0.01; done", "server")
    await until(bench, "server", b"up")

    finished = await bench.processes.stop("server", timedelta(seconds=0.1))

    assert (finished.signal, finished.ended_by, finished.survivors) == (9, "stop", 0)
    assert not is_alive(running.pid)
    assert await bench.processes.stop("server", timedelta(seconds=0.1)) == finished


async def test_whoever_waits_for_it_hears_of_its_end(bench):
    running = await bench.start("sleep 1000", "server")
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(running.wait()) for _ in range(3)]
        stopped = await bench.processes.stop("server", timedelta())

    assert [wait.result() for wait in waiting] == [stopped] * 3


async def test_one_who_waits_and_is_cancelled_does_not_end_it(bench):
    running = await bench.start("sleep 1000", "server")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await running.wait()

    assert is_alive(running.pid)


async def test_the_session_ends_all_of_them(bench):
    started = [await bench.start("sleep 1000", f"server {number}") for number in range(3)]

    assert await bench.processes.stop_all() == 0

    assert [is_alive(running.pid) for running in started] == [False] * 3
    assert [(await running.wait()).ended_by for running in started] == ["shutdown"] * 3


async def test_the_output_of_a_name_that_was_never_started_is_refused(bench):
    with pytest.raises(UserError, match="no process named 'server'"):
        bench.processes.output("server")
    with pytest.raises(UserError, match="no process named 'server'"):
        await bench.processes.stop("server", timedelta())


async def test_a_call_that_runs_nothing_cannot_be_stopped(bench):
    assert not await bench.processes.stop_call("nothing")
