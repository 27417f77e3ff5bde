"""The keeper: a small resident process, one per session, that starts the session's commands and ends their trees.

It runs on its own, isolated (`python -I -S`), and imports the standard library and its neighbours only. Where commands
are confined it enters the cage itself, before anything is started, as the first process of a pid namespace: whatever
it starts is in there with it, and dies with it; see `sandbox`. The server
asks over a Unix socket: four bytes of length, then JSON; a command's output descriptor travels with its request.

Why a process of its own. It makes itself a *subreaper*: whatever a command leaves behind, also after a double fork,
`setsid` and with its environment wiped, becomes the keeper's child and not init's, so that nothing of the session can
leave the tree below the keeper. The server could not do that without reaping other people's children. And when the
server dies, by `kill -9` too, the socket ends and the keeper ends everything, then itself.

How a tree is ended. With cgroup v2 where we may write it: each command starts in a group of its own, which
`cgroup.kill` ends at once. Everywhere else on Linux: all that descends from the command is stopped with SIGSTOP,
looked for again and killed, until nothing is found twice in a row and, if no other command runs, until the keeper
has no child left at all, which proves the end. Elsewhere: the process group.

What survives, as measured: of ten trees of eight processes each that hop from pid to pid with a wiped environment
and a session of their own (a new one every 200 microseconds, and as fast as they can), none, in under 0.1 s, with
cgroups and without. Without cgroups and while another command of the session runs, such a tree may live on until
the session ends. What other services start on request (cron, at, systemd-run, a container engine) was never ours.
An agent that kills its keeper loses its commands with it: the server then ends the cgroups and every process that
still carries the session's mark in its environment; without cgroups, one that wiped its environment gets away then.

Source: prctl(2) PR_SET_CHILD_SUBREAPER; Linux Documentation/admin-guide/cgroup-v2.rst, cgroup.kill (Linux 5.14).
"""

# The keeper goes without pathlib: each module that it loads delays the first command of a session.
# ruff: noqa: PTH102, PTH106

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time

from agentos_lsp.effects.process import cgroups, trees
from agentos_lsp.effects.process.sandbox import inside

_SUBREAPER = 36  # Source: Linux include/uapi/linux/prctl.h, PR_SET_CHILD_SUBREAPER.
_DUMPABLE = 4  # Source: the same, PR_SET_DUMPABLE.
_ROUND_SECONDS = 0.001
_CHASE_SECONDS = 0.02
_CHASED_PIDS = 12
_RESTORED = [
    getattr(signal, name)
    for name in ("SIGCHLD", "SIGHUP", "SIGINT", "SIGPIPE", "SIGQUIT", "SIGTERM", "SIGXFSZ", "SIGTSTP", "SIGTTIN")
    if hasattr(signal, name)
]


class Command:
    """A command that was started and whose tree has not been ended."""

    __slots__ = ("ending", "exited", "group", "number", "pid", "started")

    def __init__(self, number: int, pid: int, group: str | None) -> None:
        self.number = number
        self.pid = pid
        self.group = group
        self.exited = pid == 0
        self.ending = False
        found = trees.look(pid)
        self.started = found.started if found else 0


class Keeper:
    """Answers the server's requests, one at a time; single-threaded, so that a pid stays what it was."""

    def __init__(self, channel: socket.socket, mark: str, hold: str) -> None:
        self.channel = channel
        self.mark = mark
        self.commands: dict[int, Command] = {}
        self.received = b""
        self.descriptors: list[int] = []
        self.home, self.groups = (None, None) if hold == "descent" else cgroups.make_own()

    def serve(self) -> None:
        """Answers until the server closes the socket or dies; then ends everything."""
        wakes, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake)
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        poll.register(wakes, select.POLLIN)
        self.say({"id": 0, "ready": os.getpid(), "group": self.groups})
        try:
            while True:
                ready = {descriptor for descriptor, _ in poll.poll()}
                if wakes in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wakes, 4096)
                self.reap()
                if self.channel.fileno() in ready and not self.receive():
                    return
        finally:
            self.end_all()

    def receive(self) -> bool:
        """Reads and answers requests; false at the end of the server."""
        try:
            piece, descriptors, _, _ = socket.recv_fds(self.channel, 65536, 16)
        except OSError:
            return False
        for descriptor in descriptors:
            # A received descriptor is inherited by default: a daemon would hold the pipe open under a second number.
            os.set_inheritable(descriptor, False)
        self.descriptors += descriptors
        self.received += piece
        while len(self.received) >= 4:
            length = 4 + int.from_bytes(self.received[:4], "big")
            if len(self.received) < length:
                break
            request = json.loads(self.received[4:length])
            self.received = self.received[length:]
            self.answer(request)
        return bool(piece)

    def answer(self, request: dict[str, object]) -> None:
        """Does what one request asks."""
        number = int(str(request["n"]))
        match request["do"]:
            case "start":
                self.start(number, request)
            case "signal":
                command = self.commands.get(number)
                if command and not command.exited:
                    with contextlib.suppress(OSError):
                        os.killpg(command.pid, int(str(request["signal"])))
            case "end":
                command = self.commands.get(number)
                self.say({"id": request["id"], "ended": self.end(command) if command else 0})
            case "end all":
                self.say({"id": request["id"], "ended": self.end_all()})
            case "listen":
                self.listen(int(str(request["id"])))
            case unknown:
                self.say({"id": request["id"], "why": f"unknown request {unknown}", "code": 0})

    def start(self, number: int, request: dict[str, object]) -> None:
        """Starts a command in its own session and cgroup, with nothing to read and one pipe to write to."""
        output = self.descriptors.pop(0)
        argv, environment = request["argv"], request["env"]
        group = self.make_group(number)
        try:
            os.chdir(str(request["cwd"]))
            pid = os.posix_spawn(
                argv[0],  # type: ignore[index]  # JSON from our own server
                argv,  # type: ignore[arg-type]  # the same
                {**environment, trees.MARK: f"{self.mark}:{number}"},  # type: ignore[dict-item]  # the same
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=_RESTORED,
            )
        except (OSError, ValueError) as error:
            self.drop_group(group)
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self.say({"id": request["id"], "why": why, "code": getattr(error, "errno", None) or 0})
            return
        finally:
            os.close(output)
            if group:
                cgroups.enter(f"{self.groups}/keeper")
            os.chdir("/")
        self.commands[number] = Command(number, pid, group)
        self.say({"id": request["id"], "pid": pid})

    def listen(self, request: int) -> None:
        """Makes a socket that listens on this network namespace's loopback, and hands it out."""
        try:
            with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
                data = json.dumps({"id": request, "port": listener.getsockname()[1]}).encode()
                socket.send_fds(self.channel, [len(data).to_bytes(4, "big") + data], [listener.fileno()])
        except OSError as error:
            self.say({"id": request, "why": error.strerror or str(error), "code": error.errno or 0})

    def reap(self) -> None:
        """Collects who died."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self.report(pid, status)

    def report(self, pid: int, status: int) -> None:
        """Tells the server that a command's first process ended, and whether others of its tree are left."""
        command = next((one for one in self.commands.values() if one.pid == pid and not one.exited), None)
        if command is None:
            return
        command.exited = True
        code = os.waitstatus_to_exitcode(status)
        left = not command.ending and self.has_left(command)
        self.say({"n": command.number, "exit": code, "left": left})
        if not left and not command.ending:
            self.forget(command)

    def has_left(self, command: Command) -> bool:
        """Tells whether anything of the command is alive; costs nothing where the keeper has no child at all."""
        if sys.platform != "linux":
            return True
        if not has_children():
            return False
        return not self.runs_others(command) or bool(self.members(command))

    def end(self, command: Command) -> int:
        """Ends a command's whole tree; returns how many processes are still there when time is up."""
        deadline = time.monotonic() + trees.END_SECONDS
        command.ending = True
        quiet = 0
        found: set[int] = set()
        while time.monotonic() < deadline:
            cgroups.kill(command.group)
            if not self.runs_others(command):
                strike()
            found = self.members(command)
            for pid in found:
                trees.send(pid, signal.SIGSTOP)
            found |= self.members(command) if found else set()
            for pid in found:
                trees.send(pid, signal.SIGKILL)
            quiet = 0 if found else quiet + 1
            if sys.platform != "linux":
                with contextlib.suppress(OSError):
                    os.killpg(command.pid, signal.SIGKILL)
            self.reap()
            if quiet >= 2 and command.exited:
                if self.runs_others(command) or not has_children():
                    break
                self.chase()
            elif found or not command.exited:
                time.sleep(_ROUND_SECONDS)
        hidden = sys.platform == "linux" and not self.runs_others(command) and has_children()
        self.forget(command)
        return max(len(found), int(hidden))

    def runs_others(self, command: Command) -> bool:
        """Tells whether any other command has not been ended."""
        return any(other is not command for other in self.commands.values())

    def chase(self) -> None:
        """Kills the newest children of ours, for a few milliseconds: a hopper is gone before all of /proc is read.

        Only when no other command runs. Who hops by dying becomes our child, so it is among the last pids given.
        """
        until = time.monotonic() + _CHASE_SECONDS
        own = os.getpid()
        while time.monotonic() < until:
            last = trees.last_pid()
            for pid in range(last, max(last - _CHASED_PIDS, 1), -1):
                found = trees.look(pid)
                if found is not None and found.parent == own and not found.dead:
                    trees.send(pid, signal.SIGKILL)
        self.reap()

    def end_all(self) -> int:
        """Ends every command and whatever else descends from the keeper."""
        strike()
        survivors = sum([self.end(command) for command in list(self.commands.values())])
        # Strays that no command owned: the last command would have taken them; this holds whatever happened before.
        survivors += self.end(Command(0, 0, None)) if sys.platform == "linux" else 0
        return survivors

    def members(self, command: Command) -> set[int]:
        """Returns the living processes of a command: its cgroup, what descends from it, and strays it may own."""
        found = cgroups.members(command.group)
        if sys.platform != "linux":
            return found
        table = trees.processes()
        own = os.getpid()
        leaders = {one.pid: one for one in self.commands.values()}
        for pid, process in table.items():
            if process.dead:
                continue
            root, seen = pid, 0
            while (above := table.get(root)) is not None and above.parent != own and above.parent and seen < 1000:
                root, seen = above.parent, seen + 1
            if root not in table or table[root].parent != own:
                continue
            owner = leaders.get(root) or leaders.get(process.session) or self.marked(pid)
            if owner is command or (owner is None and self.may_own(command, process)):
                found.add(pid)
        return found

    def may_own(self, command: Command, stray: trees.Process) -> bool:
        """Tells whether a process without owner ends with this command: no other that is older than it goes on."""
        return not any(other is not command and other.started <= stray.started for other in self.commands.values())

    def marked(self, pid: int) -> Command | None:
        """Returns the command whose mark a process carries."""
        with contextlib.suppress(OSError, ValueError):
            for variable in trees.read(f"/proc/{pid}/environ").split(b"\0"):
                name, _, value = variable.partition(b"=")
                mark, _, number = value.decode("utf-8", "replace").partition(":")
                if name == trees.MARK.encode() and mark == self.mark:
                    return self.commands.get(int(number))
        return None

    def make_group(self, number: int) -> str | None:
        """Makes the command's cgroup and enters it, so that what is started next is born there."""
        if self.groups is None:
            return None
        group = f"{self.groups}/{number}"
        try:
            os.mkdir(group)
        except OSError:
            return None
        if cgroups.enter(group):
            return group
        self.drop_group(group)
        return None

    def drop_group(self, group: str | None) -> None:
        """Removes a cgroup that is empty."""
        if group:
            cgroups.enter(f"{self.groups}/keeper")
            with contextlib.suppress(OSError):
                os.rmdir(group)

    def forget(self, command: Command) -> None:
        """Lets a command go; its cgroup is removed if nothing is in it."""
        self.commands.pop(command.number, None)
        if command.group:
            with contextlib.suppress(OSError):
                os.rmdir(command.group)

    def leave(self) -> None:
        """Removes the session's cgroups, as the last act."""
        if self.groups and self.home and cgroups.enter(self.home):
            cgroups.remove(self.groups)

    def say(self, message: dict[str, object]) -> None:
        """Sends one message; a server that is gone is noticed when reading."""
        data = json.dumps(message).encode()
        with contextlib.suppress(OSError):
            self.channel.sendall(len(data).to_bytes(4, "big") + data)


def strike() -> None:
    """Kills all others in the keeper's own pid namespace, if it is the first process of one: no fork escapes that.

    Source: kill(2), a pid of -1; pid_namespaces(7).
    """
    if sys.platform == "linux" and os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


def has_children() -> bool:
    """Tells whether the keeper has any child, dead or alive; no child of a subreaper means no descendant: a proof."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def confine(channel: socket.socket) -> bool:
    """Confines this process as the server's first message wishes; says why, if it cannot, and is of no use then."""
    wished = b""
    while len(wished) < 4 or len(wished) < 4 + int.from_bytes(wished[:4], "big"):
        piece = channel.recv(65536)
        if not piece:
            return False
        wished += piece
    try:
        inside.confine(json.loads(wished[4:]))
    except OSError as error:
        data = json.dumps({"id": 0, "why": error.strerror or str(error)}).encode()
        channel.sendall(len(data).to_bytes(4, "big") + data)
        return False
    return True


def main() -> None:
    """Keeps one session's commands until the server is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    if len(sys.argv) > 4 and not confine(channel):
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, _wake)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_SUBREAPER, 1, 0, 0, 0)
        # Others of the same user cannot attach to the keeper; what it starts can be debugged as usual.
        libc.prctl(_DUMPABLE, 0, 0, 0, 0)
    keeper = Keeper(channel, sys.argv[2], sys.argv[3])
    try:
        keeper.serve()
    finally:
        keeper.leave()


def _wake(number: int, frame: object) -> None:
    """Does nothing: the signal wakes the loop through its descriptor."""


if __name__ == "__main__":
    main()
