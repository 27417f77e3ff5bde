"""Commits out of an agent's own git directory: read, verified and checked in a place apart, then taken in.

Invariant: nothing is written to the repository before `take_in`, which is called after the commits were inspected; and
an object is written only after all that it rests on, so that whatever is cut off leaves nothing with a hole.

The place apart is a git directory of our own, with the repository's objects as its alternates: all that compares
commits works on it as on the repository itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import blobs, foreign, opening, trees
from agentos_lsp.effects.git.foreign_packs import Budget, UnfitError

if TYPE_CHECKING:
    from agentos_lsp.effects.git.foreign_packs import Kind
    from agentos_lsp.effects.git.opening import Repository

MOST_OBJECTS = 100_000
"""How many objects are taken at one time."""

MOST_BYTES = 256 << 20
"""How large all of them together may be."""

_LARGEST = {"commit": 4 << 20, "tree": 16 << 20}
_PREFIX = "incoming-"
_HEADER = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author [^\n\0]*\ncommitter [^\n\0]*\n")
_MODES = {b"40000": "tree", b"100644": "blob", b"100755": "blob", b"120000": "blob", b"160000": None}


@dataclass(frozen=True, slots=True)
class Incoming:
    """Verified commits in a place apart, `git_dir`; `objects` in an order in which each rests on earlier ones only."""

    git_dir: str
    tip: CommitId
    objects: tuple[bytes, ...]


def fetch(folder: str, git_dir: str, common_dir: str, tip: str) -> Incoming:
    """Reads a commit and all that the repository lacks of what it leads to, into a place apart.

    Args:
        folder: Where the place apart is made; out of the agent's reach. `drop` removes it.
        git_dir: The agent's git directory.
        common_dir: The repository's.
        tip: The commit.

    Raises:
        UnfitError: What the agent has there cannot be taken: broken, lying, incomplete or too much.
        EffectError: git or the disk failed.
    """
    with opening.attempting("read the agent's git directory"), contextlib.ExitStack() as undo:
        clear(folder)
        apart = _place_apart(folder, common_dir)
        undo.callback(shutil.rmtree, apart, ignore_errors=True)
        main = opening.repository(common_dir)
        with foreign.Foreign(git_dir, Budget()) as agents:
            reader = _Reader(agents, main, opening.repository(apart), apart)
            reader.read(bytes.fromhex(tip))
        undo.pop_all()
        return Incoming(apart, CommitId(tip), tuple(reader.order))


class _Reader:
    """Follows a commit to all that it leads to and the repository lacks."""

    def __init__(self, agents: foreign.Foreign, main: Repository, apart: Repository, git_dir: str) -> None:
        self._agents = agents
        self._main = main
        self._apart = apart
        self._git_dir = git_dir
        self._bytes = 0
        self._known: dict[bytes, Kind] = {}
        self.order: list[bytes] = []

    def read(self, tip: bytes) -> None:
        """Reads all, each object after what it rests on, without recursion: history is as long as it is."""
        waiting: list[tuple[bytes, Kind, bool]] = [(tip, "commit", False)]
        while waiting:
            oid, kind, is_done = waiting.pop()
            if is_done:
                self.order.append(oid)
                continue
            if oid in self._known:
                self._expect(oid, kind, self._known[oid])
                continue
            if pygit2.Oid(raw=oid) in self._main:
                found = self._main.odb.read_header(pygit2.Oid(raw=oid))[0]
                self._expect(oid, kind, _NAMES[int(found)])
                self._known[oid] = kind
                continue
            data = self._taken(oid, kind)
            waiting.append((oid, kind, True))
            if kind == "commit":
                waiting += [(one, what, False) for one, what in _of_commit(oid, data)]
            elif kind == "tree":
                waiting += [(one, what, False) for one, what in _of_tree(oid, data)]

    def _taken(self, oid: bytes, kind: Kind) -> bytes:
        found = self._agents.object(oid)
        if found is None:
            raise UnfitError(f"the {kind} {oid.hex()} is missing")
        self._expect(oid, kind, found[0])
        data = found[1]
        self._known[oid] = kind
        self._bytes += len(data)
        if len(self._known) > MOST_OBJECTS or self._bytes > MOST_BYTES:
            raise UnfitError(
                f"more than {MOST_OBJECTS} objects or {MOST_BYTES >> 20} MiB at once; commit less at a time"
            )
        if len(data) > _LARGEST.get(kind, len(data)):
            raise UnfitError(f"the {kind} {oid.hex()} has {len(data)} bytes")
        if kind == "blob":
            written = blobs.write(self._apart, self._git_dir, data)
        else:
            written = self._apart.write(_NUMBERS[kind], data).raw
        if written != oid:
            raise UnfitError(f"the object {oid.hex()} holds something else than its name says")
        return data

    def _expect(self, oid: bytes, wanted: Kind, found: str) -> None:
        if wanted != found:
            raise UnfitError(f"{oid.hex()} is a {found} where a {wanted} is named")


_NUMBERS = {
    "commit": pygit2.enums.ObjectType.COMMIT,
    "tree": pygit2.enums.ObjectType.TREE,
    "blob": pygit2.enums.ObjectType.BLOB,
}
_NAMES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


def _of_commit(oid: bytes, data: bytes) -> list[tuple[bytes, Kind]]:
    """Returns what a commit rests on."""
    header = _HEADER.match(data)
    if header is None:
        raise UnfitError(f"the commit {oid.hex()} has a header that git would not write")
    parents = [bytes.fromhex(row[7:].decode()) for row in header[2].splitlines()]
    return [(bytes.fromhex(header[1].decode()), "tree"), *((one, "commit") for one in parents)]


def _of_tree(oid: bytes, data: bytes) -> list[tuple[bytes, Kind]]:
    """Returns what a tree holds; refuses what git would not write, which one reader may take for something else.

    Source: git-fsck(1): duplicate, unsorted, forbidden and empty names, modes with zeros in front.
    """
    found: list[tuple[bytes, Kind]] = []
    before, names = b"", set[bytes]()
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        if end < 0 or end + 21 > len(data) or mode not in _MODES:
            raise UnfitError(f"the tree {oid.hex()} is broken")
        links = mode == b"120000" and name.lower() == b".gitmodules"
        # Names that are harmless here lead into a git directory, or out of a folder, on other systems.
        if trees.is_forbidden(name) or b"\\" in name or name.lower().startswith(b".git:") or links:
            raise UnfitError(f"the tree {oid.hex()} holds the forbidden name {name.decode(errors='replace')!r}")
        key = name + b"/" if mode == b"40000" else name
        if key <= before or name in names:
            raise UnfitError(f"the tree {oid.hex()} holds a name twice, or its names out of order")
        before = key
        names.add(name)
        kind = _MODES[mode]
        if kind is not None:
            found.append((data[end + 1 : end + 21], kind))  # type: ignore[arg-type]  # the table above
        at = end + 21
    return found


def take_in(incoming: Incoming, common_dir: str) -> None:
    """Writes what was fetched into the repository; no branch moves.

    Raises:
        EffectError: git or the disk failed; what is there rests on nothing that is missing.
    """
    with opening.attempting("take in what the agent committed"):
        main, apart = opening.repository(common_dir), opening.repository(incoming.git_dir)
        for oid in incoming.objects:
            if pygit2.Oid(raw=oid) in main or _moved(incoming.git_dir, common_dir, oid.hex()):
                continue
            kind, data = apart.read(pygit2.Oid(raw=oid))[:2]
            main.write(kind, data)


def _moved(git_dir: str, common_dir: str, name: str) -> bool:
    """Moves the file of one object, which libgit2 or we have written; false if it is on another disk."""
    target = Path(common_dir, "objects", name[:2])
    try:
        target.mkdir(exist_ok=True)
        Path(git_dir, "objects", name[:2], name[2:]).rename(target / name[2:])
    except OSError:
        return False
    return True


def drop(incoming: Incoming) -> None:
    """Removes the place apart."""
    opening.forget(incoming.git_dir)
    shutil.rmtree(incoming.git_dir, ignore_errors=True)


def clear(folder: str) -> None:
    """Removes what a crash has left of earlier ones."""
    for one in Path(folder).glob(f"{_PREFIX}*"):
        shutil.rmtree(one, ignore_errors=True)


def _place_apart(folder: str, common_dir: str) -> str:
    """Makes a git directory that holds nothing, and sees what the repository holds."""
    # A name that was never there: what this thread remembers of another place must not be taken for this one's.
    apart = tempfile.mkdtemp(prefix=_PREFIX, dir=folder)
    for name in ("objects/info", "refs/heads"):
        Path(apart, name).mkdir(parents=True)
    Path(apart, "HEAD").write_text("ref: refs/heads/none\n")
    Path(apart, "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    Path(apart, "objects/info/alternates").write_bytes(os.fsencode(f"{common_dir}/objects\n"))
    if Path(common_dir, "shallow").is_file():
        shutil.copyfile(f"{common_dir}/shallow", f"{apart}/shallow")
    return apart
