"""What a session changed: its worktree's files against any commit, or one commit against another.

A stat sweep against the index as it was at creation says which paths may differ; each of those alone is read, beneath
the folder and never through a link, and compared with what git holds. The agent's own index, HEAD and `.git` file have
no say.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import DiffOption

from agentos_lsp.domain import diff
from agentos_lsp.effects.git import beneath, blobs, conversions, held, opening, trees, worktrees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.worktrees import Worktree

LIMIT = 1 << 20
"""Files beyond this size, in bytes, are summarised."""

_SWEEP = (
    DiffOption.INCLUDE_UNTRACKED
    | DiffOption.RECURSE_UNTRACKED_DIRS
    | DiffOption.INCLUDE_TYPECHANGE
    | DiffOption.IGNORE_SUBMODULES
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A path that may differ: what the commit holds there, and what is in the folder (None: nothing that git keeps).

    `data` is as git would keep it, or None if it was not read because it is too large.
    """

    path: bytes
    old: trees.Entry | None
    mode: int | None
    data: bytes | None
    nested: bool = False
    """Whether it is another repository inside of the worktree."""
    held: str = ""
    """What is said of a file that git passes through a filter, in place of its bytes; else empty."""


def changes(worktree: Worktree, base: CommitId) -> tuple[diff.FileChange, ...]:
    """Returns everything that differs between a commit and the worktree's files, untracked ones included.

    Ignored files are left out, except those that the commit holds. A nested repository is an added path with git's
    mode for submodules.

    Raises:
        EffectError: The worktree is gone, or git failed.
    """
    with opening.attempting(f"compare {worktree.folder} with {base}"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        rows = candidates(worktree, base, limit=LIMIT)
        return diff.compare([(os.fsdecode(found.path), *sides_of(repository, found)) for found in rows])


def changed_paths(worktree: Worktree, base: CommitId) -> tuple[str, ...]:
    """Returns the paths that differ between a commit and the worktree's files, sorted.

    Raises:
        EffectError: The worktree is gone, or git failed.
    """
    with opening.attempting(f"compare {worktree.folder} with {base}"):
        return tuple(os.fsdecode(found.path) for found in candidates(worktree, base, limit=LIMIT))


def candidates(
    worktree: Worktree, base: CommitId, *, limit: int | None, known: Iterable[str] | None = None
) -> Iterator[Candidate]:
    """Yields the paths whose bytes or mode in the folder are not what a commit holds, sorted.

    Args:
        worktree: Whose files are read.
        base: The commit to compare with.
        limit: Contents beyond this size in bytes are not kept; None for no limit.
        known: What may differ from where the session began, a nested repository with a slash; None to sweep for it.
    """
    repository = opening.repository(worktree.common_dir, worktree.folder)
    root = beneath.open_folder(worktree.folder)
    try:
        tree = trees.tree_of(repository, base)
        commit = trees.Lookup(repository, tree)
        holding = held.of_worktree(repository, root, worktree)
        paths = dict.fromkeys(swept(repository, worktree) if known is None else map(os.fsencode, known))
        began = trees.tree_of(repository, worktree.base)
        paths.update(dict.fromkeys(path for path, _, _ in trees.difference(repository, tree, began)))
        for path in sorted(paths):
            bare = path.rstrip(b"/")
            old = commit.file(bare)
            if bare != path:
                if old is None or old.mode != trees.SUBMODULE:
                    yield Candidate(bare, old, trees.SUBMODULE, b"", nested=True)
                continue
            found = candidate(repository, root, path, old, limit, holding)
            if found is not None:
                yield found
    finally:
        os.close(root)


def swept(repository: Repository, worktree: Worktree) -> list[bytes]:
    """Returns the paths that a stat sweep cannot call unchanged since creation; nested repositories end in a slash.

    The sweep is libgit2's, which releases the interpreter lock, knows ignore files, and looks at links as links.
    """
    index = _snapshot(repository, worktree)
    # pygit2 has no public way to sweep a folder with an index other than the repository's own.
    index._repo = repository  # type: ignore[assignment] # noqa: SLF001 - as said above
    return [delta.new_file.raw_path for delta in index.diff_to_workdir(_SWEEP, 0, 0).deltas]


def _snapshot(repository: Repository, worktree: Worktree) -> pygit2.Index:
    """Opens the index as it was at creation; without it, one that knows no stat data, so that contents are compared."""
    path = f"{worktree.admin_dir}/{worktrees.SNAPSHOT}"
    if os.path.lexists(path):
        with contextlib.suppress(pygit2.GitError, OSError):
            return opening.Index(path)
    index = pygit2.Index()
    index.read_tree(repository[pygit2.Oid(raw=trees.tree_of(repository, worktree.base))].peel(pygit2.Tree))
    return index


def candidate(
    repository: Repository,
    root: int,
    path: bytes,
    old: trees.Entry | None,
    limit: int | None,
    holding: held.Holding,
) -> Candidate | None:
    """Reads one path and tells whether it differs from what the commit holds."""
    if old is not None and old.mode == trees.SUBMODULE:
        # A submodule's folder stays empty; what is done in it belongs to another repository.
        gone = beneath.look(root, path) is None
        return Candidate(path, old, None, None) if gone else None
    if holding.is_raw(path):
        return _held_candidate(repository, root, path, old, limit, holding)
    seen = beneath.read(root, path, limit)
    if seen is None or seen.mode == trees.FOLDER:
        return Candidate(path, old, None, None) if old is not None else None
    data = seen.data
    if data is not None and seen.mode != trees.LINK:
        data = conversions.to_git(repository, path, data, old.oid if old is not None else None)
    if (
        old is not None
        and old.mode == seen.mode
        and old.oid == (_name_of(root, path) if data is None else blobs.name_of(data))
    ):
        return None
    why = holding.why(path)
    words = _words(why, seen.stat.st_size, _raw_name(root, path, seen)) if why else ""
    return Candidate(path, old, seen.mode, data, held=words)


def _held_candidate(
    repository: Repository,
    root: int,
    path: bytes,
    old: trees.Entry | None,
    limit: int | None,
    holding: held.Holding,
) -> Candidate | None:
    """Compares a held file with itself as it was made: what git keeps of that stands for it, else its own bytes do."""
    seen = beneath.read(root, path, limit)
    why = holding.why(path)
    if seen is None or seen.mode == trees.FOLDER:
        return Candidate(path, old, None, None, held=f"kept by {why}: removed") if old is not None else None
    raw = _raw_name(root, path, seen)
    now = trees.Entry(seen.mode, raw)
    original = holding.record.originals.get(path)
    if original is not None and (original.entry.mode, original.raw) == (seen.mode, raw):
        if old == original.entry:
            return None
        data = blobs.read(repository, original.entry.oid)
        return Candidate(path, old, seen.mode, data, held=f"kept by {why}: as it was made")
    if old == now and (original is None or original.entry != now):
        return None
    return Candidate(path, old, seen.mode, seen.data, held=_words(why, seen.stat.st_size, raw))


def _raw_name(root: int, path: bytes, seen: beneath.Seen) -> bytes:
    """Returns the name that a file's own bytes have as a blob, however many they are."""
    if seen.data is not None:
        return blobs.name_of(seen.data)
    found = beneath.digest(root, path)
    return bytes(20) if found is None else found[1]


def _words(why: str, size_bytes: int, name: bytes) -> str:
    """Says what stands for the bytes of a held file; two different ones are told apart."""
    return f"kept by {why}: {size_bytes:,} bytes, {name.hex()[:10]}"


def held_entry(root: int, path: bytes, holding: held.Holding) -> trees.Entry | None:
    """Returns a held file as a checkpoint has it: what git keeps of it if it is as it was made, else its own bytes.

    Raises:
        OSError: Something is there that is no file.
    """
    seen = beneath.read(root, path, 0)
    if seen is None or seen.mode == trees.FOLDER:
        if seen is not None:
            # Files in it were to go and have gone; one with anything left in it stays and is an error.
            with beneath.folder_of(root, path) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        elif beneath.look(root, path) is not None:
            raise OSError(os.fsdecode(path))
        return None
    now = trees.Entry(seen.mode, _raw_name(root, path, seen))
    original = holding.record.originals.get(path)
    is_made = original is not None and (original.entry.mode, original.raw) == (now.mode, now.oid)
    return original.entry if original is not None and is_made else now


def sides_of(repository: Repository, found: Candidate) -> tuple[diff.Side | None, diff.Side | None]:
    """Returns both sides of a path that differs; of a held file what is said of it, without its bytes."""
    if not found.held:
        return side(repository, found.old), None if found.mode is None else diff.Side(found.mode, found.data)
    old = None if found.old is None else diff.Side(found.old.mode, None, found.held)
    return old, None if found.mode is None else diff.Side(found.mode, None, found.held)


def _name_of(root: int, path: bytes) -> bytes | None:
    """Returns the object name of a file that is too large to keep."""
    seen = beneath.read(root, path)
    return blobs.name_of(seen.data) if seen is not None and seen.data is not None else None


def side(repository: Repository, entry: trees.Entry | None) -> diff.Side | None:
    """Returns what git holds as one side of a change."""
    if entry is None:
        return None
    if entry.mode == trees.SUBMODULE:
        return diff.Side(entry.mode, b"Subproject commit %s\n" % entry.oid.hex().encode())
    too_large = blobs.size(repository, entry.oid) > LIMIT
    return diff.Side(entry.mode, None if too_large else blobs.read(repository, entry.oid))


def between(common_dir: str, old: str, new: str) -> tuple[diff.FileChange, ...]:
    """Returns what differs between two commits or trees, exactly as they are in git.

    Raises:
        EffectError: One of them is missing, or git failed.
    """
    with opening.attempting(f"compare {old} with {new}"):
        repository = opening.repository(common_dir)
        rows = trees.difference(repository, trees.tree_of(repository, old), trees.tree_of(repository, new))
        return diff.compare(
            [(os.fsdecode(path), side(repository, was), side(repository, now)) for path, was, now in rows]
        )


def paths_between(common_dir: str, old: str, new: str) -> tuple[str, ...]:
    """Returns the paths that differ between two commits or trees.

    Raises:
        EffectError: One of them is missing, or git failed.
    """
    with opening.attempting(f"compare {old} with {new}"):
        repository = opening.repository(common_dir)
        rows = trees.difference(repository, trees.tree_of(repository, old), trees.tree_of(repository, new))
        return tuple(os.fsdecode(path) for path, _, _ in rows)


def base_text(common_dir: str, commit: CommitId, path: str) -> bytes | None:
    """Returns a file's contents in a commit, or a link's target; None if it holds no file there.

    Raises:
        EffectError: The commit is missing, or git failed.
    """
    with opening.attempting(f"read {path} in {commit}"):
        repository = opening.repository(common_dir)
        entry = trees.Lookup(repository, trees.tree_of(repository, commit)).file(os.fsencode(path))
        return None if entry is None or entry.mode == trees.SUBMODULE else blobs.read(repository, entry.oid)


def for_folder(common_dir: str, folder: str, path: str, data: bytes) -> bytes:
    """Returns what git would write into a folder for what it keeps of a file: line endings, and `$Id$`.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting(f"convert {path} for {folder}"):
        repository = opening.repository(common_dir, folder)
        return conversions.to_folder(repository, os.fsencode(path), data, blobs.name_of(data))


def selected(found: Iterable[Candidate], paths: Iterable[str] | None) -> list[Candidate]:
    """Keeps the candidates at or below the given paths; all of them for None."""
    rows = list(found)
    if paths is None:
        return rows
    wanted = [os.fsencode(path).strip(b"/") for path in paths]
    return [row for row in rows if any(row.path == path or row.path.startswith(path + b"/") for path in wanted)]
