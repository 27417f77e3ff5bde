"""Notices what is written below a folder, by the kernel's inotify; the only place that watches.

It is asked directly, and not through a library, since a lost notice must be known: the kernel says when its queue ran
over, and a folder that was made meanwhile is named, so that its holder looks into it once it is watched. Where there is
no inotify, or not enough of it, nothing is watched, and whoever asked has to look for himself.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = 30_000
"""How many folders are watched at most."""

# Source: Linux include/uapi/linux/inotify.h.
_MODIFY, _ATTRIB, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x40000000
_ONLYDIR, _DONT_FOLLOW, _EXCL_UNLINK = 0x01000000, 0x02000000, 0x04000000
_MASK = _MODIFY | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR | _DONT_FOLLOW | _EXCL_UNLINK
_EVENT = struct.Struct("iIII")
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Noticed:
    """What happened: `paths` relative to the root, `folders` those of them that are new; all may be out of date.

    `lost` if more happened than the kernel could keep: then anything may have changed.
    """

    paths: frozenset[str]
    folders: frozenset[str]
    lost: bool


class Watch:
    """One folder's notices. `read` and `add` may be called from several threads."""

    def __init__(self, root: str, wanted: Callable[[str], bool]) -> None:
        """Begins to watch.

        Args:
            root: The folder, absolute.
            wanted: Whether a folder below, by its relative path, is of interest, with all that is in it.

        Raises:
            OSError: It cannot be watched: no inotify here, too many folders, or a limit of the system.
        """
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "no inotify")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._root = root
        self._wanted = wanted
        self._lock = threading.Lock()
        self._folders: dict[int, str] = {}
        self.descriptor = self._call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.add("")
        except OSError:
            self.close()
            raise

    def _call(self, name: str, *arguments: object) -> int:
        result = int(getattr(self._libc, name)(*arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)
        return result

    def add(self, folder: str) -> None:
        """Watches a folder and those in it; what was made in it before must be looked for afterwards.

        Raises:
            OSError: A limit was met; a folder that is gone or is a link is passed over.
        """
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            if current and not self._wanted(current):
                continue
            absolute = f"{self._root}/{current}" if current else self._root
            if not self._watch(absolute, current):
                continue
            with contextlib.suppress(OSError), os.scandir(absolute) as rows:
                waiting += [
                    f"{current}/{row.name}" if current else row.name
                    for row in rows
                    if row.is_dir(follow_symlinks=False) and row.name != ".git"
                ]

    def _watch(self, absolute: str, relative: str) -> bool:
        with self._lock:
            if self.descriptor < 0 or len(self._folders) >= FOLDERS:
                raise OSError(errno.ENOSPC, "too many folders to watch")
            try:
                number = self._call("inotify_add_watch", self.descriptor, os.fsencode(absolute), ctypes.c_uint(_MASK))
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP}:
                    return False
                raise
            self._folders[number] = relative
            return True

    def read(self) -> Noticed:
        """Returns what happened since the last call; never waits."""
        paths: set[str] = set()
        folders: set[str] = set()
        lost = False
        with self._lock:
            while self.descriptor >= 0:
                try:
                    data = os.read(self.descriptor, _READ_BYTES)
                except BlockingIOError:
                    break
                at = 0
                while at < len(data):
                    number, mask, _, length = _EVENT.unpack_from(data, at)
                    name = os.fsdecode(data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0"))
                    at += _EVENT.size + length
                    lost = lost or bool(mask & _OVERFLOW)
                    if mask & _IGNORED:
                        self._folders.pop(number, None)
                    folder = self._folders.get(number)
                    if folder is None or not name:
                        continue
                    path = f"{folder}/{name}" if folder else name
                    paths.add(path)
                    if mask & _ISDIR and mask & (_CREATE | _MOVED_TO):
                        folders.add(path)
        return Noticed(frozenset(paths), frozenset(folders), lost)

    def close(self) -> None:
        """Ends it; idempotent."""
        with self._lock:
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1
