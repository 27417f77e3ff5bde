"""Landlock: which files and folders this process and all that it starts may touch; standard library only.

A rule names a folder as it is now, by its inode, and counts for all below it. Landlock knows nothing of `chmod`,
`chown`, times and attributes, of UDP and of sockets with a path: it is a part where namespaces cannot be had, and
a second layer for signals and abstract sockets inside them (docs/decisions/0014).

Source: Linux Documentation/userspace-api/landlock.rst; include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys

from agentos_lsp.effects.process.sandbox import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_NETWORK = 3  # bind and connect of TCP, since ABI 4
_SCOPES = 3  # abstract sockets and signals
SCOPED_SINCE = 6
"""The first ABI that knows scopes."""
READ = _EXECUTE | _READ_FILE | _READ_DIR
LIST = _READ_DIR
EVERYTHING = (1 << 16) - 1
WRITES = EVERYTHING & ~READ
NO_FILES = 0
"""Signals and abstract sockets only, since ABI 6: nothing that a call on a file has to ask for."""


def abi() -> int:
    """Returns the version that the kernel offers, 0 if none."""
    if sys.platform != "linux":
        return 0
    try:
        return kernel.call("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


class Rules:
    """Rules under construction; nothing holds before `enforce`."""

    def __init__(self, governed: int, *, network: bool) -> None:
        """Begins with everything forbidden that is governed.

        Args:
            governed: The rights that need a rule from now on: `EVERYTHING`, `WRITES` or `NO_FILES`. Each costs up to a
                microsecond in every call that needs it.
            network: Whether TCP is forbidden too; for where there is no network namespace.

        Raises:
            OSError: The kernel has no Landlock.
        """
        version = abi()
        self._rights = _FILE_RIGHTS.get(min(version, 5), 0) & governed
        attributes = struct.pack(
            "=QQQ", self._rights, _NETWORK if network and version >= 4 else 0, _SCOPES if version >= SCOPED_SINCE else 0
        )[: 24 if version >= SCOPED_SINCE else 16 if version >= 4 else 8]
        held = ctypes.create_string_buffer(attributes, len(attributes))
        self._descriptor = kernel.call("landlock_create_ruleset", held, len(attributes), 0)

    def allow(self, path: str, rights: int | None = None) -> None:
        """Allows rights at a path and below, all of them if none are named; what is not there is passed over."""
        given = self._rights if rights is None else rights & self._rights
        if not given:
            return
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISLNK(mode):
                return
            wanted = given if stat.S_ISDIR(mode) else given & _FOR_FILES
            if wanted:
                rule = struct.pack("=Qi", wanted, descriptor)
                kernel.call("landlock_add_rule", self._descriptor, 1, ctypes.create_string_buffer(rule, len(rule)), 0)
        finally:
            os.close(descriptor)

    def enforce(self) -> None:
        """Makes the rules hold for this process and all that it starts, for good; `no_new_privs` must be set."""
        kernel.call("landlock_restrict_self", self._descriptor, 0)
        os.close(self._descriptor)
