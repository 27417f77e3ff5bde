"""A Unix socket on which many editors share one runtime; the only place that listens.

Nothing of a connection is served before its peer was admitted and its handshake read; nothing of it reaches another.
"""

import asyncio
import contextlib
import logging
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable

from agentos_lsp import __version__
from agentos_lsp.domain import review
from agentos_lsp.server import connection, handshake, rpc

MAX_CLIENTS = 1024
HANDSHAKE_TIMEOUT_S = 10.0
REFUSED_TIMEOUT_S = 2.0

# Source: Linux include/uapi/asm-generic/socket.h, since 6.5; Python has no name for it yet.
_SO_PEERPIDFD = 77
_BACKLOG = 512

_log = logging.getLogger(__name__)


class Endpoint:
    """Accepts editors until its `serve` is cancelled.

    Args:
        state: The state folder of the runtime, as forwarders name it.
        admit: Says why a process may not be served, None if it may; takes its pid, and a pidfd where there is one.
        build: Makes the server of a connection from what its forwarder said.
        control: Answers `status`, `stop` and `stop-now` with text for a terminal.
        on_change: Called when an editor has come or gone.
    """

    def __init__(
        self,
        state: str,
        admit: Callable[[int, int | None], str | None],
        build: Callable[[handshake.Hello], connection.Connection],
        control: Callable[[handshake.Hello], Awaitable[str]],
        on_change: Callable[[], None],
    ) -> None:
        self.clients: list[connection.Connection] = []
        self._state = state
        self._admit = admit
        self._build = build
        self._control = control
        self._on_change = on_change
        self._count = 0
        self._is_stopping = False

    @property
    def is_alone(self) -> bool:
        """Whether nobody is connected, or about to be."""
        return not self._count

    async def serve(self, path: str, on_listening: Callable[[], None], stop: asyncio.Event) -> None:
        """Listens on a path until `stop` is set, then lets every connection end and removes the socket.

        Args:
            path: Where nothing else listens, in a folder that only its user can enter.
            on_listening: Called once editors can dial.
            stop: Set from outside.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108  no use of the file system waits here
        async with asyncio.TaskGroup() as tasks:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._guarded(reader, writer), name="connection")

            server = await asyncio.start_unix_server(accept, path, backlog=_BACKLOG)
            os.chmod(path, 0o600)  # noqa: PTH101  as above
            on_listening()
            try:
                await stop.wait()
            finally:
                # Whoever dials from now on starts the next daemon, which waits until this one has ended.
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108  as above
                server.close()
                self._is_stopping = True
                for one in tuple(self.clients):
                    one.client.link.close()

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        self._on_change()
        try:
            await self._converse(reader, writer)
        except (OSError, TimeoutError, EOFError) as error:
            _log.info("a connection ended before it began: %s", type(error).__name__)
        except Exception:  # noqa: BLE001  one editor's failure does not reach another
            _log.exception("a connection failed")
        finally:
            self._count -= 1
            writer.close()
            self._on_change()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        refused = self._refusal(writer.get_extra_info("socket"))
        if refused is not None:
            await _refuse(reader, writer, refused)
            return
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                kind, length = handshake.read_line(await reader.readuntil(b"\n"))
                hello = handshake.decode(kind, await reader.readexactly(length))
        except handshake.Malformed as error:
            await _refuse(reader, writer, str(error))
            return
        except asyncio.LimitOverrunError:
            await _refuse(reader, writer, "The handshake is too long.")
            return
        if hello.kind != "connect":
            writer.write(b"ok\n" + (await self._control(hello)).encode("utf-8", "replace"))
            await writer.drain()
            return
        if (hello.version, hello.state) != (__version__, self._state):
            await _refuse(reader, writer, f"this is agentos-lsp {__version__} for {self._state}.")
            return
        writer.write(b"ok\n")
        await self._serve(hello, reader, writer)

    async def _serve(self, hello: handshake.Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = self._build(hello)
        self.clients.append(server)
        if self._is_stopping:
            server.client.link.close()
        try:
            await rpc.serve_connection(reader, writer, lambda: server)
        finally:
            self.clients.remove(server)

    def _refusal(self, dialled: socket.socket) -> str | None:
        if self._count > MAX_CLIENTS:
            return f"{MAX_CLIENTS} editors are connected already."
        if sys.platform != "linux":
            return None  # the folder's mode keeps other users out; who dials cannot be asked
        # Source: unix(7), SO_PEERCRED: struct ucred is pid, uid and gid of whoever called connect(2).
        pid, user, _ = struct.unpack("iII", dialled.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user != os.geteuid():
            return "it belongs to another user."
        pidfd: int | None = None
        with contextlib.suppress(OSError):
            pidfd = dialled.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
        try:
            refused = self._admit(pid, pidfd)
        finally:
            if pidfd is not None:
                os.close(pidfd)
        if refused is not None:
            _log.warning("process %d was refused: %s", pid, refused)
        return refused


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reason: str) -> None:
    """Says why, and throws away what was said: a peer whose words are unread may lose ours at the end of the socket."""
    writer.write(f"no {review.visible(reason)}\n".encode())
    await writer.drain()
    writer.write_eof()
    left = handshake.MAX_FRAME_BYTES
    async with asyncio.timeout(REFUSED_TIMEOUT_S):
        while left > 0 and (piece := await reader.read(1 << 16)):
            left -= len(piece)
