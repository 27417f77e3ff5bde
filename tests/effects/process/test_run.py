"""A cleared line runs byte for byte, its output is kept, and its end is told as it was."""

# A test may look at small files, and waits for what another process does.
# ruff: noqa: ASYNC240

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.process import commands


async def check(bench, line, printed, *, exit_code=0, signal=None):
    finished = await bench.run(line)

    assert finished == commands.Finished(
        exit_code=exit_code,
        signal=signal,
        ended_by="itself",
        duration=finished.duration,
        output=finished.output,
        size_bytes=len(printed),
        truncated=False,
        survivors=0,
    )
    assert Path(finished.output).read_bytes() == printed
    assert b"".join(bench.printed) == printed


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("echo one; echo two >&2; echo three", b"one\ntwo\nthree\n"),
        ("printf '\\377\\376\\0x'", b"\xff\xfe\0x"),
        ("printf '%s' \"it's  $((1+1))\"", b"it's  2"),
        ("printf '%s' 'ü → \u202e'", "ü → \u202e".encode()),
        ("cat <<'END'\n  $kept as `it` is\nEND\n", b"  $kept as `it` is\n"),
        ("cat; echo $?", b"0\n"),
        ("pwd -P | wc -l | tr -d ' '", b"1\n"),
        ("echo first > >(sleep 0.05; cat)", b"first\n"),
        ("[ -t 0 ] || [ -t 1 ] || echo no terminal", b"no terminal\n"),
        ("shopt -q login_shell || echo plain", b"plain\n"),
        ("", b""),
    ],
)
async def test_a_line_runs_as_it_was_cleared(bench, line, printed):
    await check(bench, line, printed)


async def test_a_byte_that_is_not_unicode_reaches_the_shell_unchanged(bench):
    await check(bench, b"printf '%s' '\xff\xfe'".decode("utf-8", "surrogateescape"), b"\xff\xfe")


@pytest.mark.parametrize(
    ("line", "code"), [("exit 3", 3), ("false", 1), ("/nonexistent 2>/dev/null", 127), ("exit 255", 255)]
)
async def test_an_exit_code_is_told(bench, line, code):
    await check(bench, line, b"", exit_code=code)


@pytest.mark.parametrize("signal", [1, 2, 9, 15])
async def test_a_signal_is_told(bench, signal):
    await check(bench, f"kill -{signal} $$", b"", exit_code=None, signal=signal)


async def test_a_broken_pipe_ends_a_writer_as_in_a_terminal(bench):
    await check(bench, "yes | head -n 1; echo ${PIPESTATUS[0]}", b"y\n141\n")


async def test_a_command_runs_in_its_own_session_without_our_descriptors(bench):
    secret = os.open(bench.folder, os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        await check(
            bench, "ls /proc/self/fd | tr '\\n' ' '; ps -o sid= -p $$ | grep -qx \" *$$\" && echo own", b"0 1 2 3 own\n"
        )
    finally:
        os.close(secret)


async def test_a_secret_of_the_server_is_not_in_the_environment(bench, monkeypatch):
    monkeypatch.setenv("AGENTOS_TEST_SECRET", "hunter2")

    finished = await bench.run("env; cat /proc/$PPID/environ")

    assert b"hunter2" not in Path(finished.output).read_bytes()


async def test_output_over_the_limit_is_kept_from_both_ends(bench):
    finished = await bench.run("seq 1 100000", limit=1000)

    kept = Path(finished.output).read_bytes()
    size = len("".join(f"{number}\n" for number in range(1, 100001)))
    assert (finished.size_bytes, finished.truncated) == (size, True)
    assert kept.startswith(b"1\n2\n3\n")
    assert kept.endswith(b"99999\n100000\n")
    assert f"\n[... {size - 1000} bytes left out ...]\n".encode() in kept
    assert b"".join(bench.printed) == kept


@pytest.mark.parametrize("size", [749, 750, 751, 999, 1000])
async def test_output_within_the_limit_is_kept_whole(bench, size):
    await check(bench, f"head -c {size} /dev/zero", b"\0" * size)


async def test_a_flood_is_bounded_and_does_not_stall_the_loop(bench):
    await bench.processes.open()
    longest = 0.0

    async def watch():
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - before)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        finished = await bench.run("head -c 200000000 /dev/zero", limit=2**18)
        watching.cancel()

    assert finished.size_bytes == 200_000_000
    assert Path(finished.output).stat().st_size < 2**18 + 100
    assert longest < 1.0


async def test_a_process_that_closes_its_output_goes_on_until_it_ends(bench):
    await check(bench, "exec >&- 2>&-; sleep 0.1; exit 4", b"", exit_code=4)


async def test_several_commands_run_at_once(bench):
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(bench.run(f"sleep 0.05; exit {code}")) for code in range(8)]

    assert [run.result().exit_code for run in runs] == list(range(8))


@pytest.mark.parametrize("line", ["echo \0", "echo \ud800", "echo " + "x" * 200_000])
async def test_a_line_that_no_program_can_be_given_is_refused_with_words(bench, line):
    with pytest.raises(UserError):
        await bench.run(line)


async def test_a_long_line_that_fits_runs(bench):
    await check(bench, "printf %s " + "x" * 100_000, b"x" * 100_000)


async def test_a_folder_that_is_gone_is_an_error_and_the_next_command_runs(bench):
    there = bench.folder
    bench.folder = there / "gone"
    with pytest.raises(EffectError, match="No such file"):
        await bench.processes.run(
            bench.cleared("true"),
            bench.environment,
            timeout=timedelta(seconds=5),
            output_limit_bytes=10,
            on_output=bench.printed.append,
            spool=str(there / "spool"),
        )
    bench.folder = there
    await check(bench, "echo on", b"on\n")


async def test_a_spool_file_that_exists_is_not_overwritten(bench):
    (bench.folder / "spool-1").write_text("old")

    with pytest.raises(EffectError):
        await bench.run("echo new")

    assert (bench.folder / "spool-1").read_text() == "old"
