"""Frames on the wire, read with bounds and written without blocking; the only place for `Content-Length`.

Source: LSP 3.18, Base Protocol, Header Part. A peer that breaks the framing cannot be understood again, because nothing
says where its next message begins: whoever reads answers with one error and closes the connection.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable

MAX_HEADER_BYTES = 4 << 10
MAX_BODY_BYTES = 32 << 20
MAX_BACKLOG_BYTES = 64 << 20

_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*?)[ \t]*\r\n")
_LENGTH = re.compile(rb"[0-9]{1,10}")

_log = logging.getLogger(__name__)


class FramingError(Exception):
    """The stream broke the framing; its text is one sentence that may be sent to the peer."""


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """Reads the body of the next message.

    Header names are matched in any case, the space after the colon is optional, and other headers are passed over. A
    header line that never ends is noticed when it exceeds the reader's own limit.

    Returns:
        The body, at most `MAX_BODY_BYTES` long, or None if the stream ended between two messages.

    Raises:
        FramingError: If a header line is malformed, does not end in CR LF, or is missing; if the header or the body is
            too long; or if the stream ends inside a message.
    """
    length = await _read_header(reader)
    if length is None:
        return None
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise FramingError(f"The stream ended after {len(error.partial)} of {length} body bytes.") from error


def frame(body: bytes) -> bytes:
    """Returns the body as it goes on the wire."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class LoopWriter:
    """Writes frames from any thread to a stream that belongs to one loop.

    Invariant: the stream is touched only on its loop's thread, and neither it nor the way to it ever holds more than
    `max_backlog_bytes` for a peer that does not read: such a peer is dropped.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        loop: asyncio.AbstractEventLoop,
        on_dropped: Callable[[], None],
        max_backlog_bytes: int,
    ) -> None:
        """Made on the loop's own thread.

        Args:
            writer: The stream.
            loop: The running loop to which the stream belongs.
            on_dropped: Called on the loop, at most once, when the peer was dropped.
            max_backlog_bytes: How much may wait for the peer.
        """
        self._writer = writer
        self._loop = loop
        self._on_dropped = on_dropped
        self._max_backlog_bytes = max_backlog_bytes
        self._loop_thread = threading.get_ident()
        self._lock = threading.Lock()
        self._hopping_bytes = 0
        self._dropped = False

    def write(self, data: bytes) -> None:
        """Sends whole frames; does nothing once the stream is closed or the peer was dropped."""
        if threading.get_ident() == self._loop_thread:
            self._write(data)
            return
        with self._lock:
            if self._dropped:
                return
            self._hopping_bytes += len(data)
            overflow = self._hopping_bytes > self._max_backlog_bytes
            self._dropped = overflow
        try:
            if overflow:
                self._loop.call_soon_threadsafe(self._drop)
            else:
                self._loop.call_soon_threadsafe(self._write_hopped, data)
        except RuntimeError:  # the loop is closed, and with it the connection
            _log.debug("a message for a closed loop was discarded")

    def close(self) -> None:
        """Closes the stream after what it holds was sent; must be called on the loop."""
        self._writer.close()

    def _write_hopped(self, data: bytes) -> None:
        with self._lock:
            self._hopping_bytes -= len(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._dropped or self._writer.is_closing():
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > self._max_backlog_bytes:
            self._drop()

    def _drop(self) -> None:
        _log.error("the peer does not read: it was dropped with more than %d bytes waiting", self._max_backlog_bytes)
        self._dropped = True
        self._writer.transport.abort()
        self._on_dropped()


async def _read_header(reader: asyncio.StreamReader) -> int | None:
    """Returns the body's length, or None if the stream ended before the first byte."""
    total = 0
    lengths: list[int] = []
    while (line := await _read_line(reader, inside=total > 0)) != b"\r\n":
        if line is None:
            return None
        total += len(line)
        if total > MAX_HEADER_BYTES:
            raise FramingError(f"The header is longer than {MAX_HEADER_BYTES} bytes.")
        header = _HEADER.fullmatch(line)
        if header is None:
            raise FramingError("A header line is not `name: value` followed by CR LF.")
        if header[1].lower() == b"content-length":
            lengths.append(_parse_length(header[2]))
    if len(lengths) != 1:
        raise FramingError("Content-Length is missing." if not lengths else "Content-Length is given twice.")
    return lengths[0]


async def _read_line(reader: asyncio.StreamReader, *, inside: bool) -> bytes | None:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        if inside or error.partial:
            raise FramingError("The stream ended inside a header.") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise FramingError("A header line is too long.") from error


def _parse_length(value: bytes) -> int:
    if not _LENGTH.fullmatch(value):
        raise FramingError("Content-Length is not a number of at most ten digits.")
    length = int(value)
    if length > MAX_BODY_BYTES:
        raise FramingError(f"Content-Length {length} exceeds {MAX_BODY_BYTES}.")
    return length
