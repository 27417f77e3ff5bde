"""Git index files, read as the bytes that `gitformat-index` describes; `drafts` writes new ones.

Source: gitformat-index, versions 2 to 4. Only what a session needs is kept: entries and their stat data.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import re
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import copying, trees
from agentos_lsp.effects.git.trees import Entry

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Iterator, Sequence

ENTRY = copying.ENTRY
STAGE, _EXTENDED, _OWN, _LONGEST = 0x3000, 0x4000, 0xC000, 0xFFF
"""Flags of an entry: its side of a conflict; that there are more; all that are the person's own; its path's length."""

_FLAGS_AT = 60
"""Where in an entry its flags stand."""

HEADER = struct.Struct(">4sII")
EXTENSION = struct.Struct(">4sI")
_CHECKSUM_BYTES = 20
_LOW_32 = 0xFFFFFFFF
_NANO = 10**9


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


class Index(Mapping[bytes, Indexed]):
    """The merged (stage 0) entries of an index file by path, each read when it is asked for.

    What is kept are bytes: values of all entries would hold up everything else of this process when they are freed.

    Attributes:
        entries: All entries as version 2 has them, conflicts too, one after another, without the person's own flags.
        starts: Where each begins.
        tail: What follows them in the file.
    """

    def __init__(self, entries: bytearray, starts: array[int], absent: Collection[int] = (), tail: bytes = b"") -> None:
        self.entries = entries
        self.starts = starts
        self._absent = absent
        self.tail = tail

    def __getitem__(self, path: bytes) -> Indexed:
        number = bisect.bisect_left(self.starts, path, key=self._path_at)
        if number == len(self.starts) or self._path_at(self.starts[number]) != path or self._side(number):
            raise KeyError(path)
        return self._row(self.starts[number])

    def __iter__(self) -> Iterator[bytes]:
        return (path for path, _ in self.rows())

    def __len__(self) -> int:
        return sum(1 for number in range(len(self.starts)) if not self._side(number))

    def rows(self) -> Iterator[tuple[bytes, Indexed]]:
        """Yields each path with its entry, which is quicker than to ask for one after another."""
        for number, at in enumerate(self.starts):
            if not self._side(number):
                yield self._path_at(at), self._row(at)

    def _row(self, at: int) -> Indexed:
        return indexed(self.entries, at, absent=at in self._absent)

    def _path_at(self, at: int) -> bytes:
        return path_of(self.entries, at)

    def _side(self, number: int) -> int:
        return self.entries[self.starts[number] + _FLAGS_AT] & (STAGE >> 8)

    def noted(self) -> dict[bytes, tuple[int, bytes]]:
        """Returns what git has noted of the trees that the index equals (extension `TREE`).

        Returns:
            By the path of a folder, with its slash: how many entries are below it, and the name of the tree they equal.
            Nothing of an index with a name that git should not have let into it.
        """
        return {} if _has_forbidden(self.entries, self.starts) else _noted(self.tail)


def indexed(entries: bytearray, at: int, *, absent: bool = False) -> Indexed:
    """Returns what an entry of version 2 says."""
    ctime_s, ctime_ns, mtime_s, mtime_ns, _, inode, mode, _, _, size, oid, _ = ENTRY.unpack_from(entries, at)
    return Indexed(Entry(mode, oid), size, mtime_s * _NANO + mtime_ns, ctime_s * _NANO + ctime_ns, inode, absent)


def path_of(entries: bytearray, at: int) -> bytes:
    """Returns the path of an entry of version 2."""
    return bytes(entries[at + ENTRY.size : entries.index(0, at + ENTRY.size)])


def end_of(entries: bytearray, at: int) -> int:
    """Returns where an entry of version 2 ends."""
    return at + ((entries.index(0, at + ENTRY.size) - at + 8) & ~7)


def append(entries: bytearray, path: bytes, stat: Sequence[int], oid: bytes, flags: int = 0) -> None:
    """Appends an entry of version 2; `stat` is what `copying.stated` returns."""
    entries += ENTRY.pack(*stat, oid, flags | min(len(path), _LONGEST))
    entries += path + b"\0" * (8 - (ENTRY.size + len(path)) % 8)


def read(path: str) -> Index:
    """Reads an index file.

    Returns:
        Its entries; none if the file is absent or in a form that is not understood, such as a split or a sparse one:
        whoever asks then compares contents instead of trusting the index.
    """
    try:
        found = _scanned(Path(path).read_bytes())
        if not any(name[:1].islower() for name, _ in _extensions(found.tail)):
            return found
    except (OSError, struct.error, ValueError, IndexError):
        pass
    return Index(bytearray(), array("Q"))


def _scanned(data: bytes) -> Index:
    """Finds the entries of an index file.

    Raises:
        ValueError, IndexError, struct.error: It is no index that is understood, or it is broken.
    """
    magic, version, count = HEADER.unpack_from(data)
    if magic != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError(f"index version {version}")
    if version > 2:
        return _rewritten(data, version, count)
    entries, starts = bytearray(data), array("Q")
    at = HEADER.size
    for _ in range(count):
        starts.append(at)
        if data[at + _FLAGS_AT] & (_OWN >> 8):
            entries[at + _FLAGS_AT] &= ~(_OWN >> 8)
        at += (data.index(0, at + ENTRY.size) - at + 8) & ~7
    return Index(entries, starts, tail=data[at:])


def _rewritten(data: bytes, version: int, count: int) -> Index:
    """Finds them in an index of another version, and writes them anew."""
    entries, starts = bytearray(), array("Q")
    absent: set[int] = set()
    at, path = HEADER.size, b""
    for _ in range(count):
        *stat, oid, flags = ENTRY.unpack_from(data, at)
        start = at + ENTRY.size
        # Source: gitformat-index, the extended flags of version 3: the second highest bit is skip-worktree.
        if flags & _EXTENDED:
            if data[start] & 0x40:
                absent.add(len(entries))
            start += 2
        if version == 4:
            strip, start = _offset(data, start)
            end = data.index(b"\0", start)
            path = path[: len(path) - strip] + data[start:end]
            at = end + 1
        else:
            end = data.index(b"\0", start)
            path = data[start:end]
            at += (end - at + 8) & ~7
        starts.append(len(entries))
        append(entries, path, stat, oid, flags & STAGE)
    return Index(entries, starts, absent, data[at:])


def checksum(parts: Iterable[bytes | bytearray | memoryview]) -> bytes:
    """Returns what stands at the end of an index file, whose other bytes come in parts."""
    # Source: gitformat-index, the trailer is the SHA-1 of everything before it; no secret depends on it.
    digest = hashlib.sha1(usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """Reads the variable-width number of version 4; returns it and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


_SUSPECTS = [
    re.compile(shape)
    for shape in (
        rb"\.git[ .]*[/\0]",
        rb"git~1[ .]*[/\0]",
        rb"\.[/\0]",
        rb"//",
        rb"\xe2[\x80\x81][\x8c-\xaf]",
        rb"\xef\xbb\xbf",
    )
]
"""What is in each forbidden name, or at its end; other bytes of an entry may look like it."""

_WINDOW = 10_000
"""How many entries are searched in one go: nothing else of this process runs meanwhile."""


def _has_forbidden(entries: bytearray, starts: Sequence[int]) -> bool:
    """Whether a path has a name that git should not have let into an index."""
    return any(
        trees.is_forbidden(name)
        for first in range(0, len(starts), _WINDOW)
        for path in _suspects(entries, starts[first : first + _WINDOW])
        for name in path.split(b"/")
    )


def _suspects(entries: bytearray, starts: Sequence[int]) -> Iterator[bytes]:
    """Yields the paths of some entries in a row that need a closer look."""
    lowered = entries[starts[0] : end_of(entries, starts[-1])].lower()
    found = (starts[0] + hit.start() for pattern in _SUSPECTS for hit in pattern.finditer(lowered))
    for number in {bisect.bisect(starts, at) - 1 for at in found}:
        yield path_of(entries, starts[number])


def _extensions(tail: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the extensions by name; a name that begins with a small letter may not be passed over."""
    at = 0
    while at + EXTENSION.size <= len(tail) - _CHECKSUM_BYTES:
        name, size = EXTENSION.unpack_from(tail, at)
        at += EXTENSION.size
        yield name, tail[at : at + size]
        at += size


def _noted(tail: bytes) -> dict[bytes, tuple[int, bytes]]:
    """Reads the extension `TREE` from all that follows the entries; nothing if there is none or it is broken.

    Source: gitformat-index, "Cache tree": path NUL, number of entries, space, number of subtrees, newline, object name;
    a negative number of entries means that it is not known, and then there is no name.
    """
    for name, content in _extensions(tail):
        if name == b"TREE":
            with contextlib.suppress(ValueError, IndexError):
                return _trees(content)
    return {}


def _trees(data: bytes) -> dict[bytes, tuple[int, bytes]]:
    found: dict[bytes, tuple[int, bytes]] = {}
    above: list[tuple[bytes, int]] = []
    at = 0
    while at < len(data):
        while above and not above[-1][1]:
            above.pop()
        end = data.index(b"\0", at)
        prefix = b""
        if above:
            parent, left = above[-1]
            above[-1] = (parent, left - 1)
            prefix = parent + data[at:end] + b"/"
        line = data.index(b"\n", end)
        count, folders = map(int, data[end + 1 : line].split(b" "))
        at = line + 1
        if count >= 0:
            found[prefix] = (count, data[at : at + 20])
            at += 20
        above.append((prefix, folders))
    return found
