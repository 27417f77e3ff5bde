"""Git index files, read as the bytes that `gitformat-index` describes; `drafts` writes new ones.

Source: gitformat-index, versions 2 to 4. Only what a session needs is kept: entries and their stat data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.effects.git.trees import Entry

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_ENTRY = struct.Struct(">10I20sH")
_HEADER = struct.Struct(">4sII")
_LOW_32 = 0xFFFFFFFF
NANO = 10**9


@dataclass(frozen=True, slots=True)
class Indexed:
    """One entry: what is staged at a path, and how the file looked when it was last known to equal it."""

    entry: Entry
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    absent: bool = False
    """Whether a sparse checkout leaves the file out; git calls it `skip-worktree`."""

    def describes(self, seen: os.stat_result) -> bool:
        """Tells whether a file still looks as it did; inode and size are compared in 32 bits, as git stores them."""
        return (
            self.size == seen.st_size & _LOW_32
            and self.mtime_ns == seen.st_mtime_ns
            and self.ctime_ns == seen.st_ctime_ns
            and self.inode == seen.st_ino & _LOW_32
        )


class Stated(Protocol):
    """What an index keeps of a file's stat; `os.stat_result` is one."""

    @property
    def st_mtime_ns(self) -> int:
        """When it was written."""

    @property
    def st_ctime_ns(self) -> int:
        """When anything of it changed."""

    @property
    def st_dev(self) -> int:
        """The device."""

    @property
    def st_ino(self) -> int:
        """The inode."""

    @property
    def st_uid(self) -> int:
        """The owner."""

    @property
    def st_gid(self) -> int:
        """The group."""

    @property
    def st_size(self) -> int:
        """The size in bytes."""


def read(path: str) -> dict[bytes, Indexed]:
    """Reads the merged (stage 0) entries of an index file.

    Returns:
        The entries by path; nothing if the file is absent or in a form that is not understood: whoever asks then
        compares contents instead of trusting the index.
    """
    try:
        return _parsed(Path(path).read_bytes())
    except (OSError, struct.error, ValueError, IndexError):
        return {}


def _parsed(data: bytes) -> dict[bytes, Indexed]:
    found: dict[bytes, Indexed] = {}
    for at, path, fields, _ in entries(data):
        ctime_s, ctime_ns, mtime_s, mtime_ns, _, inode, mode, _, _, size, oid, flags = fields
        if flags & 0x3000 == 0:
            # Source: gitformat-index, the extended flags of version 3: the second highest bit is skip-worktree.
            absent = flags & 0x4000 != 0 and data[at + _ENTRY.size] & 0x40 != 0
            mtime, ctime = mtime_s * NANO + mtime_ns, ctime_s * NANO + ctime_ns
            found[path] = Indexed(Entry(mode, oid), size, mtime, ctime, inode, absent)
    return found


_Fields = tuple[int, int, int, int, int, int, int, int, int, int, bytes, int]


def entries(data: bytes) -> Iterator[tuple[int, bytes, _Fields, int]]:
    """Yields where each entry of an index file begins, its path, its fields, and where it ends.

    Raises:
        ValueError, IndexError, struct.error: It is no index that is understood, or it is broken.
    """
    magic, version, count = _HEADER.unpack_from(data)
    if magic != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError(f"index version {version}")
    at, path = _HEADER.size, b""
    for _ in range(count):
        began = at
        fields: _Fields = _ENTRY.unpack_from(data, at)
        start = at + _ENTRY.size + (2 if fields[-1] & 0x4000 else 0)
        if version == 4:
            strip, start = _offset(data, start)
            end = data.index(b"\0", start)
            path = path[: len(path) - strip] + data[start:end]
            at = end + 1
        else:
            end = data.index(b"\0", start)
            path = data[start:end]
            at += (end - at + 8) & ~7
        yield began, path, fields, at


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """Reads the variable-width number of version 4; returns it and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
