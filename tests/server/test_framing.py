"""Frames, read from any bytes and written from any thread."""

import asyncio
import contextlib
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.server import framing
from tests.server import support


async def read_all(data, chunk=None):
    """Returns the bodies in the data; if fed in chunks, reads have to wait for them."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()

    def feed(begin):
        reader.feed_data(data[begin : begin + chunk])
        if begin + chunk < len(data):
            loop.call_soon(feed, begin + chunk)
        else:
            reader.feed_eof()

    if chunk is None:
        reader.feed_data(data)
        reader.feed_eof()
    else:
        feed(0)
    bodies = []
    while (body := await framing.read_message(reader)) is not None:
        bodies.append(body)
    return bodies


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length: 2\r\n\r\n",
        b"CONTENT-LENGTH:2\r\n\r\n",
        b"Content-Length:\t 2 \r\n\r\n",
        b"Content-Length: 0000000002\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nX-Anything: a:b\r\n\r\n",
        b"X-Empty:\r\nContent-Length: 2\r\n\r\n",
    ],
)
@pytest.mark.parametrize("chunk", [None, 1, 7])
async def test_a_header_is_read_in_every_lawful_form(header, chunk):
    assert await read_all(2 * (header + b"{}"), chunk) == [b"{}", b"{}"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Content-Length: 2\n\n{}", "CR LF"),
        (b"Content-Length: -5\r\n\r\n{}", "not a number"),
        (b"Content-Length: +5\r\n\r\n{}", "not a number"),
        (b"Content-Length: 2,2\r\n\r\n{}", "not a number"),
        (b"Content-Length: 0x2\r\n\r\n{}", "not a number"),
        (b"Content-Length: \xd9\xa2\r\n\r\n{}", "CR LF"),
        (b"Content-Length:\r\n\r\n{}", "not a number"),
        (b"Content-Length: 1000000000000\r\n\r\n{}", "not a number of at most ten digits"),
        (b"Content-Length: 33554433\r\n\r\n{}", "33554433 exceeds 33554432"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "twice"),
        (b"Content-Length: 2\r\ncontent-length: 2\r\n\r\n{}", "twice"),
        (b"Content-Type: x\r\n\r\n{}", "missing"),
        (b"\r\n", "missing"),
        (b"{}\r\n\r\n", "`name: value`"),
        (b"Content-Length : 2\r\n\r\n{}", "`name: value`"),
        (b" folded: 2\r\n\r\n", "`name: value`"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "`name: value`"),
        (b"X: " + b"a" * 5000 + b"\r\nContent-Length: 2\r\n\r\n{}", "longer than 4096"),
        (b"X: a\r\n" * 1000 + b"Content-Length: 2\r\n\r\n{}", "longer than 4096"),
        (b"X: " + b"a" * 200_000, "too long"),
        (b"Content-Length: 2\r\n", "inside a header"),
        (b"Content-Len", "inside a header"),
        (b"Content-Length: 5\r\n\r\n{}", "after 2 of 5"),
    ],
)
async def test_a_broken_header_is_refused_in_words(data, words):
    with pytest.raises(framing.FramingError, match=words):
        await read_all(data)


async def test_the_end_of_the_stream_between_messages_is_its_end():
    assert await read_all(b"") == []
    assert await read_all(framing.frame(b"")) == [b""]


async def test_a_body_may_be_larger_than_the_reader_s_own_limit():
    body = b"x" * 1_000_000
    assert await read_all(framing.frame(body), 40_000) == [body]


@settings(database=None, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 50))
def test_what_was_framed_is_read_back(bodies, chunk):
    assert asyncio.run(read_all(b"".join(framing.frame(body) for body in bodies), chunk)) == bodies


@settings(database=None, deadline=None)
@given(st.binary(max_size=100) | st.text("Content-Length: 0123\r\n{}", max_size=60).map(str.encode))
def test_any_bytes_are_messages_or_a_framing_error(data):
    with contextlib.suppress(framing.FramingError):
        asyncio.run(read_all(data))


@contextlib.asynccontextmanager
async def writing(max_backlog_bytes=1 << 20):
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        _, stream = await asyncio.open_connection(sock=theirs)
        dropped = []
        loop = asyncio.get_running_loop()
        writer = framing.LoopWriter(stream, loop, lambda: dropped.append("dropped"), max_backlog_bytes)
        yield ours, writer, dropped
        writer.close()
        with contextlib.suppress(ConnectionError):
            await stream.wait_closed()


async def receive(ours, size):
    data = b""
    async with asyncio.timeout(support.TIMEOUT_S):
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(ours, 1 << 20)
    return data


async def test_frames_from_several_threads_arrive_whole():
    frames = [framing.frame(b"%d" % number * 9000) for number in range(8)]
    async with writing() as (ours, writer, dropped):
        threads = [threading.Thread(target=writer.write, args=(frame,)) for frame in frames]
        for thread in threads:
            thread.start()
        received = await receive(ours, sum(map(len, frames)))
        for thread in threads:
            thread.join()
        assert sorted(await read_all(received)) == [b"%d" % number * 9000 for number in range(8)]
        assert dropped == []


async def test_a_peer_that_does_not_read_is_dropped_once_and_then_ignored():
    async with writing() as (_, writer, dropped):
        for _ in range(40):
            writer.write(b"x" * 100_000)
        assert dropped == ["dropped"]
        assert writer._writer.transport.get_write_buffer_size() == 0


async def test_a_thread_cannot_pile_up_frames_while_the_loop_is_busy():
    async with writing() as (_, writer, dropped):

        def pile():
            for _ in range(40):
                writer.write(b"x" * 100_000)

        thread = threading.Thread(target=pile)
        thread.start()
        thread.join()  # the loop does nothing meanwhile
        assert writer._hopping_bytes <= 1_100_000
        await asyncio.sleep(0)
        assert dropped == ["dropped"]


async def test_a_frame_for_a_closed_stream_is_discarded():
    async with writing() as (_, writer, dropped):
        writer.close()
        writer.write(b"late")
        assert dropped == []


def test_a_frame_for_a_closed_loop_is_discarded():
    async def open_and_close():
        async with writing() as (_, writer, _):
            return writer

    writer = asyncio.run(open_and_close())
    thread = threading.Thread(target=writer.write, args=(b"late",))
    thread.start()
    thread.join()
    assert writer._writer.is_closing()
