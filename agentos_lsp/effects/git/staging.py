"""Files staged in an index by changing their entries in its bytes; all other entries are passed over, not read.

libgit2 reads and writes an index whole, which takes most of a commit's time where there are many files. It is asked
only where the bytes hold something that this module does not know.

Source: gitformat-index, versions 2 and 3.
"""

from __future__ import annotations

import errno
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pygit2

from agentos_lsp.effects.git import indexes, opening, trees

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from agentos_lsp.effects.git.opening import Repository

Row = tuple[bytes, trees.Entry | None, trees.Entry | None]
"""One file of a difference: its path, what it was, what it is."""

_FIXED = struct.Struct(">24xI12x20sH")
_FIXED_SIZE = 62
_KEPT = frozenset({b"TREE", b"REUC", b"NAME"})
_KNOWN = _KEPT | {b"UNTR", b"FSMN", b"EOIE", b"IEOT"}
"""What may go where it is not kept: what it says of places in the file, or of folders, would no longer be true."""
_SUM = 20
_LONG = 0xFFF
_MOST_LOOKS = 64
"""How often all of the bytes are searched in vain; beyond, libgit2 is quicker."""

_MODES = frozenset({trees.FILE, trees.PROGRAM, trees.LINK, trees.SUBMODULE})


class _UnknownError(Exception):
    """The bytes hold something that only git understands, or that is not where it was looked for."""


class _At(NamedTuple):
    """One entry of an index: where it begins and ends, its path, and which side of a conflict it is (0: none)."""

    began: int
    end: int
    path: bytes
    side: int


def staged(repository: Repository, data: bytes | None, old: bytes, new: bytes) -> bytes:
    """Returns an index in which the difference between two trees is staged; what else is staged in it stays.

    Files that differ have no stat data then, so that git compares them by content.

    Args:
        repository: Holds the trees.
        data: The index as it lies on the disk, which most likely equals the old tree; None for none.
        old: A tree.
        new: The one that is staged. If the index is broken, the new one is exactly this tree.

    Raises:
        OSError: The disk failed.
        pygit2.GitError: So did git.
    """
    changed = trees.difference(repository, old, new)
    rows = [(path, was, trees.canonical(now) if now is not None else None) for path, was, now in changed]
    if data is not None:
        try:
            return _Patch(data, rows, trees.Lookup(repository, old)).made()
        except (_UnknownError, struct.error, ValueError, IndexError):
            pass
    # Where no agent writes: a link in the file's place would lead what is written to another file.
    with tempfile.TemporaryDirectory(prefix="agentos-index-") as folder:
        return _by_libgit2(repository, data, rows, new, f"{folder}/index")


def _by_libgit2(repository: Repository, data: bytes | None, rows: list[Row], new: bytes, scratch: str) -> bytes:
    index = opening.Index(scratch)
    try:
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "there is no index")
        Path(scratch).write_bytes(data)
        index.read()
    except (OSError, pygit2.GitError):
        # Whatever the agent did to its index, one that says what is committed is right.
        Path(scratch).unlink(missing_ok=True)
        index = opening.Index(scratch)
        index.read_tree(repository[pygit2.Oid(raw=new)].peel(pygit2.Tree))
        rows = []
    for path, _, entry in rows:
        name = os.fsdecode(path)
        if index.conflicts is not None and name in index.conflicts:
            del index.conflicts[name]
        if entry is not None:
            index.add(pygit2.IndexEntry(name, pygit2.Oid(raw=entry.oid), pygit2.enums.FileMode(entry.mode)))
        elif name in index:
            index.remove(name)
    index.write()
    return Path(scratch).read_bytes()


class _Patch:
    """One change of an index's bytes, from its first entry to its last."""

    def __init__(self, data: bytes, rows: Iterable[Row], base: trees.Lookup) -> None:
        magic, version, self._count = indexes.HEADER.unpack_from(data)
        if magic != b"DIRC" or version not in {2, 3} or data[-_SUM:] != indexes.checksum([memoryview(data)[:-_SUM]]):
            raise _UnknownError
        self._data = data
        self._version = version
        self._rows = sorted(rows, key=lambda row: row[0])
        self._base = base
        self._parts: list[bytes | memoryview] = []
        self._gone = {path for path, _, now in self._rows if now is None}
        self._looked_above: set[bytes] = set()
        self._done = self._cursor = indexes.HEADER.size
        """Up to where the bytes were taken over, and the last place where an entry is known to begin."""
        self._missed = self._followed = 0
        self._passed = b""
        """The last path before the cursor."""

    def made(self) -> bytes:
        """Returns the new index."""
        for path, was, now in self._rows:
            found = self._find(path) if was is not None else None
            if found is not None:
                self._put(found.began, found.end, path, now)
            elif was is not None:
                # Staged as gone, or in conflict.
                raise _UnknownError
            elif now is not None:
                self._insert(path, now)
        extensions = self._extensions()
        self._take(len(self._data) - _SUM if extensions is None else extensions)
        kept = b"" if extensions is None else self._kept(extensions)
        parts = [indexes.HEADER.pack(b"DIRC", self._version, self._count), *self._parts, kept]
        return b"".join([*parts, indexes.checksum(parts)])

    # --- entries -------------------------------------------------------------------------------------------------

    def _entry(self, at: int) -> _At:
        mode, _, flags = _FIXED.unpack_from(self._data, at)
        start = at + _FIXED_SIZE + (2 if flags & 0x4000 else 0)
        length = flags & _LONG
        if mode not in _MODES or length == _LONG or self._data[start + length]:
            raise _UnknownError
        end = start + length
        return _At(at, at + ((end - at + 8) & ~7), self._data[start:end], flags >> 12 & 3)

    def _find(self, path: bytes) -> _At | None:
        """Finds a path that is in no conflict, at or after the cursor, which is put behind it."""
        if len(path) >= _LONG:
            raise _UnknownError
        wanted = struct.pack(">H", len(path)) + path + b"\0"
        at = self._data.find(wanted, self._cursor) - _FIXED_SIZE + 2
        if at < self._cursor:
            return None
        if (at - indexes.HEADER.size) % 8:
            raise _UnknownError
        found = self._entry(at)
        self._pass(found)
        return found

    def _pass(self, found: _At) -> None:
        self._cursor, self._passed = found.end, found.path

    def _insert(self, path: bytes, now: trees.Entry) -> None:
        """Puts a path where it belongs, in the place of what is staged there already."""
        before = self._base.before(path)
        if before is not None and before > self._passed and self._find(before) is None:
            self._missed += 1
            if self._missed > _MOST_LOOKS:
                raise _UnknownError
        after = b""
        for found in self._entries_from(self._cursor):
            if found.path == path and found.side:
                raise _UnknownError
            if found.path == path:
                self._pass(found)
                self._put(found.began, found.end, path, now)
                return
            if found.path > path:
                after = found.path
                break
            self._pass(found)
        self._refuse_files_above(path, after)
        self._refuse_files_below(path)
        self._put(self._cursor, self._cursor, path, now)

    def _entries_from(self, at: int) -> Iterator[_At]:
        while not self._is_end(at):
            found = self._entry(at)
            yield found
            at = found.end

    def _refuse_files_above(self, path: bytes, after: bytes) -> None:
        """Refuses a path below one that is staged as a file, unless a neighbour shows that it is a folder."""
        for above in _folders(path):
            below = above + b"/"
            if not above or above in self._looked_above or self._passed.startswith(below) or after.startswith(below):
                return
            self._looked_above.add(above)
            if len(self._looked_above) > _MOST_LOOKS or (above not in self._gone and self._holds(above)):
                raise _UnknownError

    def _holds(self, path: bytes) -> bool:
        """Tells whether a path may be staged, whatever its flags are."""
        at = self._data.find(path + b"\0")
        while at >= 0:
            if any(int.from_bytes(self._data[at - size : at - size + 2]) & _LONG == len(path) for size in (2, 4)):
                return True
            at = self._data.find(path + b"\0", at + 1)
        return False

    def _refuse_files_below(self, path: bytes) -> None:
        """Refuses a path that is staged as a folder."""
        for found in self._entries_from(self._cursor):
            if not found.path.startswith(path):
                return
            self._followed += 1
            if self._followed > self._count:
                raise _UnknownError
            if found.path.startswith(path + b"/") and found.path not in self._gone:
                raise _UnknownError

    # --- bytes ---------------------------------------------------------------------------------------------------

    def _take(self, until: int) -> None:
        self._parts.append(memoryview(self._data)[self._done : until])
        self._done = until

    def _put(self, began: int, end: int, path: bytes, now: trees.Entry | None) -> None:
        """Puts an entry without stat data, or none, in the place of some bytes."""
        self._take(began)
        self._count += (now is not None) - (end > began)
        if now is not None:
            if len(path) >= _LONG or now.mode not in _MODES:
                raise _UnknownError
            fixed = struct.pack(">24xI12x20sH", now.mode, now.oid, len(path))
            self._parts.append(fixed + path + b"\0" * (8 - ((_FIXED_SIZE + len(path)) & 7)))
        self._done = end

    def _is_end(self, at: int) -> bool:
        """Tells whether the entries end here: only extensions follow, up to the checksum exactly."""
        end = len(self._data) - _SUM
        for _ in _KNOWN:
            if at >= end:
                break
            name, size = indexes.EXTENSION.unpack_from(self._data, at)
            if name not in _KNOWN:
                return False
            at += indexes.EXTENSION.size + size
        return at == end

    def _extensions(self) -> int | None:
        """Returns where the extensions begin, None if there are none: after the last entry, found by the tree's."""
        last = self._base.before(b"\xff")
        if last is not None:
            self._find(last)
        at = self._cursor
        for found in self._entries_from(self._cursor):
            at = found.end
        return at if at < len(self._data) - _SUM else None

    def _kept(self, at: int) -> bytes:
        """Returns the extensions that stay true, with no tree noted for a folder that changed."""
        parts: list[bytes] = []
        while at < len(self._data) - _SUM:
            name, size = indexes.EXTENSION.unpack_from(self._data, at)
            content = self._data[at + indexes.EXTENSION.size : at + indexes.EXTENSION.size + size]
            if name == b"TREE":
                content = _without(content, {above for path, _, _ in self._rows for above in _folders(path)})
            if name in _KEPT:
                parts.append(indexes.EXTENSION.pack(name, len(content)) + content)
            at += indexes.EXTENSION.size + size
        return b"".join(parts)


def _folders(path: bytes) -> Iterator[bytes]:
    """Yields the folders that a path is in, the root too."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def _without(noted: bytes, changed: Collection[bytes]) -> bytes:
    """Returns git's notes of which trees the index equals, with none for some folders.

    Source: gitformat-index, "Cache tree": name NUL, number of entries (-1: not known), space, number of folders,
    newline, and the name of the tree where it is known; a folder's own folders follow it.
    """
    parts: list[bytes] = []
    at = 0
    above: list[tuple[bytes, Iterator[int]]] = [(b"", iter((0,)))]
    while at < len(noted):
        while next(above[-1][1], None) is None:
            above.pop()
        named = noted.index(b"\0", at)
        told = noted.index(b"\n", named)
        entries, _, folders = noted[named + 1 : told].partition(b" ")
        path = above[-1][0] + noted[at:named]
        known = int(entries) >= 0
        if known and path in changed:
            parts.append(b"%s\0-1 %s\n" % (noted[at:named], folders))
        else:
            parts.append(noted[at : told + 1 + (_SUM if known else 0)])
        at = told + 1 + (_SUM if known else 0)
        above.append((path + b"/" if path else b"", iter(range(int(folders)))))
    return b"".join(parts)
