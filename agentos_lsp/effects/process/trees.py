"""Processes as /proc shows them, and signals to them; standard library only, because the keeper imports it."""

# The keeper goes without pathlib: each module that it loads delays the first command of a session.
# ruff: noqa: PTH112, PTH208

from __future__ import annotations

import contextlib
import os
import signal
import time

MARK = "AGENTOS_MARK"
"""The variable that names session and command in the environment of all that a command starts."""

END_SECONDS = 3.0


class Process:
    """One line of /proc: who its parent and its session are, when it started (clock ticks), and whether it is dead."""

    __slots__ = ("dead", "parent", "session", "started")

    def __init__(self, stat: bytes) -> None:
        # Source: proc_pid_stat(5); the name in parentheses may hold anything, so we read from its last parenthesis.
        fields = stat[stat.rindex(b")") + 2 :].split()
        self.dead = fields[0] in {b"Z", b"X"}
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.started = int(fields[19])


def processes() -> dict[int, Process]:
    """Returns all processes that /proc shows, by pid."""
    table: dict[int, Process] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = look(int(name))
            if found is not None:
                table[int(name)] = found
    return table


def look(pid: int) -> Process | None:
    """Returns one process, None if it is gone or nobody shows it."""
    try:
        return Process(read(f"/proc/{pid}/stat"))
    except (OSError, ValueError, IndexError):
        return None


def last_pid() -> int:
    """Returns the pid that was given last. Source: proc_loadavg(5)."""
    return int(read("/proc/loadavg").split()[-1])


def end_marked(mark: str) -> int:
    """Ends every process that carries a session's mark in its environment; for when the keeper itself was killed.

    Returns:
        How many were still found when time was up; 0 where there is no /proc to look at.
    """
    wanted = f"\0{MARK}={mark}:".encode()
    deadline = time.monotonic() + END_SECONDS
    found: list[int] = []
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline and os.path.isdir("/proc/self"):
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and wanted in b"\0" + read(f"/proc/{name}/environ"):
                    found.append(int(name))
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                send(pid, number)
        quiet = 0 if found else quiet + 1
    return len(found)


def send(pid: int, number: int) -> None:
    """Sends a signal to one process, if it is still there."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def read(path: str) -> bytes:
    """Reads a small file of the kernel."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def write(path: str, data: bytes) -> bool:
    """Writes to a file of the kernel; returns whether it took it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, data)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
