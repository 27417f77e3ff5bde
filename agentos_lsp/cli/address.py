"""Where a user's daemon listens and what it is named by; the only place that chooses socket folders.

It imports next to nothing, because the forwarder, which each editor starts, has to be there at once.
"""

# `pathlib` alone takes longer to import than all that is done here.
# ruff: noqa: PTH115, PTH116, PTH117, PTH100, PTH103, PTH118, PTH120, PTH111, PTH208

from __future__ import annotations

import os
import stat
import sys

from agentos_lsp import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_SUFFIX = ".sock"
POINTER_SUFFIX = ".at"

# Source: unix(7), sun_path holds 108 bytes on Linux, and 104 on the BSDs and macOS.
_MAX_PATH_BYTES = 100


class UnsafeError(Exception):
    """A folder or socket is not ours alone; its text says which and what to do."""


class Address:
    """One daemon: that of a version, a Python and a state folder, for one user."""

    __slots__ = ("folder", "key", "python", "state")

    def __init__(self, state: str, environment: Mapping[str, str]) -> None:
        self.state = os.path.realpath(state)
        self.python = sys.executable
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.key = _key(__version__, self.python, package, self.state)
        self.folder = _folder(self.state, environment)

    @property
    def socket(self) -> str:
        """Where it listens: where it says so, else where it would.

        Editors may have been started with different run-time folders, and find the same daemon all the same.
        """
        return told_at(self.pointer) or f"{self.folder}/{self.key}{SOCKET_SUFFIX}"

    @property
    def pointer(self) -> str:
        """The link in the state folder that leads to the socket of the daemon that runs."""
        return f"{self.state}/daemon-{self.key}{POINTER_SUFFIX}"

    @property
    def starting(self) -> str:
        """The lock of whoever starts it."""
        return f"{self.state}/daemon-{self.key}.starting"

    @property
    def running(self) -> str:
        """The lock that it holds as long as it lives."""
        return f"{self.state}/daemon-{self.key}.running"

    @property
    def log(self) -> str:
        """Where it writes what happens to it."""
        return f"{self.state}/daemon-{self.key}.log"


def state_folder(chosen: str | None, environment: Mapping[str, str]) -> str:
    """Returns where this user's sessions are kept. Source: XDG Base Directory Specification."""
    if chosen:
        return os.path.realpath(chosen)
    base = environment.get("XDG_STATE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.local/state"), "agentos")


def make_private(folder: str) -> None:
    """Makes a folder that only its user can enter, or sees that it is one.

    Raises:
        UnsafeError: It is a link, somebody else's, or open to others.
        OSError: It cannot be made.
    """
    os.makedirs(folder, 0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise UnsafeError(
            f"{folder} must be a folder of your own that nobody else can enter (mode 0700)."
            " Mend or remove it, or set XDG_RUNTIME_DIR to another place."
        )


def is_our_socket(path: str) -> bool:
    """Whether a socket of ours lies there; nothing else is ever dialled.

    Raises:
        UnsafeError: Something else lies there.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise UnsafeError(f"{path} is not a socket of yours; remove it.")
    return True


def told_at(pointer: str) -> str | None:
    """Returns the socket that a pointer leads to, None if there is none."""
    try:
        return os.readlink(pointer)
    except OSError:
        return None


def told(state: str) -> list[str]:
    """Returns the sockets of all daemons of a state folder, of other versions too, running or not."""
    try:
        names = sorted(os.listdir(state))
    except OSError:
        return []
    found = [
        told_at(f"{state}/{name}") for name in names if name.startswith("daemon-") and name.endswith(POINTER_SUFFIX)
    ]
    return [path for path in found if path is not None]


def _folder(state: str, environment: Mapping[str, str]) -> str:
    """The first place that is ours and short enough: the run-time folder, else the state folder, else /tmp."""
    user = os.geteuid()
    for base in (environment.get("XDG_RUNTIME_DIR", ""), f"/run/user/{user}"):
        if os.path.isabs(base) and _is_private(base) and _fits(f"{base}/agentos"):
            return f"{base}/agentos"
    if _fits(f"{state}/run"):
        return f"{state}/run"
    return f"/tmp/agentos-{user}"  # noqa: S108  made with mode 0700, and refused if it is anybody else's


def _is_private(base: str) -> bool:
    try:
        found = os.stat(base)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _fits(folder: str) -> bool:
    return len(os.fsencode(folder)) + len("/0123456789abcdef") + len(SOCKET_SUFFIX) <= _MAX_PATH_BYTES


def _key(*parts: str) -> str:
    """Names a daemon in 16 digits. It guards nothing: the handshake says in full what it stands for.

    Source: FNV-1a, 64 bit, draft-eastlake-fnv.
    """
    found = 0xCBF29CE484222325
    for byte in "\0".join(parts).encode("utf-8", "surrogateescape"):
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"
