"""`agentos-lsp daemon`: the process that editors share, and what a person may ask of it."""

# ruff: noqa: PTH103, PTH105, PTH108, PTH123, PTH211  paths are text here, as in `address`

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import logging.handlers
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp import __version__
from agentos_lsp.cli import address, forward
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    import argparse

    from agentos_lsp.domain import events, state
    from agentos_lsp.runtime import supervisor
    from agentos_lsp.server import connection, endpoint, handshake

FORMER_TIMEOUT_S = 60.0
SHOWN_LOG_LINES = 200

_LOG_BYTES = 1 << 20

LOG = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Carries out one of its actions; returns the exit code."""
    where = address.Address(address.state_folder(arguments.state, os.environ), os.environ)
    try:
        match arguments.action:
            case "run":
                return _run(arguments, where)
            case "status":
                return _status(where)
            case "stop":
                return _stop(where, "stop-now" if arguments.now else "stop")
            case _:
                return _show_log(where)
    except (forward.UnreachableError, address.UnsafeError) as error:
        forward.say(str(error))
        return 1


# --- what a person asks for ------------------------------------------------------------------------------------------


def _status(where: address.Address) -> int:
    """Names every daemon of the state folder; 0 if the one that editors of this version would use is there."""
    found = False
    for path in address.told(where.state):
        try:
            told = _ask(path, "status", where)
        except (forward.UnreachableError, address.UnsafeError) as error:
            told = f"{path}: {error}"
        if told is None:
            continue
        found = found or path == where.socket
        print(told.rstrip("\n"))
    if not found:
        print(f"No daemon of agentos-lsp {__version__} runs for {where.state}; the next editor starts it.")
    return 0 if found else 1


def _stop(where: address.Address, kind: str) -> int:
    told = _ask(where.socket, kind, where)
    if told is None:
        print(f"No daemon of agentos-lsp {__version__} runs for {where.state}.")
        return 0
    stopping, _, text = told.partition("\n")
    print(text.rstrip("\n"))
    if stopping != "stopping":
        return 1
    # It holds this lock to its very end, and whoever has it may start.
    with open(where.running, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    return 0


def _show_log(where: address.Address) -> int:
    print(where.log)
    try:
        lines = Path(where.log).read_text("utf-8", "replace").splitlines()
    except OSError as error:
        forward.say(f"{where.log} cannot be read: {error.strerror}")
        return 1
    print("\n".join(lines[-SHOWN_LOG_LINES:]))
    return 0


def _ask(path: str, kind: str, where: address.Address) -> str | None:
    """Asks a daemon for text, None if none listens.

    Raises:
        UnreachableError: It refuses, or does not answer.
    """
    link = forward.dial(path)
    answer = None if link is None else forward.greet(link, forward.hello(kind, where, {}))
    if link is None or answer is None:
        return None
    if answer != "ok":
        raise forward.UnreachableError(f"the daemon refuses: {answer.removeprefix('no ')}")
    link.settimeout(forward.ANSWER_TIMEOUT_S)
    pieces = []
    try:
        while piece := link.recv(65536):
            pieces.append(piece)
    except OSError as error:
        raise forward.UnreachableError("the daemon broke its answer off.") from error
    finally:
        link.close()
    return b"".join(pieces).decode("utf-8", "replace")


# --- the process itself ----------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace, where: address.Address) -> int:
    os.makedirs(where.state, 0o700, exist_ok=True)
    address.make_private(where.folder)
    lock = os.open(where.running, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if not _outlast_former(lock):
        forward.say(f"another daemon still runs for {where.state}; agentos-lsp daemon status names it.")
        return 1
    handler = logging.handlers.RotatingFileHandler(where.log, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[handler])
    logging.getLogger("pygls").setLevel(logging.WARNING)

    # What the lock keeps out was kept out before anything heavy is loaded.
    from agentos_lsp.cli import wiring  # noqa: PLC0415 - see above
    from agentos_lsp.runtime import supervisor  # noqa: PLC0415 - see above
    from agentos_lsp.server import wire  # noqa: PLC0415 - see above

    try:
        parts = wiring.parts(arguments)
    except AgentosError as error:
        forward.say(str(error))
        return 1
    wire.prewarm()
    wiring.settle()

    async def serve() -> None:
        async with supervisor.Runtime(parts) as runtime:
            await Daemon(where, runtime, arguments.idle).serve(arguments.ready)
        parts.store.close()

    asyncio.run(serve())
    LOG.info("ended")
    return 0


def point(pointer: str, socket: str) -> None:
    """Lets a pointer lead to a socket, from one moment to the next."""
    fresh = f"{pointer}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    os.symlink(socket, fresh)
    os.replace(fresh, pointer)


def _outlast_former(lock: int) -> bool:
    """Waits for a daemon that is about to end; returns whether the lock was taken."""
    deadline = time.monotonic() + FORMER_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


class Daemon:
    """One runtime and the socket to it; ends when it is told to, or after a while without editor and live session."""

    def __init__(self, where: address.Address, runtime: supervisor.Runtime, idle_s: float) -> None:
        from agentos_lsp.effects.process import peers  # noqa: PLC0415 - not needed to ask a daemon for something
        from agentos_lsp.server import endpoint, publish_diagnostics  # noqa: PLC0415 - as above

        self._rendered = publish_diagnostics.Rendered()
        self._where = where
        self._runtime = runtime
        self._idle_s = idle_s
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stop = asyncio.Event()
        self._endpoint: endpoint.Endpoint = endpoint.Endpoint(
            where.state, peers.refusal, self._build, self._control, self._on_change
        )

    async def serve(self, ready: int | None) -> None:
        """Serves editors to the end; says on the descriptor `ready` when it listens."""
        from agentos_lsp.server import stdio  # noqa: PLC0415 - as in `__init__`

        socket = f"{self._where.folder}/{self._where.key}{address.SOCKET_SUFFIX}"

        def on_listening() -> None:
            point(self._where.pointer, socket)
            LOG.info("agentos-lsp %s listens on %s for %s", __version__, self._where.socket, self._where.state)
            if ready is not None:
                os.write(ready, b"1")
                os.close(ready)

        unsubscribe = self._runtime.subscribe(self._on_event, lambda _progress: None)
        try:
            self._on_change()
            with stdio.stop_on_signals(self._stop.set):
                await self._endpoint.serve(socket, on_listening, self._stop)
        finally:
            unsubscribe()
            if self._timer is not None:
                self._timer.cancel()

    def _build(self, hello: handshake.Hello) -> connection.Connection:
        from agentos_lsp.server import connection  # noqa: PLC0415 - as in `__init__`

        self._numbers += 1
        # Editors mostly have the same environment, which is kept once.
        known = (one.client.environment for one in self._endpoint.clients)
        environment = next((one for one in known if one == hello.environment), hello.environment)
        hello.environment = {}
        return connection.Connection(self._runtime, self._numbers, environment, self._rendered)

    def _on_event(self, event: events.AnyEvent, now: state.SessionState) -> None:
        del event
        if now.ended:
            self._on_change()

    def _is_idle(self) -> bool:
        return self._endpoint.is_alone and not any(one.is_live for one in self._runtime.states())

    def _on_change(self) -> None:
        """Winds the clock that ends the daemon while nobody needs it, and stops it while somebody does."""
        if not self._is_idle():
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None and self._idle_s > 0:
            self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._end_if_idle)

    def _end_if_idle(self) -> None:
        self._timer = None
        if self._is_idle():
            LOG.info("nobody is connected and no session is live: ending")
            self._stop.set()

    async def _control(self, hello: handshake.Hello) -> str:
        if hello.kind == "status":
            return self._describe()
        busy = [one for one in self._runtime.states() if one.is_live and one.status in AT_WORK]
        if busy and hello.kind == "stop":
            names = "\n".join(f"  {one.session} ({one.status})" for one in busy)
            return f"kept\nSessions are at work:\n{names}\nTo interrupt them: agentos-lsp daemon stop --now\n"
        LOG.info("stopping: a person asked for it")
        asyncio.get_running_loop().call_soon(self._stop.set)
        loss = "They are interrupted, and go on when they are resumed." if busy else "No session was at work."
        return f"stopping\nThe daemon ends (process {os.getpid()}). {loss}\n"

    def _describe(self) -> str:
        live = [one for one in self._runtime.states() if one.is_live]
        lines = [
            f"agentos-lsp {__version__}, process {os.getpid()}",
            f"  python   {sys.executable}",
            f"  state    {self._where.state}",
            f"  socket   {self._where.socket}",
            f"  log      {self._where.log}",
            f"  editors  {len(self._endpoint.clients)}",
            *(f"    {server.client.name}" for server in self._endpoint.clients),
            f"  sessions {len(live)} live",
            *(f"    {one.session} ({one.status})" for one in live),
        ]
        return "\n".join(lines) + "\n"


AT_WORK = frozenset({"starting", "running", "waiting", "merging"})
"""Statuses of sessions that a stop would interrupt."""
