"""The whole worktree kept as a commit under `refs/agentos/`, and brought back: untracked files too, ignored ones not.

Taking reads what differs from the checkpoint before and writes only that; bringing back touches only what differs
between two checkpoints, through `beneath`, and only files that still are as the newer one has them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import ObjectType

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import (
    beneath,
    blobs,
    changes,
    commits,
    conversions,
    held,
    opening,
    originals,
    trees,
    updating,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Identity
    from agentos_lsp.effects.git.worktrees import Worktree

LIMIT = 64 << 20
"""Files beyond this size, in bytes, are left out of a checkpoint, and named."""

SHOWN = 100
"""How many left-out paths are named."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Files kept as a commit: how many differ from the checkpoint before, and which are not in it."""

    commit: CommitId
    files: int
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a discard keeps; `skipped` are not in it, as in a checkpoint."""

    commit: CommitId
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """Files brought back, and the paths left as they are: changed meanwhile, or something of another kind is there."""

    files: int
    kept: tuple[str, ...]


_ASIDE = re.compile(r"refs/agentos/([^/]+)/(?:refused|replaced)/[0-9a-f]+")

REMOVED = "refs/agentos/removed/"
"""Under which name what a discard removes is kept, followed by the session's."""


def reference(session: str, number: int) -> str:
    """Returns the name that keeps a checkpoint."""
    return f"refs/agentos/{session}/checkpoints/{number}"


def take(
    worktree: Worktree, before: CommitId, name: str, message: str, author: Identity, at: datetime
) -> Checkpoint | None:
    """Keeps the worktree's files as they are now.

    Args:
        worktree: Whose files.
        before: The last checkpoint, or the commit that the session began from.
        name: The reference that will keep it.
        message: Of the commit.
        author: Its author and committer.
        at: When, with its time zone.

    Returns:
        The checkpoint, or None if nothing differs from the one before.

    Raises:
        EffectError: A file or git failed; no reference was made.
    """
    with opening.attempting(f"keep a checkpoint of {worktree.folder}"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        edits: dict[bytes, trees.Entry | None] = {}
        skipped: list[str] = []
        for row in changes.candidates(worktree, before, limit=LIMIT):
            unkept = row.nested or any(trees.is_forbidden(part) for part in row.path.split(b"/"))
            if unkept or (row.mode is not None and row.data is None):
                skipped.append(os.fsdecode(row.path))
            elif row.mode is None or row.data is None:
                edits[row.path] = None
            else:
                edits[row.path] = trees.Entry(row.mode, blobs.write(repository, worktree.common_dir, row.data))
        began = trees.tree_of(repository, before)
        tree = trees.edited(repository, began, edits) or trees.empty(repository)
        if tree == began:
            return None
        who = commits.signature(author, at)
        parent = pygit2.Oid(hex=worktree.base)
        made = repository.create_commit(None, who, who, message.strip() + "\n", pygit2.Oid(raw=tree), [parent])
        repository.references.create(name, made, force=True)
        return Checkpoint(CommitId(str(made)), len(edits), tuple(skipped[:SHOWN]))


def keep_removed(worktree: Worktree, tip: CommitId, name: str, author: Identity, at: datetime) -> Kept:
    """Keeps all that a session holds, its commits and its files as they are, as one commit on top of its branch.

    Raises:
        EffectError: A file or git failed; no reference was made.
    """
    with opening.attempting(f"keep what {worktree.branch} holds"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        made = None
        if os.path.isdir(worktree.folder):  # noqa: PTH112 - one stat
            made = take(worktree, tip, name, "What the session held when it was discarded", author, at)
        tree = trees.tree_of(repository, tip if made is None else made.commit)
        who = commits.signature(author, at)
        text = f"What {worktree.branch} held when it was discarded\n"
        kept = repository.create_commit(None, who, who, text, pygit2.Oid(raw=tree), [pygit2.Oid(hex=tip)])
        repository.references.create(name, kept, force=True)
        return Kept(CommitId(str(kept)), () if made is None else made.skipped)


def removed(common_dir: str) -> dict[str, datetime]:
    """Returns what discards have kept: each reference, and since when.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting("look for what discards have kept"):
        repository = opening.repository(common_dir)
        found: dict[str, datetime] = {}
        for name in repository.references.iterator():
            if name.name.startswith(REMOVED):
                found[name.name] = _when(name.peel(pygit2.Commit))
        return found


def set_aside(common_dir: str) -> dict[str, tuple[str, datetime]]:
    """Returns the commits that were set aside or replaced: each reference, whose session's, and since when.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting("look for what was set aside"):
        found: dict[str, tuple[str, datetime]] = {}
        for name in opening.repository(common_dir).references.iterator():
            one = _ASIDE.fullmatch(name.name)
            if one is not None:
                found[name.name] = (one[1], _when(name.peel(pygit2.Commit)))
        return found


def _when(commit: pygit2.Commit) -> datetime:
    """Returns when a commit was made; an agent may have written any number there."""
    try:
        return datetime.fromtimestamp(commit.commit_time, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)


def forget(common_dir: str, names: Iterable[str]) -> None:
    """Lets go of what discards have kept.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting("let go of what discards have kept"):
        for name in names:
            with contextlib.suppress(KeyError):
                opening.repository(common_dir).references.delete(name)


def restore(worktree: Worktree, now: str, target: str) -> Restored:
    """Replaces the files of one checkpoint, which must have been taken just now, by those of another.

    Both are commits or trees. What is not in `now` as it is on the disk stays: nothing is overwritten that could not be
    brought back. A held file that differs from how it was made is in a checkpoint with its own bytes, so those are put
    back; as it was made it is brought back from the person's checkout. Of a tree, which is what git keeps, no held file
    is written.

    Raises:
        EffectError: git failed, or the worktree is gone.
    """
    with opening.attempting(f"restore {target} in {worktree.folder}"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        rows = trees.difference(repository, trees.tree_of(repository, now), trees.tree_of(repository, target))
        removals = [row for row in reversed(rows) if row[2] is None]
        writes = [row for row in rows if row[2] is not None]
        # What attribute files say counts for the line endings of the others.
        writes.sort(key=lambda row: not row[0].endswith(b".gitattributes"))
        files, kept = 0, []
        has_raw = repository[pygit2.Oid(hex=target)].type == ObjectType.COMMIT
        root = beneath.open_folder(worktree.folder)
        try:
            replace = _Replacing(repository, root, held.of_worktree(repository, root, worktree), has_raw=has_raw)
            for path, was, wanted in [*removals, *writes, *_unmade(repository, worktree, now, target, replace.holding)]:
                if replace.replaced(path, was, wanted):
                    files += 1
                else:
                    kept.append(os.fsdecode(path))
        finally:
            os.close(root)
        return Restored(files, tuple(sorted(kept)))


_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What says nothing of the file, but that nobody could write it."""


def _unmade(
    repository: Repository, worktree: Worktree, now: str, target: str, holding: held.Holding
) -> list[tuple[bytes, trees.Entry | None, trees.Entry]]:
    """Returns the held files into which what git keeps of them was written: both checkpoints name it, and mean more."""
    if not holding.record.originals:
        return []
    wanted = trees.Lookup(repository, trees.tree_of(repository, target))
    found = [(row.path, row.old) for row in changes.candidates(worktree, CommitId(now), limit=0) if row.held]
    made = {path: one.entry for path, one in holding.record.originals.items()}
    return [(path, old, old) for path, old in found if old and made.get(path) == old == wanted.file(path)]


class _Replacing:
    """How files of one checkpoint are replaced by those of another."""

    def __init__(self, repository: Repository, root: int, holding: held.Holding, *, has_raw: bool) -> None:
        self._repository = repository
        self._root = root
        self.holding = holding
        self._has_raw = has_raw
        self._source: originals.Source | None = None

    def replaced(self, path: bytes, was: trees.Entry | None, wanted: trees.Entry | None) -> bool:
        """Replaces one file if it is what it was; returns whether it is as wanted now.

        Raises:
            OSError: The disk failed.
        """
        try:
            modes = {was.mode if was else 0, wanted.mode if wanted else 0}
            if trees.SUBMODULE in modes:
                return _emptied(self._root, path, was, wanted)
            if self.holding.is_raw(path):
                return self._held(path, was, wanted)
            there = _entry(self._repository, self._root, path, was)
            if there == wanted:
                return True
            if there != was:
                return False
            if wanted is None:
                beneath.remove(self._root, path)
            else:
                updating.put(self._repository, self._root, path, wanted)
        except OSError as error:
            if error.errno in _DISK:
                raise
            return False
        return True

    def _held(self, path: bytes, was: trees.Entry | None, wanted: trees.Entry | None) -> bool:
        """Replaces a held file: by its own bytes, or by what it was made of."""
        there = changes.held_entry(self._root, path, self.holding)
        original = self.holding.record.originals.get(path)
        is_made = original is not None and wanted == original.entry
        if there == wanted and not (is_made and not self._is_as_made(path)):
            return True
        if there != was:
            return False
        if wanted is None:
            beneath.remove(self._root, path)
        elif is_made:
            self._source = self._source or originals.source_of(self.holding.record)
            return originals.bring_back(self.holding.record, self._source, self._root, path)
        elif not self._has_raw:
            return False
        else:
            updating.put_raw(self._root, path, blobs.read(self._repository, wanted.oid), wanted.mode)
        return True

    def _is_as_made(self, path: bytes) -> bool:
        seen = beneath.digest(self._root, path)
        original = self.holding.record.originals[path]
        return seen is not None and seen[:2] == (original.entry.mode, original.raw)


def _emptied(root: int, path: bytes, was: trees.Entry | None, wanted: trees.Entry | None) -> bool:
    """Makes or removes the empty folder of a submodule, whose own files are never touched; returns whether it is so.

    Raises:
        OSError: It has files in it, or the disk failed.
    """
    if was is not None and wanted is not None:
        return was.mode == wanted.mode
    if wanted is not None:
        with beneath.folder_of(root, path + b"/.", create=True):
            return True
    with beneath.folder_of(root, path) as (folder, name):
        os.rmdir(name, dir_fd=folder)
    return True


def _entry(repository: Repository, root: int, path: bytes, was: trees.Entry | None) -> trees.Entry | None:
    """Returns a file as git would keep it, None if there is none, or only an empty folder.

    Raises:
        OSError: Something is there that git would not keep.
    """
    seen = beneath.read(root, path)
    if seen is None or seen.data is None:
        if seen is not None and seen.mode == trees.FOLDER:
            # Files in it were to go and have gone; one with anything left in it stays and is an error.
            with beneath.folder_of(root, path) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        elif beneath.look(root, path) is not None:
            raise OSError(os.fsdecode(path))
        return None
    data = seen.data
    if seen.mode != trees.LINK:
        data = conversions.to_git(repository, path, data, was.oid if was is not None else None)
    return trees.Entry(seen.mode, blobs.name_of(data))


def prune(common_dir: str, session: str, numbers: Iterable[int]) -> None:
    """Lets go of checkpoints; git's own housekeeping frees their objects when nothing else holds them.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting(f"let go of checkpoints of {session}"):
        repository = opening.repository(common_dir)
        for number in numbers:
            with contextlib.suppress(KeyError):
                repository.references.delete(reference(session, number))
