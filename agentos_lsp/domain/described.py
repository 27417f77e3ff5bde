"""A long list of changed files, each described when somebody looks at it: comparing the lines of all takes seconds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from agentos_lsp.domain import diff


@dataclass(slots=True)
class Described:
    """One changed file with both sides, and its description once somebody asked for it."""

    path: str
    old: diff.Side | None
    new: diff.Side | None
    old_path: str | None
    _known: diff.FileChange | None = None

    def change(self) -> diff.FileChange:
        """Returns its description; always the same value."""
        known = self._known
        if known is None:
            known = self._known = diff.changed(self.path, self.old, self.new, self.old_path)
        return known


class Changes(Sequence[diff.FileChange]):
    """File changes by path. Equal to every sequence of equal changes; may be read from several threads."""

    def __init__(self, rows: Sequence[Described] = ()) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> diff.FileChange: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[diff.FileChange, ...]: ...

    def __getitem__(self, index: int | slice) -> diff.FileChange | tuple[diff.FileChange, ...]:
        if isinstance(index, slice):
            return tuple(row.change() for row in self._rows[index])
        return self._rows[index].change()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Changes) and other._rows == self._rows:
            return True
        return isinstance(other, Sequence) and len(other) == len(self) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(row.path for row in self._rows))


def position(changes: Sequence[diff.FileChange], path: str) -> int | None:
    """Returns where a path stands among changes, which are by path; None if it is not among them."""
    found = bisect_left(changes, path, key=lambda change: change.path)
    return found if found < len(changes) and changes[found].path == path else None


def of_path(changes: Sequence[diff.FileChange], path: str) -> tuple[diff.FileChange, ...]:
    """Returns the change of a path alone, empty if it is not among them."""
    found = position(changes, path)
    return () if found is None else (changes[found],)
