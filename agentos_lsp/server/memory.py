"""A connection within one process: no pipe and no socket, for the demo in a terminal and in a browser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentos_lsp.server import rpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from pygls.lsp.server import LanguageServer

LIMIT_BYTES = 1 << 20


class Wire:
    """The two directions of a connection: `inward` holds what the editor sent, `outward` what it is sent.

    Invariant: whoever closes one end, the other sees the end of its stream.
    """

    def __init__(self) -> None:
        self.inward = asyncio.StreamReader(LIMIT_BYTES)
        self.outward = asyncio.StreamReader(LIMIT_BYTES)
        self.editor = _writer(self.inward)
        self.server = _writer(self.outward)

    async def serve(self, build: Callable[[], LanguageServer]) -> int:
        """Serves the editor at the other end until it leaves; see `rpc.serve_connection`."""
        try:
            return await rpc.serve_connection(self.inward, self.server, build)
        finally:
            self.server.close()
            self.editor.close()


def _writer(reader: asyncio.StreamReader) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport = _Direct(reader, protocol, loop)
    protocol.connection_made(transport)
    return asyncio.StreamWriter(transport, protocol, None, loop)


class _Direct(asyncio.WriteTransport):
    """Hands what is written to a reader at once."""

    def __init__(
        self, reader: asyncio.StreamReader, protocol: asyncio.StreamReaderProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._reader = reader
        self._protocol = protocol
        self._loop = loop
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closed:
            self._reader.feed_data(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reader.feed_eof()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()
