"""A session's commands: run to their end, or kept in the background by name, and all ended with the session."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.process import link
from agentos_lsp.effects.process.output import Output

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from agentos_lsp.domain.approval import Cleared
    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.effects.process.sandbox import backends

EndedBy = Literal["itself", "time limit", "disk limit", "stop", "shutdown"]

BACKGROUND_LIMIT = 8
OUTPUT_PIECE_BYTES = 256 * 1024
_LINGER_S = 0.3
_DRAIN_S = 1.0
_REAP_S = 5.0
_NAME = re.compile(r"[\w][\w .:@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    `exit_code` is None when a signal ended it, `signal` otherwise; both are None when its keeper was killed and nobody
    saw the end. `output` is the spool file, `size_bytes` what was printed, more than the file holds if `truncated`.
    `survivors` counts processes of its tree that could not be ended: 0 in all honest cases.
    """

    exit_code: int | None
    signal: int | None
    ended_by: EndedBy
    duration: timedelta
    output: str
    size_bytes: int
    truncated: bool
    survivors: int

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it, or the session ended."""
        return self.ended_by in {"stop", "shutdown"}


class Running:
    """A command that was started; what it prints is read all the while."""

    def __init__(self, cleared: Cleared, number: int, keeper: link.Link, output: Output) -> None:
        self.cleared = cleared
        self.pid = 0
        """Of its first process, 0 while it is being started."""
        self._number = number
        self._link = keeper
        self._output = output
        self._ended_by: EndedBy = "itself"
        self._started_s = asyncio.get_running_loop().time()
        self._exit = keeper.exit_of(number)
        self._settling = asyncio.Lock()
        self._finished: Finished | None = None

    @property
    def finished(self) -> Finished | None:
        """How it ended, None while it runs or its end has not been seen to."""
        return self._finished

    @property
    def alive(self) -> bool:
        """Whether its first process runs, or is being started."""
        return self._finished is None and not self._exit.done()

    async def launch(self, environment: Mapping[str, str]) -> None:
        """Starts it; whatever was begun is ended if that fails or is cancelled."""
        argv = link.shell_argv(self.cleared.line)
        try:
            self.pid = await self._link.start(self._number, argv, environment, self.cleared.cwd, self._output.writer)
        except BaseException:
            # It may have been started all the same, and have killed its keeper before that could say so.
            await self._link.end(self._number)
            self._link.forget(self._number)
            self._exit.cancel()
            self._output.close()
            raise
        finally:
            self._output.close_writer()

    async def wait(self) -> Finished:
        """Waits for its end; several may wait, and one who is cancelled does not end it."""
        await self._wait_for_exit()
        return await self._settle()

    async def end(self, by: EndedBy, grace: timedelta = timedelta()) -> Finished:
        """Ends its whole tree, after a polite SIGTERM and `grace` if there is one; idempotent."""
        if self.alive:
            self._ended_by = by
            if grace:
                await self._link.send_signal(self._number, signal.SIGTERM)
                try:
                    async with asyncio.timeout(grace.total_seconds()):
                        await self._wait_for_exit()
                except TimeoutError:
                    pass
        return await self._settle()

    def mark_shutdown(self) -> None:
        """Notes that the session ends, so that its end is not taken for its own doing."""
        if self.alive:
            self._ended_by = "shutdown"

    def release(self) -> None:
        """Gives back what reading its output holds; idempotent."""
        self._output.close()

    def output(self, since: int, limit_bytes: int = OUTPUT_PIECE_BYTES) -> bytes:
        """Returns what it printed from the byte `since` on; ask again from where the answer ends."""
        return self._output.since(since, limit_bytes)

    async def _wait_for_exit(self) -> None:
        await asyncio.wait([self._exit])

    async def _settle(self) -> Finished:
        """Sees to it that nothing of its tree is left, and that all it printed is kept."""
        async with self._settling:
            if self._finished is None:
                self._finished = await self._settled()
            return self._finished

    async def _settled(self) -> Finished:
        survivors = 0
        if not self._exit.done():
            survivors = await self._link.end(self._number)
            await asyncio.wait([self._exit], timeout=_REAP_S)
        elif self._exit.cancelled():
            pass
        elif self._exit.result().left:
            # `cmd > >(tee log)`: the shell is gone and its helper writes its last lines.
            await self._output.wait_for_end(_LINGER_S)
            survivors = await self._link.end(self._number)
        code = self._exit.result().code if self._exit.done() and not self._exit.cancelled() else None
        duration = timedelta(seconds=asyncio.get_running_loop().time() - self._started_s)
        await self._output.wait_for_end(_DRAIN_S)
        self._output.close()
        return Finished(
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            ended_by=self._ended_by,
            duration=duration,
            output=self._output.spool,
            size_bytes=self._output.size_bytes,
            truncated=self._output.truncated,
            survivors=survivors,
        )


class Processes:
    """All child processes of one session; used from one event loop.

    Invariant: only what was cleared is started, byte for byte, without input, in a session (`setsid`) of its own. When
    a command's first process ends, whatever it left behind is ended too: what is to go on is started by name.
    """

    def __init__(
        self,
        mark: str,
        wrapper: Sequence[str] = (),
        hold: link.Hold = "groups",
        cage: Callable[[], backends.Cage | None] | None = None,
    ) -> None:
        """Prepares; nothing is started before the first command or `open`.

        Args:
            mark: A random word; names the session in the environment of all that it starts.
            wrapper: What the session's keeper is started by, for a sandbox; see `link.Link.open`.
            hold: How trees are held together; see `link.Link.open`.
            cage: Works out what confines all that is started, each time that a keeper is; called in a thread.
        """
        self._mark = mark
        self._cage = cage
        self._hold: link.Hold = hold
        self._wrapper = tuple(wrapper)
        self._link: link.Link | None = None
        self._opening = asyncio.Lock()
        self._numbers = 0
        self._running: set[Running] = set()
        self._background: dict[str, Running] = {}
        self._reserved: set[str] = set()
        self._listening = asyncio.Lock()
        self._listener: tuple[link.Link, socket.socket] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the background processes that run."""
        return tuple(name for name, running in self._background.items() if running.alive)

    @property
    def hold(self) -> link.Hold | None:
        """What finds a command's whole tree on this machine, None before the keeper has started."""
        return None if self._link is None else self._link.hold

    async def open(self) -> None:
        """Starts the keeper ahead of the first command, which is then as quick as all others; idempotent.

        Raises:
            UserError: This operating system is not supported.
            EffectError: The keeper did not start.
        """
        await self._keeper()

    async def run(
        self,
        cleared: Cleared,
        environment: Mapping[str, str],
        *,
        timeout: timedelta,  # noqa: ASYNC109  # the limit of a command is part of what was asked, and kept here
        output_limit_bytes: int,
        on_output: Callable[[bytes], None],
        spool: str,
    ) -> Finished:
        """Runs a line to its end, and ends its whole tree at the time limit or when cancelled.

        Args:
            cleared: The line and its absolute folder.
            environment: All its variables; see `environment.scrubbed`.
            timeout: How long it may run.
            output_limit_bytes: How much of its output is kept.
            on_output: Is given each piece that is kept, in the event loop; must not block.
            spool: The file to keep the output in; must not exist.

        Raises:
            UserError: The line is too long or holds a NUL.
            EffectError: It could not be started.
        """
        running = await self._launch(cleared, environment, Output(spool, output_limit_bytes, on_output))
        try:
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    return await running.wait()
            except TimeoutError:
                return await running.end("time limit")
        except BaseException:
            await running.end("shutdown")
            raise
        finally:
            running.release()
            self._running.discard(running)

    async def start(
        self,
        cleared: Cleared,
        name: str,
        environment: Mapping[str, str],
        *,
        output_limit_bytes: int,
        spool: str,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Running:
        """Starts a line in the background under a name; it goes on until it ends, is stopped, or the session ends.

        Raises:
            UserError: The name is taken or unusable, or too many run already; or as for `run`.
            EffectError: As for `run`.
        """
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot name a process.", "Use up to 64 letters, digits and hyphens.")
        if name in self.names or name in self._reserved:
            raise UserError(f"A process named {name!r} is already running.", "Stop it first, or choose another name.")
        if len(self.names) + len(self._reserved) >= BACKGROUND_LIMIT:
            raise UserError(
                f"{BACKGROUND_LIMIT} background processes are running.", f"Stop one first: {', '.join(self.names)}."
            )
        output = Output(spool, output_limit_bytes, on_output or _ignore)
        self._reserved.add(name)
        try:
            running = await self._launch(cleared, environment, output)
            self._background[name] = running
        finally:
            self._reserved.discard(name)
        return running

    def output(self, name: str, since: int = 0) -> bytes:
        """Returns what a background process printed from the byte `since` on, also after its end; bounded.

        Raises:
            UserError: No process of that name was started.
        """
        return self._named(name).output(since)

    async def stop(self, name: str, grace: timedelta) -> Finished:
        """Stops a background process and its tree: SIGTERM, `grace`, then SIGKILL.

        Raises:
            UserError: No process of that name was started.
        """
        running = self._named(name)
        try:
            return await running.end("stop", grace)
        finally:
            self._running.discard(running)

    async def stop_call(self, call: CallId, grace: timedelta = timedelta()) -> bool:
        """Stops what a call started and that still runs; its `run` returns then. False if there is nothing."""
        found = [running for running in self._running if running.cleared.call == call and running.alive]
        for running in found:
            await running.end("stop", grace)
        return bool(found)

    async def listen(self) -> socket.socket | None:
        """Returns a socket that listens on the session's own loopback; None where it has none, being not in a cage.

        The same one until the keeper is replaced; whoever asks for it first serves it.

        Raises:
            EffectError: It cannot be had, or the keeper did not start.
        """
        keeper = await self._keeper()
        if not keeper.is_sealed:
            return None
        async with self._listening:
            if self._listener is None or self._listener[0] is not keeper:
                self._listener = (keeper, await keeper.listen())
            return self._listener[1]

    async def end_running(self, by: EndedBy) -> None:
        """Ends all that runs, and says by what; what is started later is not meant."""
        await asyncio.gather(*(running.end(by) for running in tuple(self._running) if running.alive))

    async def stop_all(self) -> int:
        """Ends all that the session started, and its keeper; idempotent. A later command starts a new keeper.

        Returns:
            How many processes could not be ended.
        """
        async with self._opening:
            keeper, self._link = self._link, None
            alive = [running for running in self._running if running.finished is None]
            for running in alive:
                running.mark_shutdown()
            survivors = await keeper.close() if keeper is not None else 0
            for running in alive:
                await running.end("shutdown")
            self._running.clear()
            return survivors

    async def _launch(self, cleared: Cleared, environment: Mapping[str, str], output: Output) -> Running:
        try:
            keeper = await self._keeper()
        except BaseException:
            output.close()
            raise
        self._numbers += 1
        self._running = {running for running in self._running if running.finished is None}
        running = Running(cleared, self._numbers, keeper, output)
        self._running.add(running)
        try:
            await running.launch(environment)
        except BaseException:
            self._running.discard(running)
            raise
        return running

    async def _keeper(self) -> link.Link:
        async with self._opening:
            if self._link is not None and self._link.lost:
                # Somebody killed it, perhaps from inside: what it had started goes, then a new one takes its place.
                await self._link.end(0)
                await self._link.close()
                self._link = None
            if self._link is None:
                self._link = await link.Link.open(self._mark, self._wrapper, self._hold, await self._worked_out())
            return self._link

    async def _worked_out(self) -> backends.Cage | None:
        if self._cage is None:
            return None
        working = asyncio.get_running_loop().run_in_executor(None, self._cage)
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError:
            # It makes folders of the session's; whoever removes those must not be overtaken by it.
            await asyncio.wait([working])
            working.exception()
            raise
        try:
            return working.result()
        except OSError as error:
            raise EffectError("process", "confine the session's commands", str(error), retry_may_help=False) from error

    def _named(self, name: str) -> Running:
        running = self._background.get(name)
        if running is None:
            known = ", ".join(self._background) or "none was started"
            raise UserError(f"This session has no process named {name!r}.", f"Its processes: {known}.")
        return running


def _ignore(piece: bytes) -> None:
    """Drops a piece that nobody asked to be told of; the spool keeps it."""
