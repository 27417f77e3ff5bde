"""Where two changes of the same files would conflict if both were merged: found by lines, before anybody merges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain.diff import FileChange, Hunk


@dataclass(frozen=True, slots=True)
class Place:
    """Where one side changed what the other changed too; `line` counts from 0 on that side, None for the whole file."""

    path: str
    line: int | None
    lines: int


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines of the common file, from `start` to before `end`, that became others from `line` on."""

    start: int
    end: int
    line: int
    added: tuple[str, ...]


def clashes(one: Sequence[FileChange], two: Sequence[FileChange]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Compares two changes against the same base.

    Edits clash as in a three-way merge: they overlap or touch, and are not the same.

    Returns:
        The places on each side, by path and line.
    """
    theirs = {change.old_path or change.path: change for change in two}
    first: list[Place] = []
    second: list[Place] = []
    for mine in one:
        other = theirs.get(mine.old_path or mine.path)
        if other is not None:
            here, there = _in_file(mine, other)
            first += here
            second += there
    return tuple(dict.fromkeys(first)), tuple(dict.fromkeys(second))


def _in_file(mine: FileChange, other: FileChange) -> tuple[list[Place], list[Place]]:
    whole = [Place(mine.path, None, 0)], [Place(other.path, None, 0)]
    if mine.status == other.status == "deleted":
        return [], []
    if "deleted" in {mine.status, other.status} or "type" in {mine.status, other.status}:
        return whole
    if mine.old_path is not None and other.old_path is not None and mine.path != other.path:
        return whole
    if (mine.binary or mine.too_large) and (other.binary or other.too_large):
        return whole
    first: list[Place] = []
    second: list[Place] = []
    edits = _edits(other.hunks)
    for edit in _edits(mine.hunks):
        for against in edits:
            same = (edit.start, edit.end, edit.added) == (against.start, against.end, against.added)
            if not same and edit.start <= against.end and against.start <= edit.end:
                first.append(Place(mine.path, edit.line, len(edit.added)))
                second.append(Place(other.path, against.line, len(against.added)))
    return first, second


def _edits(hunks: Sequence[Hunk]) -> list[_Edit]:
    """Returns the runs of changed lines, without those around them."""
    found: list[_Edit] = []
    for hunk in hunks:
        old, new = hunk.old_start, hunk.new_start
        start, line, added = old, new, list[str]()
        for row in (*hunk.lines, None):
            if row is None or row.kind == " ":
                if (old, new) != (start, line):
                    found.append(_Edit(start, old, line, tuple(added)))
                old, new = old + 1, new + 1
                start, line, added = old, new, []
            elif row.kind == "-":
                old += 1
            else:
                new += 1
                added.append(row.text if row.newline else f"{row.text}\0")
    return found
