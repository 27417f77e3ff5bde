"""The server's end of a keeper: asks it to start and to end commands, and hears how they ended."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from agentos_lsp.domain.errors import EffectError, InternalError, UserError
from agentos_lsp.effects.process import cgroups, trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentos_lsp.effects.process.sandbox import backends

_ANSWER_S = 10.0
_LEAVE_S = 5.0
_LINE_LIMIT_BYTES = 128 * 1024 - 1  # Source: execve(2), MAX_ARG_STRLEN on Linux.
_EXTRA_BYTES = 128  # Source: unix(7), cmsg(3): the sender's credentials, and one descriptor.
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_PARENT = str(Path(__file__).resolve().parents[3])
# The package's folder comes last, so that nothing beside it can stand for a module of the standard library.
_CODE = f"import sys; sys.path.append({_PARENT!r}); from agentos_lsp.effects.process import keeper; keeper.main()"


Hold = Literal["groups", "descent"]
"""What finds a command's whole tree: its cgroup, or its descent from the keeper (elsewhere its process group)."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A command's first process ended.

    `code` is its exit code, negative for a signal, None if nobody saw it. `left`: others of its tree are alive.
    """

    code: int | None
    left: bool


class Link:
    """One keeper and the socket to it; used from one event loop."""

    def __init__(
        self, mark: str, process: subprocess.Popen[bytes], channel: socket.socket, *, sealed: bool = False
    ) -> None:
        self._mark = mark
        self._sealed = sealed
        self._first: int | None = None
        self._process = process
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()
        self._received = b""
        self._requests = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any] | None]] = {}
        self._exits: dict[int, asyncio.Future[Exit]] = {}
        self._group: str | None = None
        self._handed: socket.socket | None = None
        self.lost = False
        """The keeper is gone: nothing can be asked any more."""

    @classmethod
    async def open(
        cls, mark: str, wrapper: Sequence[str] = (), hold: Hold = "groups", cage: backends.Cage | None = None
    ) -> Self:
        """Starts a keeper and waits until it listens.

        Args:
            mark: A random word that names the session in the environment of what it starts.
            wrapper: What the keeper itself is started by: a sandbox puts itself here, and holds all that the keeper
                starts.
            hold: How trees are held together; "groups" falls back to "descent" where cgroups cannot be made.
            cage: What confines the keeper, and so all that it starts; cgroups cannot be made in there.

        Raises:
            UserError: This operating system is not supported.
            EffectError: The keeper did not start, or could not be confined: nothing was started then.
        """
        if sys.platform == "win32":
            raise UserError(
                "Commands are not supported on Windows yet.", "Run agentos-lsp on Linux or macOS, or under WSL."
            )
        words = [mark, hold] if cage is None else [mark, "descent", "confined"]
        if cage is not None:
            wrapper = (*wrapper, *cage.wrapper)
        ours, theirs = socket.socketpair()
        if sys.platform == "linux":
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            process = subprocess.Popen(  # noqa: ASYNC220  # it returns in about a millisecond; nothing is waited for
                [*wrapper, sys.executable, "-I", "-S", "-X", "utf8", "-c", _CODE, str(theirs.fileno()), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise EffectError("process", "start the session's keeper", str(error), retry_may_help=True) from error
        finally:
            theirs.close()
        ours.setblocking(False)
        link = cls(mark, process, ours, sealed=cage is not None and cage.sealed)
        ready = link._expect(0)
        link._loop.add_reader(ours, link._readable)
        try:
            if cage is not None:
                await link._send(cage.wish, [])
            answer = _confined(await link._heard(0, ready))
        except BaseException:
            await link.close()
            raise
        link._group = answer.get("group")
        return link

    @property
    def is_sealed(self) -> bool:
        """Whether it is in a cage with a network of its own."""
        return self._sealed

    @property
    def hold(self) -> Hold:
        """How trees are held together on this machine."""
        return "descent" if self._group is None else "groups"

    def exit_of(self, number: int) -> asyncio.Future[Exit]:
        """Returns what will say how a command ended; asked for before it is started, so that nothing is missed."""
        ended: asyncio.Future[Exit] = self._loop.create_future()
        self._exits[number] = ended
        return ended

    async def start(
        self, number: int, argv: Sequence[str], environment: Mapping[str, str], cwd: str, output: int
    ) -> int:
        """Starts a command whose output goes to the descriptor `output`, and returns its pid.

        Raises:
            UserError: The line cannot be passed to a program: too long, or it holds a NUL.
            EffectError: The folder is gone, the shell is missing, the machine is out of processes, the keeper is lost.
        """
        for word in argv:
            _check(word)
        request = {"do": "start", "n": number, "argv": list(argv), "env": dict(environment), "cwd": cwd}
        answer = await self._ask(request, [output])
        if "pid" not in answer:
            raise EffectError(
                "process",
                f"start the command in {cwd!r}",
                str(answer["why"]),
                retry_may_help=int(answer["code"]) in {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE},
            )
        return int(answer["pid"])

    async def listen(self) -> socket.socket:
        """Returns a socket that listens where the keeper is, on the loopback of its network namespace.

        Raises:
            EffectError: It cannot be had, or the keeper is lost.
        """
        answer = await self._ask({"do": "listen", "n": 0}, [])
        found, self._handed = self._handed, None
        if found is not None and "port" in answer and _listens(found, int(answer["port"])):
            return found
        if found is not None:
            found.close()
        why = str(answer.get("why", "what came is no such socket"))
        raise EffectError("process", "open a way out of the session's cage", why, retry_may_help=False)

    def forget(self, number: int) -> None:
        """Stops expecting the end of a command that did not start."""
        self._exits.pop(number, None)

    async def send_signal(self, number: int, name: signal.Signals) -> None:
        """Sends a signal to a command's process group."""
        with contextlib.suppress(EffectError):
            await self._send({"do": "signal", "n": number, "signal": int(name)}, [])

    async def end(self, number: int) -> int:
        """Ends a command's tree; returns how many of its processes could not be ended."""
        try:
            answer = await self._ask({"do": "end", "n": number}, [])
        except EffectError:
            return await self._end_without_keeper()
        return int(answer["ended"])

    async def close(self) -> int:
        """Ends everything that the keeper started, and the keeper; returns how many could not be ended."""
        try:
            survivors = int((await self._ask({"do": "end all", "n": 0}, []))["ended"])
        except EffectError:
            survivors = await self._end_without_keeper()
        self._lose()
        try:
            await asyncio.to_thread(self._process.wait, _LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            survivors = await self._end_without_keeper()
        if self._first is not None:
            survivors = 0 if await asyncio.to_thread(_end_cage, self._first) else survivors
            os.close(self._first)
            self._first = None
        return survivors

    async def _ask(self, request: dict[str, object], descriptors: list[int]) -> dict[str, Any]:
        self._requests += 1
        number = self._requests
        answer = self._expect(number)
        try:
            await self._send({**request, "id": number}, descriptors)
        except BaseException:
            self._answers.pop(number, None)
            raise
        return await self._heard(number, answer)

    def _expect(self, number: int) -> asyncio.Future[dict[str, Any] | None]:
        answer: asyncio.Future[dict[str, Any] | None] = self._loop.create_future()
        self._answers[number] = answer
        return answer

    async def _heard(self, number: int, answer: asyncio.Future[dict[str, Any] | None]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_ANSWER_S):
                message = await answer
        except TimeoutError as error:
            # Stopped, or attacked from inside: a keeper that does not answer is replaced, never waited for again.
            self._process.kill()
            self._lose()
            raise EffectError(
                "process", "reach the session's keeper", "it does not answer", retry_may_help=True
            ) from error
        finally:
            self._answers.pop(number, None)
        if message is None:
            raise EffectError("process", "reach the session's keeper", "it was ended", retry_may_help=True)
        return message

    async def _send(self, request: dict[str, object], descriptors: list[int]) -> None:
        data = json.dumps(request).encode()
        data = len(data).to_bytes(4, "big") + data
        try:
            async with self._sending, asyncio.timeout(_ANSWER_S):
                if self.lost:
                    raise BrokenPipeError(errno.EPIPE, "the keeper was ended")
                sent = 0
                while not sent:
                    try:
                        sent = socket.send_fds(self._channel, [data], descriptors)
                    except BlockingIOError:
                        await self._writable()
                await self._loop.sock_sendall(self._channel, data[sent:])
        except (OSError, TimeoutError) as error:
            self._lose()
            raise EffectError("process", "reach the session's keeper", "it was ended", retry_may_help=True) from error

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._channel, _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._channel)

    def _readable(self) -> None:
        try:
            if self._sealed:
                piece, extra, _, _ = self._channel.recvmsg(65536, _EXTRA_BYTES, _CLOSE_ON_EXEC)
                self._meet(extra)
            else:
                piece = self._channel.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._lose()
            return
        self._received += piece
        while len(self._received) >= 4:
            length = 4 + int.from_bytes(self._received[:4], "big")
            if len(self._received) < length:
                return
            message = json.loads(self._received[4:length])
            self._received = self._received[length:]
            self._hear(message)

    def _meet(self, extra: list[tuple[int, int, bytes]]) -> None:
        """Takes hold of the cage's first process: the kernel says who sent the first message, in our own numbers.

        And of a socket that is handed out; see `listen`.
        """
        if sys.platform != "linux":
            return
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                for at in range(0, len(data) - len(data) % 4, 4):
                    self._take(int.from_bytes(data[at : at + 4], sys.byteorder))
            elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and self._first is None:
                with contextlib.suppress(OSError):
                    self._first = os.pidfd_open(int.from_bytes(data[:4], sys.byteorder))

    def _take(self, descriptor: int) -> None:
        """Keeps a socket that was handed out until somebody asks for it; one at a time."""
        if self._handed is not None:
            self._handed.close()
        self._handed = None
        try:
            self._handed = socket.socket(fileno=descriptor)
        except OSError:
            os.close(descriptor)

    def _hear(self, message: dict[str, Any]) -> None:
        if "exit" in message:
            ended = self._exits.pop(int(message["n"]), None)
            if ended is not None and not ended.done():
                ended.set_result(Exit(int(message["exit"]), bool(message["left"])))
            return
        answer = self._answers.get(int(message["id"]))
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _lose(self) -> None:
        """Lets go of the socket; whoever waits hears that nobody will answer."""
        if self.lost:
            return
        self.lost = True
        if self._handed is not None:
            self._handed.close()
            self._handed = None
        self._loop.remove_reader(self._channel)
        self._loop.remove_writer(self._channel)
        self._channel.close()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(None)
        for ended in self._exits.values():
            if not ended.done():
                ended.set_result(Exit(None, left=True))
        self._exits.clear()

    async def _end_without_keeper(self) -> int:
        """Ends what can be found of the session when its keeper was killed.

        The first process of a pid namespace takes all others with it: it is dead only when they are.
        """
        if self._first is not None and await asyncio.to_thread(_end_cage, self._first):
            return 0
        return await asyncio.to_thread(_sweep, self._group, self._mark)


def _listens(found: socket.socket, port: int) -> bool:
    """Tells whether a socket is one that listens on loopback: what comes out of a cage is not believed."""
    try:
        kind = (found.family, found.type, found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return kind == (socket.AF_INET, socket.SOCK_STREAM, 1) and found.getsockname() == ("127.0.0.1", port)
    except OSError:
        return False


def _confined(answer: dict[str, Any]) -> dict[str, Any]:
    if "why" in answer:
        raise EffectError("process", "confine the session's commands", str(answer["why"]), retry_may_help=False)
    return answer


def _end_cage(first: int) -> bool:
    """Kills the first process of a pid namespace and waits until nothing is left in there."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(first, signal.SIGKILL)
    ended = select.poll()
    ended.register(first, select.POLLIN)
    return bool(ended.poll(trees.END_SECONDS * 1000))


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _sweep(group: str | None, mark: str) -> int:
    if group is not None:
        cgroups.kill(group)
    survivors = trees.end_marked(mark)
    if group is not None:
        cgroups.remove(group)
    return survivors


def _check(word: str) -> None:
    try:
        size = len(word.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        raise UserError("The command is not valid Unicode.", "Write it in plain text.") from error
    if "\0" in word:
        raise UserError("The command holds a NUL byte.", "Remove it, or print it with `printf`.")
    if size > _LINE_LIMIT_BYTES:
        raise UserError(
            f"The command is {size} bytes long; the system takes {_LINE_LIMIT_BYTES}.",
            "Write it to a script in the worktree and run that.",
        )


def shell_argv(line: str) -> list[str]:
    """Returns how a line is run, byte for byte: by bash without start-up files, by sh where bash is missing.

    Raises:
        InternalError: There is no shell at all.
    """
    for shell in ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"):
        if os.access(shell, os.X_OK):
            return [shell, "--noprofile", "--norc", "-c", line]
    if os.access("/bin/sh", os.X_OK):
        return ["/bin/sh", "-c", line]
    raise InternalError("This machine has neither bash nor /bin/sh.")
