"""Git index files: read and written whole, as the bytes that `gitformat-index` describes.

Source: gitformat-index, versions 2 to 4. Only what a session needs is kept: entries and their stat data.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.effects.git.trees import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ENTRY = struct.Struct(">10I20sH")
_HEADER = struct.Struct(">4sII")
_LOW_32 = 0xFFFFFFFF
_NANO = 10**9
_NAME_AT = 40
"""Where in an entry the object's name stands."""


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
    except (OSError, struct.error, ValueError):
        return {}


def _parsed(data: bytes) -> dict[bytes, Indexed]:
    found: dict[bytes, Indexed] = {}
    for at, path, fields in _entries(data):
        ctime_s, ctime_ns, mtime_s, mtime_ns, _, inode, mode, _, _, size, oid, flags = fields
        if flags & 0x3000 == 0:
            # Source: gitformat-index, the extended flags of version 3: the second highest bit is skip-worktree.
            absent = flags & 0x4000 != 0 and data[at + _ENTRY.size] & 0x40 != 0
            mtime, ctime = mtime_s * _NANO + mtime_ns, ctime_s * _NANO + ctime_ns
            found[path] = Indexed(Entry(mode, oid), size, mtime, ctime, inode, absent)
    return found


_Fields = tuple[int, int, int, int, int, int, int, int, int, int, bytes, int]


def _entries(data: bytes) -> Iterator[tuple[int, bytes, _Fields]]:
    """Yields where each entry begins, its path, and its fields."""
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
        yield began, path, fields


def copy_renamed(source: str, target: str, names: Mapping[bytes, bytes]) -> None:
    """Copies an index with other object names for some of its files, and the same stat data.

    Args:
        source: The index, which is sound.
        target: Where to; must not exist.
        names: The names by path.
    """
    data = bytearray(Path(source).read_bytes())
    for at, path, _ in _entries(bytes(data)):
        if path in names:
            data[at + _NAME_AT : at + _NAME_AT + 20] = names[path]
    # Source: gitformat-index, the trailer is the SHA-1 of everything before it; no secret depends on it.
    data[-20:] = hashlib.sha1(data[:-20], usedforsecurity=False).digest()
    _create(target, bytes(data))


def _create(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """Reads the variable-width number of version 4; returns it and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


def write(path: str, rows: Iterable[tuple[bytes, Entry, Stated]]) -> None:
    """Writes a version 2 index file at a path where none is yet, its entries stat-clean.

    Args:
        path: Where to; must not exist.
        rows: Path, entry and the stat of the file that was just written, in any order.
    """
    parts: list[bytes] = []
    for name, entry, seen in sorted(rows, key=lambda row: row[0]):
        times = (*divmod(seen.st_ctime_ns, _NANO), *divmod(seen.st_mtime_ns, _NANO))
        who = (seen.st_dev & _LOW_32, seen.st_ino & _LOW_32, entry.mode, seen.st_uid & _LOW_32, seen.st_gid & _LOW_32)
        size = 0 if entry.mode == 0o160000 else seen.st_size & _LOW_32
        fixed = _ENTRY.pack(*times, *who, size, entry.oid, min(len(name), 0xFFF))
        parts.append(fixed + name + b"\0" * (8 - ((_ENTRY.size + len(name)) & 7)))
    data = _HEADER.pack(b"DIRC", 2, len(parts)) + b"".join(parts)
    # Source: gitformat-index, the trailer is the SHA-1 of everything before it; no secret depends on it.
    checksum = hashlib.sha1(data, usedforsecurity=False).digest()
    _create(path, data + checksum)
