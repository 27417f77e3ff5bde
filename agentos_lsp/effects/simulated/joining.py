"""Two trees that began from a third, joined as a merge does it: by file, and by line where both changed one. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff

if TYPE_CHECKING:
    from agentos_lsp.effects.simulated.objects import Tree

Edit = tuple[int, int, tuple[bytes, ...]]
"""The lines of the base from the first to before the second, and what stands in their place."""


def join(base: Tree, ours: Tree, theirs: Tree) -> tuple[Tree, tuple[str, ...]]:
    """Returns what a merge would hold, and the paths that both sides changed in ways that cannot be joined."""
    joined: Tree = {}
    conflicts: list[str] = []
    for path in sorted({*base, *ours, *theirs}):
        was, one, other = base.get(path), ours.get(path), theirs.get(path)
        if other in (one, was):
            kept = one
        elif one == was:
            kept = other
        else:
            kept = _joined(was, one, other)
            if kept is None:
                conflicts.append(path)
        if kept is not None:
            joined[path] = kept
    return joined, tuple(conflicts)


def _joined(was: diff.Side | None, one: diff.Side | None, other: diff.Side | None) -> diff.Side | None:
    """Joins a file that both sides changed; None if that cannot be done."""
    sides = [side.data for side in (was, one, other) if side is not None and side.data is not None]
    if was is None or one is None or other is None or len(sides) < 3 or any(b"\0" in data for data in sides):
        return None
    lines = diff.split(sides[0])
    text = _text(lines, _edits(lines, diff.split(sides[1])), _edits(lines, diff.split(sides[2])))
    return None if text is None else diff.Side(other.mode if one.mode == was.mode else one.mode, text)


def _edits(old: list[bytes], new: list[bytes]) -> list[Edit]:
    """Returns how one list of lines becomes another."""
    found: list[Edit] = []
    at_old = at_new = 0
    for one, two, size in [*diff.matches(old, new), (len(old), len(new), 0)]:
        if one > at_old or two > at_new:
            found.append((at_old, one, tuple(new[at_new:two])))
        at_old, at_new = one + size, two + size
    return found


def _text(lines: list[bytes], ours: list[Edit], theirs: list[Edit]) -> bytes | None:
    """Applies the edits of both sides; None where they meet and are not the same, as git joins no adjacent ones."""
    edits = sorted({*ours, *theirs})
    for (_, end, _), (start, _, _) in itertools.pairwise(edits):
        if start <= end:
            return None
    at, joined = 0, list[bytes]()
    for start, end, fresh in edits:
        joined += [*lines[at:start], *fresh]
        at = end
    return b"".join([*joined, *lines[at:]])
