"""A session's change against its base, kept current at a cost that follows the change and not the tree.

Whoever knows that a path was written says so by `touch`; only such paths are compared again. `distrust` asks for one
stat sweep over everything: at the start, and whenever nobody can say what was written.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import described, diff
from agentos_lsp.effects.git import beneath, changes, collecting, held, opening, trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.worktrees import Worktree

BUDGET_BYTES = 256 << 20
"""How much content is kept of one session's files; those beyond are summarised."""

_RULES = {b".gitignore", b".gitattributes"}
"""Files that change what the others are to git."""


@dataclass(frozen=True, slots=True)
class Row:
    """Both sides of a path that differs, as git would keep them; None where there is no file."""

    old: diff.Side | None
    new: diff.Side | None

    @property
    def is_nested(self) -> bool:
        """Whether it is a repository that was made in the worktree."""
        was = None if self.old is None else self.old.mode
        return self.new is not None and self.new.mode == trees.SUBMODULE != was

    @property
    def size_bytes(self) -> int:
        """How much content it keeps."""
        return sum(len(side.data) for side in (self.old, self.new) if side is not None and side.data is not None)


@dataclass(frozen=True, slots=True)
class Current:
    """The change at one moment: `changes` by path, with the rows that they were made from; `number` counts the moments.

    Invariant: two values of one `Tracked` with the same number are the same value.
    """

    number: int
    changes: Sequence[diff.FileChange]
    rows: dict[str, Row]

    @property
    def differing(self) -> tuple[str, ...]:
        """The paths that differ; a repository in the worktree ends in a slash."""
        return tuple(f"{path}/" if row.is_nested else path for path, row in self.rows.items())


class Tracked:
    """One worktree's change against the commit that it began from; its methods are for threads, and safe in several."""

    def __init__(self, worktree: Worktree, base: CommitId) -> None:
        self._worktree = worktree
        self._base = base
        self._looking = threading.Lock()
        self._marking = threading.Lock()
        self._touched: set[bytes] = set()
        self._trusted = False
        self._rows: dict[bytes, Row] = {}
        self._described: dict[bytes, described.Described] = {}
        self._moved: dict[str, str] = {}
        self._loose: dict[str, Row] = {}
        self._current = Current(0, (), {})

    def touch(self, *paths: str) -> None:
        """Says that files or folders may have changed; the paths are relative to the worktree."""
        with self._marking:
            for path in paths:
                raw = os.fsencode(os.path.normpath(path))
                self._touched.add(raw)
                if raw.rpartition(b"/")[2] in _RULES or raw == b".":
                    self._trusted = False

    def distrust(self) -> None:
        """Says that anything may have changed."""
        with self._marking:
            self._trusted = False

    def is_interesting(self, folder: str) -> bool:
        """Whether what is written in a folder can be part of the change: not where git ignores all of it."""
        raw = os.fsencode(folder)
        repository = opening.repository(self._worktree.common_dir, self._worktree.folder)
        with opening.attempting(f"look at {folder}"):
            if not opening.ignores(repository, f"{folder}/"):
                return True
            return trees.Lookup(repository, trees.tree_of(repository, self._base)).find(raw) is not None

    def current(self) -> Current:
        """Brings the change up to date and returns it.

        Raises:
            EffectError: The worktree is gone, or git failed; the next call tries again.
        """
        with self._looking:
            with self._marking:
                touched, trusted = frozenset(self._touched), self._trusted
                self._touched.clear()
                self._trusted = True
            if trusted and not touched:
                return self._current
            try:
                what = f"compare {self._worktree.folder} with {self._base}"
                with opening.attempting(what), collecting.held_back():
                    differs = self._look_again(touched) if trusted else self._sweep()
            except BaseException:
                self.distrust()
                raise
            if differs:
                self._current = self._describe()
            return self._current

    def _sweep(self) -> bool:
        """Compares every file that a stat sweep cannot call unchanged."""
        repository = opening.repository(self._worktree.common_dir, self._worktree.folder)
        rows: dict[bytes, Row] = {}
        budget = BUDGET_BYTES
        for found in changes.candidates(self._worktree, self._base, limit=changes.LIMIT):
            row = _kept(_row(repository, found), budget)
            before = self._rows.get(found.path)
            rows[found.path] = before if before is not None and before == row else row
            budget -= row.size_bytes
        differs = rows != self._rows or self._current.number == 0
        self._rows = rows
        return differs

    def _look_again(self, touched: Iterable[bytes]) -> bool:
        """Compares the touched paths alone, and what lies below those that are folders on any side."""
        worktree = self._worktree
        repository = opening.repository(worktree.common_dir, worktree.folder)
        base = trees.Lookup(repository, trees.tree_of(repository, self._base))
        root = beneath.open_folder(worktree.folder)
        holding = held.of_worktree(repository, root, worktree)
        differs = False
        budget = BUDGET_BYTES - sum(row.size_bytes for row in self._rows.values())
        try:
            for path in sorted(self._below(repository, base, root, touched)):
                row = self._compared(repository, base, root, path, holding)
                if row is not None:
                    row = _kept(row, budget)
                    budget -= row.size_bytes
                if row != self._rows.get(path):
                    differs = True
                    if row is None:
                        del self._rows[path]
                    else:
                        self._rows[path] = row
        finally:
            os.close(root)
        return differs

    def _below(self, repository: Repository, base: trees.Lookup, root: int, touched: Iterable[bytes]) -> set[bytes]:
        """Returns the files that are meant by touched paths, on the base's side, in the folder, and among the rows."""
        found: set[bytes] = set()
        for path in touched:
            found.add(path)
            # A file that stands where a folder was, or the other way round, changes what is above it too.
            found.update(
                above
                for above in _above(path)
                if above in self._rows or base.file(above) is not None or _is_repository(root, above)
            )
            entry = base.find(path)
            if entry is not None and entry.mode == trees.FOLDER:
                found.update(below for below, _ in trees.walk(repository, entry.oid, path + b"/"))
            prefix = path + b"/"
            found.update(below for below in self._rows if below.startswith(prefix))
            found.update(_listed(repository, base, root, path))
        return found

    def _compared(
        self, repository: Repository, base: trees.Lookup, root: int, path: bytes, holding: held.Holding
    ) -> Row | None:
        """Compares one path, which the base or the folder or neither has."""
        if b".git" in path.split(b"/"):
            return None
        old = base.file(path)
        if old is None:
            if any(entry.mode == trees.SUBMODULE for one in _above(path) if (entry := base.file(one)) is not None):
                # What is done in a submodule's folder belongs to another repository.
                return None
            nested = next((above for above in (*_above(path), path) if _is_repository(root, above)), None)
            if nested is not None:
                return Row(None, diff.Side(trees.SUBMODULE, b"")) if nested == path else None
            if beneath.look(root, path) is None or opening.ignores(repository, os.fsdecode(path)):
                return None
        found = changes.candidate(repository, root, path, old, changes.LIMIT, holding)
        return None if found is None else _row(repository, found)

    def _describe(self) -> Current:
        """Lists the rows, to be described when they are looked at; what has not changed is taken over."""
        named = {os.fsdecode(path): row for path, row in self._rows.items()}
        loose = {path: row for path, row in named.items() if row.old is None or row.new is None}
        if loose != self._loose:
            self._loose = loose
            self._moved = diff.renames([(path, row.old, row.new) for path, row in loose.items()])
        sources = set(self._moved.values())
        now: dict[bytes, described.Described] = {}
        for raw, row in sorted(self._rows.items()):
            path = os.fsdecode(raw)
            if path in sources:
                continue
            old_path = self._moved.get(path)
            old = named[old_path].old if old_path is not None else row.old
            known = self._described.get(raw)
            if known is None or known.old is not old or known.new is not row.new or known.old_path != old_path:
                known = described.Described(path, old, row.new, old_path)
            now[raw] = known
        self._described = now
        found = described.Changes(sorted(now.values(), key=lambda one: one.path))
        return Current(self._current.number + 1, found, named)


def _listed(repository: Repository, base: trees.Lookup, root: int, path: bytes) -> Iterator[bytes]:
    """Yields the files below a folder; other repositories and folders that git ignores are not entered."""
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        seen = beneath.look(root, folder)
        if seen is None or not stat.S_ISDIR(seen.st_mode) or _is_repository(root, folder):
            continue
        if base.find(folder) is None and opening.ignores(repository, f"{os.fsdecode(folder)}/"):
            continue
        try:
            names = beneath.entries_in(root, folder)
        except OSError:
            continue
        for name, is_folder in names:
            below = folder + b"/" + name
            if is_folder:
                waiting.append(below)
                if _is_repository(root, below):
                    yield below
            else:
                yield below


def _row(repository: Repository, found: changes.Candidate) -> Row:
    return Row(*changes.sides_of(repository, found))


def _kept(row: Row, budget: int) -> Row:
    """Lets go of contents that there is no room for."""
    if row.size_bytes <= budget:
        return row
    old = None if row.old is None else diff.Side(row.old.mode, None)
    return Row(old, None if row.new is None else diff.Side(row.new.mode, None))


def _above(path: bytes) -> list[bytes]:
    """Returns the folders that a path lies in, the outermost first."""
    names = path.split(b"/")[:-1]
    return [b"/".join(names[: count + 1]) for count in range(len(names))]


def _is_repository(root: int, path: bytes) -> bool:
    """Tells whether a folder is another repository."""
    return beneath.look(root, path + b"/.git") is not None
