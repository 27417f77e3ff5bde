"""What a command prints: read as it comes, kept whole up to a limit in a spool file, bounded in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE_BYTES = 64 * 1024
TAIL_BYTES = 64 * 1024


class Output:
    """Drains one pipe in the event loop, a piece at a time, so that a flood stalls nobody.

    Invariant: what `on_output` was given, put together, is what the spool file holds. When more than the limit is
    printed, that is the beginning, one line that says how much was left out, and the end.
    """

    def __init__(self, spool: str, limit_bytes: int, on_output: Callable[[bytes], None]) -> None:
        """Opens the spool file, which must not exist, and a pipe.

        Raises:
            EffectError: The spool file cannot be made.
        """
        self.spool = spool
        self.size_bytes = 0
        """How much the command printed, kept or not."""
        self.truncated = False
        self._tail_limit = min(TAIL_BYTES, limit_bytes // 4)
        self._head_left = limit_bytes - self._tail_limit
        self._tail = bytearray()
        self._left_out = 0
        self._on_output = on_output
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        try:
            self._file = os.open(spool, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EffectError(
                "process", "keep the command's output", error.strerror or "the file cannot be made", retry_may_help=True
            ) from error
        try:
            self._pipe, self.writer = os.pipe()
        except OSError as error:
            os.close(self._file)
            raise EffectError("process", "read the command's output", str(error), retry_may_help=True) from error
        os.set_blocking(self._pipe, False)
        self._loop.add_reader(self._pipe, self._read)

    def close_writer(self) -> None:
        """Gives up our copy of the pipe's end that the command writes to; idempotent."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    async def wait_for_end(self, timeout_s: float) -> bool:
        """Waits until nobody can write any more; false if somebody still can when time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        return self._ended.is_set()

    def close(self) -> None:
        """Writes what was held back and closes all; idempotent."""
        self.close_writer()
        self._stop_reading()
        if self._file >= 0:
            if self._left_out > len(self._tail):
                words = f"\n[... {self._left_out - len(self._tail)} bytes left out ...]\n"
                self._keep(words.encode())
            self._keep(bytes(self._tail))
            self._tail.clear()
            os.close(self._file)
            self._file = -1

    def since(self, offset: int, limit_bytes: int) -> bytes:
        """Returns what was kept from the byte `offset` on, at most `limit_bytes`."""
        with contextlib.suppress(OSError), open(self.spool, "rb") as kept:  # noqa: PTH123  # a plain name from our caller
            kept.seek(offset)
            return kept.read(limit_bytes)
        return b""

    def _read(self) -> None:
        try:
            piece = os.read(self._pipe, _PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._stop_reading()
            return
        self.size_bytes += len(piece)
        head, rest = piece[: self._head_left], piece[self._head_left :]
        self._head_left -= len(head)
        if head:
            self._keep(head)
        if rest:
            self._hold_back(rest)

    def _hold_back(self, piece: bytes) -> None:
        self._left_out += len(piece)
        self._tail += piece
        if len(self._tail) > self._tail_limit:
            del self._tail[: len(self._tail) - self._tail_limit]
            self.truncated = True

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        kept = 0
        try:
            while kept < len(piece):
                kept += os.write(self._file, memoryview(piece)[kept:])
        except OSError:
            # A full disk ends the keeping, not the command; what follows is counted only.
            self.truncated = True
            self._head_left = 0
            self._tail_limit = 0
        self._on_output(piece[:kept])

    def _stop_reading(self) -> None:
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1
        self._ended.set()
