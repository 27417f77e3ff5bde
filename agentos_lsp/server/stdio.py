"""The standard streams of this process as one connection; the only place that touches file descriptors 0, 1 and 2.

Two rules keep the frames clean: `guard` runs before anything that may print is imported, and from then on descriptor 1
is the error stream, so that neither `print` nor a child process nor a C library can write between two frames.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from pygls.lsp.server import LanguageServer

from agentos_lsp.server import rpc

PARENT_POLL_S = 2.0

_CHUNK_BYTES = 64 << 10
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Channel:
    """The descriptors that carry frames; no child process inherits them."""

    stdin: int
    stdout: int


def guard() -> Channel:
    """Takes both standard streams away from everybody else; see `guard_stdin` and `guard_stdout`."""
    return Channel(guard_stdin(), guard_stdout())


def guard_stdin() -> int:
    """Keeps the real standard input for frames and leaves an empty one in its place.

    Returns:
        A descriptor that is not inherited.
    """
    kept = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return kept


def guard_stdout() -> int:
    """Keeps the real standard output for frames; what anybody else writes there goes to standard error.

    Returns:
        A descriptor that is not inherited.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return kept


@contextlib.asynccontextmanager
async def open_streams(channel: Channel) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connects the channel to the running loop for the time of the block, at whose end its descriptors are closed.

    Pipes, sockets and terminals never block the loop: what an editor does not read waits in the writer. Regular files
    and devices such as `/dev/null`, on which nothing waits for long, are read and written directly.
    """
    loop = asyncio.get_running_loop()
    if _is_one_socket(channel):
        os.close(channel.stdout)
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=channel.stdin))
        incoming: asyncio.BaseTransport = writer.transport
    else:
        reader, incoming = await _open_reader(channel.stdin, loop)
        writer = await _open_writer(channel.stdout, loop)
    try:
        yield reader, writer
    finally:
        incoming.close()
        writer.close()


async def _open_reader(
    descriptor: int, loop: asyncio.AbstractEventLoop
) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    if not _can_be_polled(descriptor):
        file_transport = _FileReader(descriptor, protocol, loop)
        protocol.connection_made(file_transport)
        return reader, file_transport
    file = open(_private(descriptor), "rb", buffering=0)  # noqa: ASYNC230, SIM115  a descriptor; the transport closes it
    transport, _ = await loop.connect_read_pipe(lambda: protocol, file)
    return reader, transport


async def _open_writer(descriptor: int, loop: asyncio.AbstractEventLoop) -> asyncio.StreamWriter:
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport: asyncio.WriteTransport
    if _can_be_polled(descriptor):
        file = open(_private(descriptor), "wb", buffering=0)  # noqa: ASYNC230, SIM115  a descriptor; the transport closes it
        transport, _ = await loop.connect_write_pipe(lambda: protocol, file)
    else:
        transport = _FileWriter(descriptor, protocol, loop)
        protocol.connection_made(transport)
    return asyncio.StreamWriter(transport, protocol, None, loop)


def watch_parent(process_id: int, on_death: Callable[[], None]) -> Callable[[], None]:
    """Calls `on_death` on the running loop, once, when the process ends; holds neither a thread nor a task for it.

    A process that is not there now is not watched, because the editor may live in another process namespace; the end
    of the input says then that it is gone.

    Returns:
        What ends the watch.
    """
    loop = asyncio.get_running_loop()
    if process_id <= 0 or not _is_alive(process_id):
        _log.info("the editor's process %d cannot be seen from here and is not watched", process_id)
        return _do_nothing
    try:
        descriptor = os.pidfd_open(process_id)
    except (AttributeError, OSError):  # not Linux, an older kernel, or gone a moment ago
        return _poll_parent(process_id, on_death, loop)

    def stop() -> None:
        nonlocal descriptor
        if descriptor >= 0:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            descriptor = -1

    def die() -> None:
        stop()
        on_death()

    loop.add_reader(descriptor, die)
    return stop


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` on the running loop at the first SIGTERM, SIGINT or SIGHUP; a second one acts as usual."""
    loop = asyncio.get_running_loop()

    def leave() -> None:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)

    def begin_stop(number: signal.Signals) -> None:
        _log.info("stopping on %s", number.name)
        leave()
        stop()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, begin_stop, number)
    try:
        yield
    finally:
        leave()


async def serve(channel: Channel, build: Callable[[], LanguageServer]) -> int:
    """Serves the one editor that started this process.

    The connection ends at `exit`, at the end of the input, at a signal, or when the process that the editor says it is
    has ended.

    Returns:
        The exit code for the process.
    """
    stop = asyncio.Event()
    async with open_streams(channel) as (reader, writer):
        with contextlib.ExitStack() as watches, stop_on_signals(stop.set):

            def watch(process_id: int) -> None:
                watches.callback(watch_parent(process_id, stop.set))

            return await rpc.serve_connection(reader, writer, build, stop=stop, on_process_id=watch)


class _FileReader(asyncio.ReadTransport):
    """Reads a file in chunks, one per turn of the loop."""

    def __init__(
        self, descriptor: int, protocol: asyncio.StreamReaderProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._protocol = protocol
        self._loop = loop
        self._next = loop.call_soon(self._read)

    def pause_reading(self) -> None:
        self._next.cancel()

    def resume_reading(self) -> None:
        if self._descriptor >= 0:
            self._next.cancel()
            self._next = self._loop.call_soon(self._read)

    def is_closing(self) -> bool:
        return self._descriptor < 0

    def close(self) -> None:
        self._next.cancel()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK_BYTES)
        except OSError as error:
            self.close()
            self._protocol.connection_lost(error)
            return
        if data:
            self._next = self._loop.call_soon(self._read)
            self._protocol.data_received(data)
        else:
            self.close()
            self._protocol.eof_received()


class _FileWriter(asyncio.WriteTransport):
    """Writes to a file at once and keeps nothing back."""

    def __init__(
        self, descriptor: int, protocol: asyncio.StreamReaderProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._protocol = protocol
        self._loop = loop

    def write(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        try:
            while rest and self._descriptor >= 0:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._end(error)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._descriptor < 0

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _end(self, error: OSError | None) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._loop.call_soon(self._protocol.connection_lost, error)


def _is_one_socket(channel: Channel) -> bool:
    first, second = os.fstat(channel.stdin), os.fstat(channel.stdout)
    return stat.S_ISSOCK(first.st_mode) and os.path.samestat(first, second)


def _can_be_polled(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


def _private(descriptor: int) -> int:
    """Opens a terminal anew, because making the shared one non-blocking would do the same to standard error."""
    if not os.isatty(descriptor):
        return descriptor
    try:
        opened = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return descriptor
    os.close(descriptor)
    return opened


def _poll_parent(process_id: int, on_death: Callable[[], None], loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer
        if _is_alive(process_id):
            timer = loop.call_later(PARENT_POLL_S, look)
        else:
            on_death()

    def stop() -> None:
        timer.cancel()

    timer = loop.call_later(PARENT_POLL_S, look)
    return stop


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _do_nothing() -> None:
    """Ends a watch that never began."""
