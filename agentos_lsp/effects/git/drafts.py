"""The index of a new worktree in the making: the entries of a tree's files as the bytes that an index has.

What a checkout's index knows of a file stands in its entry, so that whoever copies it sees whether it is unchanged;
the stat of what was written takes its place. Where git has noted in that index (extension `TREE`) which tree a folder's
entries equal, they are taken over as they are, and no object is read: that makes the whole of it for a clean checkout.

Source: gitformat-index.
"""

from __future__ import annotations

import itertools
import os
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import copying, indexes, trees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.effects.git.opening import Repository

_NAME_AT = 40
"""Where in an entry the object's name stands."""


@dataclass
class Draft:
    """An index in the making, and from where its files may be copied.

    Attributes:
        source: The checkout's folder.
        before_ns: When its index was written: a file touched at that moment or later is not trusted.
        entries: One after another, in the order of an index.
        starts: Where each begins.
    """

    source: str
    before_ns: int
    entries: bytearray = field(default_factory=bytearray)
    starts: array[int] = field(default_factory=lambda: array("Q"))

    def row(self, at: int) -> tuple[bytes, trees.Entry]:
        """Returns the path of the entry that begins there, and what the tree holds."""
        fields = copying.ENTRY.unpack_from(self.entries, at)
        return indexes.path_of(self.entries, at), trees.Entry(fields[6], fields[10])

    def rows(self) -> Iterator[tuple[int, bytes, trees.Entry]]:
        """Yields where each entry begins, its path, and what the tree holds."""
        for at in self.starts:
            yield at, *self.row(at)

    def known(self, at: int) -> indexes.Indexed | None:
        """Returns what the checkout's index says of a file, None if that is nothing."""
        found = indexes.indexed(self.entries, at)
        return found if found.inode else None

    def knows(self, count: int) -> bool:
        """Tells whether there are so many files of which the checkout's index says something."""
        known = (at for at in self.starts if copying.ENTRY.unpack_from(self.entries, at)[5])
        return next(itertools.islice(known, max(count - 1, 0), None), None) is not None

    def known_bytes(self) -> int:
        """Returns how much the files take of which the checkout's index knows the size."""
        return sum(copying.ENTRY.unpack_from(self.entries, at)[9] for at in self.starts)

    def forget(self, at: int) -> None:
        """Takes away what is said of a file's stat, so that it is not copied, and git looks at it anew."""
        mode = copying.ENTRY.unpack_from(self.entries, at)[6]
        copying.STAT.pack_into(self.entries, at, 0, 0, 0, 0, 0, 0, mode, 0, 0, 0)

    def note(self, at: int, seen: os.stat_result) -> None:
        """Notes the stat of a file that was just written."""
        mode = copying.ENTRY.unpack_from(self.entries, at)[6]
        *fields, size = copying.stated(seen, mode)
        copying.STAT.pack_into(self.entries, at, *fields, 0 if mode == trees.SUBMODULE else size)

    def rename(self, at: int, oid: bytes) -> None:
        """Gives an entry another object's name."""
        self.entries[at + _NAME_AT : at + _NAME_AT + len(oid)] = oid

    def parts(self, count: int) -> list[tuple[int, int]]:
        """Returns where each of so many parts begins and ends, about as many files in each."""
        step = -(-len(self.starts) // count) or 1
        begins = [self.starts[number] for number in range(0, len(self.starts), step)]
        return list(zip(begins, [*begins[1:], len(self.entries)], strict=True))

    def write(self, *paths: str) -> None:
        """Writes the index file, once or more than once; none of the paths exists.

        Raises:
            OSError: One is there already, or the disk is full.
        """
        header = indexes.HEADER.pack(b"DIRC", 2, len(self.starts))
        checksum = indexes.checksum((header, self.entries))
        for path in paths:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines((header, self.entries, checksum))


def of_tree(repository: Repository, tree: bytes, source: str, index: str) -> Draft:
    """Drafts the index of a tree.

    Args:
        repository: Has the tree.
        tree: Its name.
        source: The folder of a checkout that may hold the same files.
        index: Its index; one that cannot be read knows nothing.

    Raises:
        EffectError: A tree cannot be read, or holds a name that could lead outside.
    """
    try:
        before_ns = Path(index).stat().st_mtime_ns
    except OSError:
        before_ns = 0
    draft = Draft(source, before_ns)
    laying = _Laying(repository, indexes.read(index), draft)
    laying.lay(tree, b"")
    return draft if laying.in_order else _sorted(draft)


def _sorted(draft: Draft) -> Draft:
    """Returns a draft in the order of an index, where a tree was not: git writes none like it, but reads them."""
    ordered = Draft(draft.source, draft.before_ns)
    for _, begin in sorted((indexes.path_of(draft.entries, at), at) for at in draft.starts):
        ordered.starts.append(len(ordered.entries))
        ordered.entries += draft.entries[begin : indexes.end_of(draft.entries, begin)]
    return ordered


class _Laying:
    """One draft as it grows; the index and the tree are in the same order, so both are gone through once."""

    def __init__(self, repository: Repository, known: indexes.Index, draft: Draft) -> None:
        self._repository = repository
        self._known = known
        self._noted = known.noted()
        self._draft = draft
        self.in_order = True
        self._last = b""
        self._next = 0
        self._path = indexes.path_of(known.entries, known.starts[0]) if known.starts else b""

    def lay(self, tree: bytes, prefix: bytes) -> None:
        """Appends the entries of a tree."""
        noted = self._noted.get(prefix)
        if noted is not None and noted[1] == tree and self._taken_over(prefix, noted[0]):
            return
        for name, entry in trees.entries(self._repository, tree).items():
            path = prefix + name + (b"/" if entry.mode == trees.FOLDER else b"")
            self.in_order = self.in_order and self._last < path
            self._last = path
            if entry.mode == trees.FOLDER:
                self.lay(entry.oid, path)
            else:
                self._append(path, trees.canonical(entry))

    def _taken_over(self, prefix: bytes, count: int) -> bool:
        """Appends the entries that the index has below a folder; returns whether there are so many."""
        known, draft = self._known, self._draft
        first = self._find(prefix)
        last = first + count
        if not count or last > len(known.starts):
            return False
        around = (indexes.path_of(known.entries, at).startswith(prefix) for at in known.starts[last - 1 : last + 1])
        if list(around) not in ([True], [True, False]):
            return False
        self._go_to(last)
        begin, end = known.starts[first], indexes.end_of(known.entries, known.starts[last - 1])
        shift = len(draft.entries) - begin
        draft.entries += memoryview(known.entries)[begin:end]
        draft.starts.extend(at + shift for at in known.starts[first:last])
        return True

    def _find(self, path: bytes) -> int:
        """Returns the first entry that is not before a path; each path that is asked for comes after the last one."""
        while self._next < len(self._known.starts) and self._path < path:
            self._go_to(self._next + 1)
        return self._next

    def _go_to(self, number: int) -> None:
        self._next = number
        if number < len(self._known.starts):
            self._path = indexes.path_of(self._known.entries, self._known.starts[number])

    def _append(self, path: bytes, entry: trees.Entry) -> None:
        known, draft = self._known, self._draft
        draft.starts.append(len(draft.entries))
        found = self._find(path)
        if found < len(known.starts) and self._path == path and entry.mode in trees.REGULAR:
            at = known.starts[found]
            fields = copying.ENTRY.unpack_from(known.entries, at)
            if fields[10] == entry.oid and fields[6] == entry.mode and not fields[11] & indexes.STAGE:
                draft.entries += known.entries[at : indexes.end_of(known.entries, at)]
                return
        indexes.append(draft.entries, path, (0, 0, 0, 0, 0, 0, entry.mode, 0, 0, 0), entry.oid)
