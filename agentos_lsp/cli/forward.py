"""What an editor starts: dials the user's daemon, or starts it, and carries bytes between the two.

The standard library's quickest parts only: each import more is felt with every editor that is opened. Its exit code is
0 only after the editor has said `exit`: when the daemon dies, editors see a server that failed and start it again.
"""

# ruff: noqa: PTH103, PTH105, SIM105  `pathlib` and `contextlib` are not imported, see above

from __future__ import annotations

import _socket
import fcntl
import os
import select
import sys
import time

from agentos_lsp import __version__
from agentos_lsp.cli import address
from agentos_lsp.domain import variables
from agentos_lsp.server import handshake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_TIMEOUT_S = 20.0
START_TIMEOUT_S = 60.0
ATTEMPTS = 8

_BUFFER_BYTES = 1 << 18
_PIPE_BYTES = 4096  # Source: pipe(7), PIPE_BUF: a pipe that polls as writable takes as much without blocking.
_TAIL_BYTES = 256
_LOG_BYTES = 1 << 20
_READY_DESCRIPTOR = 3


class UnreachableError(Exception):
    """There is no daemon, or none that talks to us; its text says why and what to do."""


def main(chosen_state: str | None) -> int:
    """Connects standard input and output to the daemon until one of them ends; returns the exit code."""
    try:
        where = address.Address(address.state_folder(chosen_state, os.environ), os.environ)
        return carry(connect(where))
    except (UnreachableError, address.UnsafeError) as error:
        say(str(error))
        return 1
    except OSError:
        return 1  # the editor has closed its end
    except KeyboardInterrupt:
        return 130


def say(text: str) -> None:
    """Tells a person; editors keep the error stream in their logs."""
    os.write(2, f"agentos-lsp: {text}\n".encode("utf-8", "surrogateescape"))


def hello(kind: str, where: address.Address, environment: Mapping[str, str]) -> handshake.Hello:
    """Returns what is said first; of the environment only what commands may inherit."""
    kept = variables.kept(environment)
    try:
        folder = os.getcwd()  # noqa: PTH109  see above
    except OSError:
        folder = "/"
    return handshake.Hello(kind, __version__, where.python, where.state, folder, kept)


def connect(where: address.Address) -> _socket.socket:
    """Returns a connection to the daemon, which is started if it does not run.

    Raises:
        UnreachableError: It cannot be started, does not answer, or refuses us.
        UnsafeError: The folder or the socket is not ours alone.
    """
    first = hello("connect", where, os.environ)
    for attempt in range(ATTEMPTS):
        link = dial(where.socket) or start(where)
        if (answer := greet(link, first)) is not None:
            if answer != "ok":
                raise UnreachableError(f"the daemon refuses this connection: {answer.removeprefix('no ')}")
            return link
        # It was about to end; the next one takes its place.
        time.sleep(0.01 * 2**attempt)
    raise UnreachableError(f"the daemon ends before it answers; its log: {where.log}")


def dial(path: str) -> _socket.socket | None:
    """Returns a connection to a daemon, None if none listens.

    Raises:
        UnsafeError: What listens there is not ours.
    """
    if not address.is_our_socket(path):
        return None
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        link.connect(path)
    except OSError:
        link.close()
        return None
    if sys.platform == "linux":
        # Source: unix(7), SO_PEERCRED: pid, uid and gid of whoever listens.
        credentials = link.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        if int.from_bytes(credentials[4:8], sys.byteorder) != os.geteuid():
            link.close()
            raise address.UnsafeError(f"{path} belongs to another user; remove it.")
    return link


def greet(link: _socket.socket, first: handshake.Hello) -> str | None:
    """Says who we are; returns the first line of the answer, None if the daemon ended before it.

    Raises:
        UnreachableError: It does not answer.
    """
    link.settimeout(ANSWER_TIMEOUT_S)
    line = b""
    try:
        link.sendall(first.encode())
        while not line.endswith(b"\n") and len(line) < handshake.MAX_LINE_BYTES:
            piece = link.recv(1)
            if not piece:
                link.close()
                return None
            line += piece
    except TimeoutError:
        raise UnreachableError(
            f"the daemon (process {_process(link)}) does not answer; end it and try again."
        ) from None
    except OSError:
        link.close()
        return None
    link.settimeout(None)
    return line.decode("utf-8", "replace").rstrip("\n")


def _process(link: _socket.socket) -> int:
    if sys.platform != "linux":
        return 0
    return int.from_bytes(link.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)[:4], sys.byteorder)


# --- starting --------------------------------------------------------------------------------------------------------


def start(where: address.Address) -> _socket.socket:
    """Starts the daemon, once however many forwarders want it, and returns a connection to it.

    Raises:
        UnreachableError: It did not start; says what it said.
        UnsafeError: The folder is not ours alone.
    """
    try:
        os.makedirs(where.state, 0o700, exist_ok=True)
        address.make_private(where.folder)
        lock = os.open(where.starting, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UnreachableError(f"{error.filename} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        link = dial(where.socket)
        if link is None:
            _spawn_and_wait(where)
            link = dial(where.socket)
    finally:
        os.close(lock)
    if link is None:
        raise UnreachableError(f"the daemon ended as soon as it had started; its log: {where.log}")
    return link


def _spawn_and_wait(where: address.Address) -> None:
    ready, to_say_ready = os.pipe()
    log = _open_log(where.log)
    begin = os.fstat(log).st_size
    try:
        _spawn(daemon_command(where), log, to_say_ready)
    finally:
        os.close(to_say_ready)
    poll = select.poll()
    poll.register(ready, select.POLLIN)
    waited = poll.poll(START_TIMEOUT_S * 1000)
    is_ready = bool(waited) and os.read(ready, 1) == b"1"
    os.close(ready)
    said = "" if is_ready else os.pread(log, 4000, begin).decode("utf-8", "replace").strip()
    os.close(log)
    if not is_ready:
        why = f"it said:\n{said}" if said else "it said nothing."
        raise UnreachableError(f"the daemon did not start; {why}\nIts log: {where.log}")


def daemon_command(where: address.Address) -> list[str]:
    """Returns how the daemon is started: by this Python, with this package, whatever lies in the current folder."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120  see above
    code = f"import sys; sys.path.append({package!r}); from agentos_lsp.__main__ import main; sys.exit(main())"
    arguments = ["--state", where.state, "daemon", "run", "--ready", str(_READY_DESCRIPTOR)]
    return [sys.executable, "-P", "-c", code, *arguments]


def _open_log(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        log = os.open(path, flags, 0o600)
        if os.fstat(log).st_size > _LOG_BYTES:
            os.close(log)
            os.replace(path, f"{path}.old")
            log = os.open(path, flags, 0o600)
    except OSError as error:
        raise UnreachableError(f"{path} cannot be written: {error.strerror}") from error
    return log


def _spawn(command: list[str], log: int, ready: int) -> None:
    """Starts a process that is nobody's child: editors end what descends from them, and the daemon has to stay."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        os.umask(0o077)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(ready, _READY_DESCRIPTOR)
        os.set_inheritable(_READY_DESCRIPTOR, True)
        os.closerange(_READY_DESCRIPTOR + 1, os.sysconf("SC_OPEN_MAX"))
        os.execv(command[0], command)  # noqa: S606  our own Python, with arguments that we made
    except BaseException:  # noqa: BLE001  nothing of the forwarder may run in the child
        os._exit(127)


# --- carrying --------------------------------------------------------------------------------------------------------


def carry(link: _socket.socket) -> int:
    """Carries bytes both ways until the daemon's side ends; returns the exit code."""
    carrier = Carrier(link)
    while carrier.is_open:
        carrier.step()
    return 0 if says_exit(carrier.tail) else 1


class Carrier:
    """Both directions at once: neither waits for the other, and neither holds much more than its buffer."""

    def __init__(self, link: _socket.socket) -> None:
        self.tail = b""
        """The last bytes that the editor said."""
        self._link = link
        self._poll = select.poll()
        self._to_daemon = b""
        self._to_editor = b""
        self._hears_editor = True
        self._hears_daemon = True

    @property
    def is_open(self) -> bool:
        """Whether anything can still come from the daemon, or wait for the editor."""
        return self._hears_daemon or bool(self._to_editor)

    def step(self) -> None:
        """Waits until something can be carried, and carries it."""
        daemon = self._link.fileno()
        listens = self._hears_daemon and len(self._to_editor) < _BUFFER_BYTES
        self._watch(0, select.POLLIN if self._hears_editor and len(self._to_daemon) < _BUFFER_BYTES else 0)
        self._watch(1, select.POLLOUT if self._to_editor else 0)
        self._watch(daemon, (select.POLLIN if listens else 0) | (select.POLLOUT if self._to_daemon else 0))
        ready = dict(self._poll.poll())
        if 0 in ready:
            self._hear_editor()
        if listens and ready.get(daemon, 0) & ~select.POLLOUT:
            self._hear_daemon()
        if self._to_daemon:
            self._tell_daemon()
        if not self._hears_editor and not self._to_daemon:
            self._end_telling()
        if 1 in ready:
            self._to_editor = self._to_editor[os.write(1, self._to_editor[:_PIPE_BYTES]) :]

    def _watch(self, descriptor: int, events: int) -> None:
        if events:
            self._poll.register(descriptor, events)
        else:
            try:
                self._poll.unregister(descriptor)
            except KeyError:
                pass

    def _hear_editor(self) -> None:
        try:
            piece = os.read(0, _BUFFER_BYTES)
        except OSError:
            piece = b""
        self._to_daemon += piece
        self.tail = (self.tail + piece)[-_TAIL_BYTES:]
        self._hears_editor = bool(piece)

    def _hear_daemon(self) -> None:
        try:
            piece = self._link.recv(_BUFFER_BYTES, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._to_editor += piece
        self._hears_daemon = bool(piece)

    def _tell_daemon(self) -> None:
        try:
            self._to_daemon = self._to_daemon[self._link.send(self._to_daemon, _socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            return
        except OSError:
            # It is gone; what it said before can still be heard.
            self._to_daemon, self._hears_editor = b"", False

    def _end_telling(self) -> None:
        """Passes the end of the editor's input on; the daemon then ends what is under way."""
        try:
            self._link.shutdown(_socket.SHUT_WR)
        except OSError:
            pass


def says_exit(tail: bytes) -> bool:
    """Whether the last that an editor said was `exit`."""
    squeezed = b"".join(tail.split())
    return b'"method":"exit"' in squeezed
