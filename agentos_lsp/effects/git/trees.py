"""Git trees read and written as the bytes they are, so that every file name survives and equal folders are skipped.

Paths are bytes here; `os.fsdecode` at the door makes them text, with `surrogateescape` for names that are not UTF-8.
"""

from __future__ import annotations

import bisect
import re
import threading
from typing import TYPE_CHECKING, NamedTuple

import pygit2
from pygit2.enums import ObjectType

from agentos_lsp.domain.errors import EffectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agentos_lsp.effects.git.opening import Repository

FOLDER = 0o040000
FILE = 0o100644
PROGRAM = 0o100755
LINK = 0o120000
SUBMODULE = 0o160000
REGULAR = frozenset({FILE, PROGRAM})

KEPT = 20_000
"""How many entries of trees are kept in memory, about 5 MiB."""

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_WHOLE = re.compile(rb"(?:[0-7]++ [^\0]++\0.{20})*+", re.DOTALL)
_SUSPECT = re.compile(rb"git|/\.{0,2}/|\xe2\x80|\xe2\x81|\xef\xbb", re.IGNORECASE)
"""What every forbidden name has in it, between the slashes that names are joined by."""
_FORBIDDEN = frozenset({b".git", b"git~1"})
_IGNORED_BY_HFS = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class Entry(NamedTuple):
    """What a tree holds at a path: a git mode and a 20-byte object name."""

    mode: int
    oid: bytes


def canonical(entry: Entry) -> Entry:
    """Gives a file of old histories, with other rights, one of the two modes that an index has for files."""
    if entry.mode & 0o170000 != 0o100000:
        return entry
    return Entry(PROGRAM if entry.mode & 0o100 else FILE, entry.oid)


def is_forbidden(name: bytes) -> bool:
    """Tells whether a name in a tree could lead out of a folder or into a git directory, on any file system.

    Source: git's `verify_path` with `core.protectHFS` and `core.protectNTFS`.
    """
    if b"/" in name or name in {b"", b".", b".."}:
        return True
    plain = name.lower().rstrip(b" .")
    if not plain.isascii():
        plain = _IGNORED_BY_HFS.sub("", plain.decode("utf-8", "replace")).encode()
    return plain in _FORBIDDEN


def tree_of(repository: Repository, commit: str) -> bytes:
    """Returns the name of a commit's tree; `commit` may name a tree too."""
    return repository[pygit2.Oid(hex=commit)].peel(pygit2.Tree).id.raw


class _Read:
    """The trees read last, as many as hold KEPT entries; each under its repository's path and its own name.

    A tree is what its name says for ever, so that one that was read once need not be read again. Several threads ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trees: dict[tuple[str, bytes], Mapping[bytes, Entry]] = {}
        self._count = 0

    def get(self, key: tuple[str, bytes]) -> Mapping[bytes, Entry] | None:
        with self._lock:
            found = self._trees.pop(key, None)
            if found is not None:
                self._trees[key] = found
            return found

    def put(self, key: tuple[str, bytes], contents: Mapping[bytes, Entry]) -> None:
        with self._lock:
            if key not in self._trees:
                self._trees[key] = contents
                self._count += _weight(contents)
            while self._count > KEPT:
                self._count -= _weight(self._trees.pop(next(iter(self._trees))))


def _weight(contents: Mapping[bytes, Entry]) -> int:
    """How many usual entries a tree takes the place of: an agent's names may be as long as it likes."""
    return len(contents) + sum(map(len, contents)) // 256


_READ = _Read()


def entries(repository: Repository, tree: bytes) -> Mapping[bytes, Entry]:
    """Returns the entries of one tree, in the order they are stored.

    Raises:
        EffectError: It is not a tree, or holds a name that could lead outside: an agent can write any bytes as a tree.
    """
    key = (repository.path, tree)
    found = _READ.get(key)
    if found is None:
        found = _entries(repository, tree)
        _READ.put(key, found)
    return found


def _entries(repository: Repository, tree: bytes) -> Mapping[bytes, Entry]:
    """Reads one tree. Source: gitformat-tree, "mode name NUL 20-byte-name", repeated."""
    kind, data = repository.read(pygit2.Oid(raw=tree))[:2]
    if kind != ObjectType.TREE or _WHOLE.fullmatch(data) is None:
        raise EffectError("git", f"read tree {tree.hex()}", "it is not a tree", retry_may_help=False)
    rows = _ENTRY.findall(data)
    names = [name for _, name, _ in rows]
    whole = b"/".join([b"", *names, b""])
    if whole.count(b"/") != len(names) + 1 or _SUSPECT.search(whole):
        _refuse_forbidden(names)
    return {name: Entry(int(mode, 8), oid) for mode, name, oid in rows}


def _refuse_forbidden(names: Iterable[bytes]) -> None:
    for name in names:
        if is_forbidden(name):
            shown = name.decode(errors="replace")
            raise EffectError("git", "read a tree", f"it holds the forbidden name {shown!r}", retry_may_help=False)


def walk(repository: Repository, tree: bytes, prefix: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """Yields every file, link and submodule below a tree with its path, in the order of an index."""
    for name, entry in _entries(repository, tree).items():
        if entry.mode == FOLDER:
            yield from walk(repository, entry.oid, prefix + name + b"/")
        else:
            yield prefix + name, entry


def difference(
    repository: Repository, old: bytes | None, new: bytes | None
) -> list[tuple[bytes, Entry | None, Entry | None]]:
    """Returns (path, old, new) for each file that differs between two trees; equal folders are not opened."""
    found: list[tuple[bytes, Entry | None, Entry | None]] = []
    if old != new:
        _differ(repository, old, new, b"", found)
    return found


def _differ(
    repository: Repository,
    old: bytes | None,
    new: bytes | None,
    prefix: bytes,
    found: list[tuple[bytes, Entry | None, Entry | None]],
) -> None:
    before = entries(repository, old) if old is not None else {}
    after = entries(repository, new) if new is not None else {}
    for name in sorted({name for name, _ in before.items() ^ after.items()}):
        was, now = before.get(name), after.get(name)
        old_folder = was.oid if was is not None and was.mode == FOLDER else None
        new_folder = now.oid if now is not None and now.mode == FOLDER else None
        old_file = was if old_folder is None else None
        new_file = now if new_folder is None else None
        if old_file is not None or new_file is not None:
            found.append((prefix + name, old_file, new_file))
        if old_folder != new_folder:
            _differ(repository, old_folder, new_folder, prefix + name + b"/", found)


class Lookup:
    """Finds paths in one tree; a folder that was opened for one path is kept for the next."""

    def __init__(self, repository: Repository, tree: bytes) -> None:
        self._repository = repository
        self._tree = tree
        self._opened: dict[bytes, Mapping[bytes, Entry]] = {}
        self._ordered: dict[bytes, list[bytes]] = {}

    def find(self, path: bytes) -> Entry | None:
        """Returns what the tree holds at a path, a folder included, or None."""
        entry = Entry(FOLDER, self._tree)
        for name in path.split(b"/"):
            if entry.mode != FOLDER:
                return None
            found = self._entries(entry.oid).get(name)
            if found is None:
                return None
            entry = found
        return entry

    def file(self, path: bytes) -> Entry | None:
        """Returns the file, link or submodule at a path, or None."""
        found = self.find(path)
        return None if found is None or found.mode == FOLDER else found

    def before(self, path: bytes) -> bytes | None:
        """Returns the last file, link or submodule that stands before a path in an index, None if none is found."""
        found = None
        at, tree = 0, self._tree
        while True:
            names = self._names(tree)
            step = path.find(b"/", at) + 1
            place = bisect.bisect_left(names, path[at : step or None])
            if place:
                found = path[:at] + names[place - 1], tree
            inside = self._entries(tree).get(path[at : step - 1]) if step else None
            if inside is None or inside.mode != FOLDER:
                break
            at, tree = step, inside.oid
        while found is not None and found[0].endswith(b"/"):
            name, tree = found
            inside = self._entries(tree)[name[:-1].rpartition(b"/")[2]]
            names = self._names(inside.oid)
            found = (name + names[-1], inside.oid) if names else None
        return found[0] if found is not None else None

    def _entries(self, tree: bytes) -> Mapping[bytes, Entry]:
        found = self._opened.get(tree)
        if found is None:
            found = self._opened[tree] = entries(self._repository, tree)
        return found

    def _names(self, tree: bytes) -> list[bytes]:
        """Returns the names in a folder, those of folders with a slash, as they stand in an index."""
        found = self._ordered.get(tree)
        if found is None:
            rows = self._entries(tree).items()
            found = self._ordered[tree] = sorted(name + b"/" if row.mode == FOLDER else name for name, row in rows)
        return found


def edited(repository: Repository, tree: bytes | None, edits: Mapping[bytes, Entry | None]) -> bytes | None:
    """Writes the tree that results from replacing or (None) removing files, touching only the folders on their way.

    Returns:
        The new tree's name, or None if nothing is left in it.
    """
    here = dict(entries(repository, tree)) if tree is not None else {}
    below: dict[bytes, dict[bytes, Entry | None]] = {}
    for path, entry in edits.items():
        name, _, rest = path.partition(b"/")
        if rest:
            below.setdefault(name, {})[rest] = entry
        elif entry is not None:
            here[name] = entry
        elif name in here and here[name].mode != FOLDER:
            del here[name]
    for name, inner in below.items():
        present = here.get(name)
        folder = present.oid if present is not None and present.mode == FOLDER else None
        changed = edited(repository, folder, inner)
        if changed is not None:
            here[name] = Entry(FOLDER, changed)
        elif folder is not None:
            del here[name]
    return written(repository, here) if here else None


def written(repository: Repository, contents: Mapping[bytes, Entry]) -> bytes:
    """Writes one tree object and returns its name.

    Source: git's base_name_compare: a folder sorts as if its name ended in a slash.
    """
    ordered = sorted(contents.items(), key=lambda item: item[0] + b"/" if item[1].mode == FOLDER else item[0])
    data = b"".join(b"%o %s\0%s" % (entry.mode, name, entry.oid) for name, entry in ordered)
    return repository.write(ObjectType.TREE, data).raw


def empty(repository: Repository) -> bytes:
    """Returns the name of the tree that holds nothing."""
    return written(repository, {})
