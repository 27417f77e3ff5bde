"""Commands that are played and not started; see `effects.process.Processes`."""

from __future__ import annotations

import asyncio
import re
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.process import commands
from agentos_lsp.effects.simulated import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentos_lsp.domain.approval import Cleared
    from agentos_lsp.effects.process.commands import EndedBy, Finished
    from agentos_lsp.effects.simulated.objects import Objects

_NAME = re.compile(r"[\w][\w .:@+-]{0,63}")


class Running:
    """A command that is being played: its next piece is due at a moment of the event loop, and no task waits for it."""

    def __init__(
        self, played: shell.Play, pace: float, spool: str, limit_bytes: int, on_output: Callable[[bytes], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._played = played
        self._pace = pace
        self._on_output = on_output
        self._limit_bytes = limit_bytes
        self._printed = b""
        self._size_bytes = 0
        self._spool = spool
        self._began_s = loop.time()
        self._due: asyncio.Handle | None = loop.call_soon(self._go_on)
        self._ended: asyncio.Future[Finished] = loop.create_future()

    @property
    def finished(self) -> Finished | None:
        """How it ended."""
        return self._ended.result() if self._ended.done() else None

    @property
    def alive(self) -> bool:
        """Whether it goes on."""
        return not self._ended.done()

    @property
    def printed(self) -> bytes:
        """What is kept of what it printed."""
        return self._printed

    async def wait(self) -> Finished:
        """Waits for its end; whoever is cancelled meanwhile does not end it."""
        await asyncio.wait([self._ended])
        return self._ended.result()

    def output(self, since: int) -> bytes:
        """Returns what it printed from a byte on."""
        return self._printed[since:]

    def end(self, by: EndedBy, number: int) -> None:
        """Ends it, as a signal would."""
        if self.alive:
            if self._due is not None:
                self._due.cancel()
            self._played.close()
            self._end(None, number, by)

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            piece = next(self._played)
        except StopIteration as ended:
            self._end(ended.value, None, "itself")
        except EffectError as error:
            self._print(f"bash: {error}\n".encode())
            self._end(1, None, "itself")
        else:
            if isinstance(piece, bytes):
                self._print(piece)
                self._due = loop.call_soon(self._go_on)
            elif piece == shell.FOREVER:
                self._due = None
            else:
                self._due = loop.call_later(piece * self._pace, self._go_on)

    def _print(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        kept = piece[: self._limit_bytes - len(self._printed)]
        if kept:
            self._printed += kept
            self._on_output(kept)

    def _end(self, code: int | None, number: int | None, by: EndedBy) -> None:
        took = timedelta(seconds=asyncio.get_running_loop().time() - self._began_s)
        cut = self._size_bytes > len(self._printed)
        self._ended.set_result(commands.Finished(code, number, by, took, self._spool, self._size_bytes, cut, 0))


class Processes:
    """All commands of one session.

    Args:
        objects: The repository whose files they see.
        spools: What they have printed, by file.
        pace: How long a second of theirs takes; 0 for no time at all.
    """

    def __init__(self, objects: Objects, spools: dict[str, bytes], pace: float) -> None:
        self._objects = objects
        self._spools = spools
        self._pace = pace
        self._running: list[Running] = []
        self._background: dict[str, Running] = {}

    async def open(self) -> None:
        """Has nothing to make ready."""

    async def run(
        self,
        cleared: Cleared,
        environment: Mapping[str, str],
        *,
        timeout: timedelta,  # noqa: ASYNC109 - as the real door
        output_limit_bytes: int,
        on_output: Callable[[bytes], None],
        spool: str,
    ) -> Finished:
        """Plays a line to its end, to its time limit, or until it is cancelled."""
        del environment
        running = self._begin(cleared, spool, output_limit_bytes, on_output)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await running.wait()
        except TimeoutError:
            running.end("time limit", signal.SIGKILL)
        finally:
            running.end("shutdown", signal.SIGKILL)
        self._spools[spool] = running.printed
        return await running.wait()

    async def start(
        self,
        cleared: Cleared,
        name: str,
        environment: Mapping[str, str],
        *,
        output_limit_bytes: int,
        spool: str,
    ) -> Running:
        """Plays a line in the background under a name."""
        del environment
        names = [one for one, running in self._background.items() if running.alive]
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot name a process.", "Use up to 64 letters, digits and hyphens.")
        if name in names:
            raise UserError(f"A process named {name!r} is already running.", "Stop it first, or choose another name.")
        if len(names) >= commands.BACKGROUND_LIMIT:
            words = f"{commands.BACKGROUND_LIMIT} background processes are running."
            raise UserError(words, f"Stop one first: {', '.join(names)}.")
        kept = bytearray()

        def keep(piece: bytes) -> None:
            kept.extend(piece)
            self._spools[spool] = bytes(kept)

        running = self._background[name] = self._begin(cleared, spool, output_limit_bytes, keep)
        return running

    async def stop(self, name: str, grace: timedelta) -> Finished:
        """Ends a background process."""
        del grace
        running = self._background.get(name)
        if running is None:
            known = ", ".join(self._background) or "none was started"
            raise UserError(f"This session has no process named {name!r}.", f"Its processes: {known}.")
        running.end("stop", signal.SIGTERM)
        return await running.wait()

    async def listen(self) -> None:
        """Returns nothing: nothing played has a network, nor a way out to one."""

    async def end_running(self, by: EndedBy) -> None:
        """Ends all that is played."""
        for running in self._running:
            running.end(by, signal.SIGKILL)

    async def stop_all(self) -> int:
        """Ends all that was begun; nothing resists."""
        for running in self._running:
            running.end("shutdown", signal.SIGKILL)
        self._running.clear()
        return 0

    def _begin(self, cleared: Cleared, spool: str, limit_bytes: int, on_output: Callable[[bytes], None]) -> Running:
        played = shell.play(cleared.line, self._objects, cleared.cwd)
        running = Running(played, self._pace, spool, limit_bytes, on_output)
        self._running = [one for one in self._running if one.alive]
        self._running.append(running)
        return running
