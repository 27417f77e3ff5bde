"""Standard streams of every kind, the parent's death, signals, and the whole server as a process."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import tty
import types
from pathlib import Path

import pytest

from agentos_lsp.server import framing, stdio
from tests.server import support

SPOKEN = [
    {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
    {"id": 2, "method": "workspace/executeCommand", "params": {"command": "ping", "arguments": [{}]}},
    {"id": 3, "method": "shutdown"},
    {"method": "exit"},
]
ANSWERED = {2: "pong", 3: None}


def frames(messages):
    return b"".join(framing.frame(json.dumps({"jsonrpc": "2.0", **message}).encode()) for message in messages)


async def read_answers(data):
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    answers = {}
    while (body := await framing.read_message(reader)) is not None:
        message = json.loads(body)
        answers[message["id"]] = message["result"]
    assert answers.pop(1)["serverInfo"] == {"name": "example", "version": "1"}
    return answers


# Streams of every kind


async def test_regular_files_are_a_connection(tmp_path):
    (tmp_path / "in").write_bytes(frames(SPOKEN))
    incoming = os.open(tmp_path / "in", os.O_RDONLY)
    outgoing = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    assert await stdio.serve(stdio.Channel(incoming, outgoing), support.Example) == 0
    assert await read_answers((tmp_path / "out").read_bytes()) == ANSWERED


async def test_a_file_larger_than_the_buffers_is_read_to_its_end(tmp_path):
    bodies = [b"%d" % number * 50_000 for number in range(1, 9)]
    (tmp_path / "in").write_bytes(b"".join(map(framing.frame, bodies)))
    incoming = os.open(tmp_path / "in", os.O_RDONLY)
    async with stdio.open_streams(stdio.Channel(incoming, os.open(os.devnull, os.O_WRONLY))) as (reader, _):
        for body in bodies:
            assert await framing.read_message(reader) == body
            await asyncio.sleep(0)
        assert await framing.read_message(reader) is None


async def test_an_empty_input_ends_the_connection_at_once():
    channel = stdio.Channel(os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY))
    assert await stdio.serve(channel, support.Example) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
async def test_an_output_that_fails_ends_the_connection():
    ours, theirs = os.pipe()
    channel = stdio.Channel(ours, os.open("/dev/full", os.O_WRONLY))
    os.write(theirs, frames(SPOKEN[:1]))
    async with asyncio.timeout(support.TIMEOUT_S):
        assert await stdio.serve(channel, support.Example) == 1
    os.close(theirs)


async def test_one_socket_for_both_directions_is_a_connection():
    ours, theirs = socket.socketpair()
    channel = stdio.Channel(os.dup(theirs.fileno()), theirs.detach())
    with ours:
        ours.sendall(frames(SPOKEN))
        assert await stdio.serve(channel, support.Example) == 0
        data = b"".join(iter(lambda: ours.recv(1 << 16), b""))
    assert await read_answers(data) == ANSWERED


async def test_two_sockets_are_a_connection_too():
    ours, incoming = socket.socketpair()
    outgoing, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(frames(SPOKEN))
        assert await stdio.serve(stdio.Channel(incoming.detach(), outgoing.detach()), support.Example) == 0
        data = b"".join(iter(lambda: theirs.recv(1 << 16), b""))
    assert await read_answers(data) == ANSWERED


async def test_a_terminal_is_not_made_non_blocking_for_everybody_else():
    ours, terminal = os.openpty()
    tty.setraw(terminal)
    channel = stdio.Channel(os.dup(terminal), os.dup(terminal))
    async with stdio.open_streams(channel) as (reader, writer):
        os.write(ours, framing.frame(b"{}"))
        assert await framing.read_message(reader) == b"{}"
        writer.write(b"answer")
        assert await asyncio.to_thread(os.read, ours, 100) == b"answer"
        assert os.get_blocking(terminal)
    os.close(ours)
    os.close(terminal)


async def test_an_editor_that_does_not_read_its_pipe_does_not_block_the_loop():
    incoming, write_end = os.pipe()
    read_end, outgoing = os.pipe()
    text = b"x" * (4 << 20)
    async with stdio.open_streams(stdio.Channel(incoming, outgoing)) as (reader, writer):
        writer.write(text)  # a blocking write would never come back
        os.write(write_end, framing.frame(b"{}"))
        assert await framing.read_message(reader) == b"{}"
        with os.fdopen(read_end, "rb") as file:
            assert await asyncio.to_thread(file.read, len(text)) == text
    os.close(write_end)


async def test_an_editor_that_closes_only_its_reading_end_ends_the_connection():
    incoming, write_end = os.pipe()
    read_end, outgoing = os.pipe()
    serving = stdio.serve(stdio.Channel(incoming, outgoing), support.Example)
    os.close(read_end)
    async with asyncio.timeout(support.TIMEOUT_S):
        assert await serving == 1
    os.close(write_end)


# The parent


@contextlib.asynccontextmanager
async def another_process():
    process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    yield process
    if process.returncode is None:
        process.kill()
    process.stdin.close()
    await process.wait()


@pytest.fixture(params=["pidfd", "polling"])
def way_to_watch(request, monkeypatch):
    if request.param == "polling":
        # For the watch alone: from Python 3.12 on, asyncio's own children are found by pidfds too.
        without = {name: getattr(os, name) for name in dir(os) if name != "pidfd_open"}
        monkeypatch.setattr(stdio, "os", types.SimpleNamespace(**without))
        monkeypatch.setattr(stdio, "PARENT_POLL_S", 0.01)


@pytest.mark.usefixtures("way_to_watch")
async def test_the_death_of_the_parent_is_noticed_once():
    deaths = asyncio.Queue()
    async with another_process() as process:
        stop = stdio.watch_parent(process.pid, lambda: deaths.put_nowait("dead"))
        process.kill()
        async with asyncio.timeout(support.TIMEOUT_S):
            assert await deaths.get() == "dead"
        stop()
        stop()
    assert deaths.empty()


@pytest.mark.usefixtures("way_to_watch")
async def test_a_watch_that_was_ended_notices_nothing():
    deaths = []
    async with another_process() as process:
        stop = stdio.watch_parent(process.pid, lambda: deaths.append("dead"))
        stop()
        process.kill()
        await process.wait()
        for _ in range(3):
            await asyncio.sleep(0)
    assert deaths == []


async def test_a_parent_that_cannot_be_seen_is_not_watched():
    async with another_process() as process:
        process.kill()
        await process.wait()
        for process_id in (process.pid, 0, -1, 1 << 70):
            stdio.watch_parent(process_id, lambda: pytest.fail("not watched"))()
    await asyncio.sleep(0)


# Signals


async def test_the_first_signal_stops_and_the_second_acts_as_usual():
    before = signal.getsignal(signal.SIGTERM)
    stopped = asyncio.Event()
    with stdio.stop_on_signals(stopped.set):
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(support.TIMEOUT_S):
            await stopped.wait()
        assert signal.getsignal(signal.SIGTERM) is before
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is before


# The whole process


async def test_a_process_serves_a_session_and_its_output_cannot_be_polluted():
    async with support.started() as (editor, process):
        await editor.initialize()
        assert await editor.command("print") == ""
        assert await editor.command("ping") == "pong"
        await editor.finish()
        _, errors = await process.communicate()
        assert process.returncode == 0
        assert errors.decode().split("\n") == ["printed", "written", "said by a child", ""]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_cleanly(number):
    async with support.started() as (editor, process):
        await editor.initialize()
        identity = editor.ask("workspace/executeCommand", {"command": "wait", "arguments": [{}]})
        assert await editor.command("ping") == "pong"
        process.send_signal(number)
        await editor.read_to_end()
        assert await process.wait() == 1
        assert identity not in editor._answers


async def test_the_end_of_the_input_ends_the_process():
    async with support.started() as (editor, process):
        await editor.initialize()
        process.stdin.close()
        assert await process.wait() == 1


async def test_the_death_of_the_editor_ends_the_process_though_its_pipes_stay_open():
    async with another_process() as parent, support.started() as (editor, process):
        await editor.initialize(process_id=parent.pid)
        assert await editor.command("ping") == "pong"
        parent.kill()
        async with asyncio.timeout(support.TIMEOUT_S):
            assert await process.wait() == 1


async def test_a_broken_frame_ends_the_process_with_one_error():
    async with support.started() as (editor, process):
        await editor.initialize()
        editor.send_bytes(b"Content-Length: -1\r\n\r\n")
        await editor.read_to_end()
        (error,) = editor._answers.values()
        assert error["error"]["message"] == "Content-Length is not a number of at most ten digits."
        assert await process.wait() == 1
