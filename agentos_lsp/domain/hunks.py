"""What a person reviews, a hunk or a file at a time: named by its content, and found again in a text of their own.

The only place that decides whether a hunk still fits a text that somebody else has edited meanwhile.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain import diff

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

State = Literal["open", "there", "conflict"]
"""`open`: it can be taken over. `there`: the text has it already. `conflict`: the text was edited in the same place."""

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Item:
    """What one answer is about. `digest` names the content that was shown, so that a late click is recognised.

    Invariant: `hunk` is None exactly if the file is reviewed as a whole.
    """

    path: str
    digest: str
    change: diff.FileChange
    hunk: diff.Hunk | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hunk stands in a text: the lines that it would replace, none for an insertion, from 0."""

    start: int
    end: int
    state: State


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the lines from `start` to before `end` of a text by others."""

    start: int
    end: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How a text differs from the form that git keeps: every line ends in CRLF, or the byte-order mark is not there."""

    crlf: bool
    unmarked: bool

    def restored(self, data: bytes) -> bytes:
        """Brings a whole text from git's form back into this one."""
        bare = data.removeprefix(BOM) if self.unmarked else data
        return bare.replace(b"\n", b"\r\n") if self.crlf else bare

    def words(self, edit: Edit) -> bytes:
        """Returns what an edit puts in place, in this form."""
        data = b"".join(edit.lines)
        bare = data.removeprefix(BOM) if self.unmarked and edit.start == 0 else data
        return bare.replace(b"\n", b"\r\n") if self.crlf else bare


def plain(data: bytes, like: bytes) -> tuple[bytes, Form]:
    """Brings a text into the form of `like`, as git keeps it, where that is certain; returns how to go back."""
    newlines = data.count(b"\n")
    crlf = newlines > 0 and data.count(b"\r\n") == newlines and b"\r\n" not in like
    unmarked = like.startswith(BOM) and not data.startswith(BOM)
    bare = data.replace(b"\r\n", b"\n") if crlf else data
    return (BOM + bare if unmarked else bare), Form(crlf, unmarked)


def items(change: diff.FileChange) -> tuple[Item, ...]:
    """Returns what can be answered on its own: each hunk of an edited text, else the file as a whole."""
    if change.status != "modified" or not change.hunks:
        return (whole(change),)
    return tuple(Item(change.path, hunk_digest(change, hunk), change, hunk) for hunk in change.hunks)


def whole(change: diff.FileChange) -> Item:
    """Returns the file as one thing to answer."""
    return Item(change.path, file_digest(change), change, None)


def find(changes: Iterable[diff.FileChange], path: str, digest: str, *, as_file: bool) -> Item | None:
    """Returns what was shown under a digest, None if it is no longer so."""
    for change in changes:
        if change.path == path:
            candidates = (whole(change),) if as_file else items(change)
            return next((item for item in candidates if item.digest == digest), None)
    return None


def hunk_digest(change: diff.FileChange, hunk: diff.Hunk) -> str:
    """Names a hunk by its file, its lines, and where they stood at the session's start.

    The start never moves, so the name outlives edits elsewhere in the file, and tells equal hunks apart.
    """
    rows = [f"{line.kind}{line.text}\n{line.newline}" for line in hunk.lines]
    return _name("hunk", change.old_path or change.path, str(hunk.old_start), *rows)


def file_digest(change: diff.FileChange) -> str:
    """Names the whole change of a file."""
    modes = f"{change.status} {change.old_mode} {change.new_mode} {change.too_large} {change.content}"
    return _name("file", change.path, change.old_path or "", modes, *(hunk_digest(change, one) for one in change.hunks))


def _name(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def core(hunk: diff.Hunk) -> tuple[range, range]:
    """Returns the lines that a hunk changes, without those around them: on the old side and on the new."""
    first = next((at for at, line in enumerate(hunk.lines) if line.kind != " "), 0)
    last = next((at for at, line in enumerate(reversed(hunk.lines)) if line.kind != " "), 0)
    return (
        range(hunk.old_start + first, hunk.old_start + hunk.old_lines - last),
        range(hunk.new_start + first, hunk.new_start + hunk.new_lines - last),
    )


def places(hunks: Sequence[diff.Hunk], old: bytes, new: bytes, text: bytes) -> tuple[Place, ...]:
    """Finds hunks in a text that was made from `old` by somebody else.

    Args:
        hunks: Of the change from `old` to `new`.
        old: What both began from.
        new: What the session made of it.
        text: What the person made of it, in the same form; see `plain`.
    """
    theirs = diff.split(text)
    from_old = _carried(diff.split(old), theirs)
    from_new: _Lines | None = None
    found: list[Place] = []
    for hunk in hunks:
        before, after = core(hunk)
        at = from_old.same(before)
        if at is not None:
            found.append(Place(at.start, at.stop, "open"))
            continue
        if from_new is None:
            from_new = _carried(diff.split(new), theirs)
        at = from_new.same(after)
        if at is not None:
            found.append(Place(at.start, at.stop, "there"))
        else:
            near = from_old.around(before)
            found.append(Place(near.start, near.stop, "conflict"))
    return tuple(found)


def edits(hunks: Sequence[diff.Hunk], new: bytes, where: Sequence[Place]) -> tuple[Edit, ...]:
    """Returns what brings the hunks that are `open` into the text in which their places were found."""
    lines = diff.split(new)
    return tuple(
        Edit(place.start, place.end, tuple(lines[core(hunk)[1].start : core(hunk)[1].stop]))
        for hunk, place in zip(hunks, where, strict=True)
        if place.state == "open"
    )


def edited(text: bytes, changes: Sequence[Edit]) -> bytes:
    """Returns a text after edits that do not overlap and are in order."""
    lines = diff.split(text)
    for one in reversed(changes):
        lines[one.start : one.end] = one.lines
    return b"".join(lines)


def reverted(hunk: diff.Hunk, old: bytes, new: bytes) -> bytes:
    """Returns the new side without one hunk: the lines that it changed are again as they were."""
    before, after = core(hunk)
    return edited(new, [Edit(after.start, after.stop, tuple(diff.split(old)[before.start : before.stop]))])


class _Lines:
    """Which line of one text is which of another; the ends of both count as equal lines."""

    def __init__(self, to: list[int | None], size: int) -> None:
        self._to = to
        self._size = size

    def same(self, lines: range) -> range | None:
        """Returns where a run of lines is, if they stand together there too, beside a neighbour of theirs.

        No lines at all are between both neighbours: something that was put there leaves no sure place.
        """
        before, after = self._at(lines.start - 1), self._at(lines.stop)
        if not lines:
            return range(after, after) if before is not None and after == before + 1 else None
        start = self._at(lines.start)
        if start is None or any(self._to[line] != start + step for step, line in enumerate(lines)):
            return None
        stop = start + len(lines)
        return range(start, stop) if before == start - 1 or after == stop else None

    def around(self, lines: range) -> range:
        """Returns the lines between the nearest ones, on either side, that are in both texts."""
        starts = (found for line in range(lines.start - 1, -2, -1) if (found := self._at(line)) is not None)
        stops = (found for line in range(lines.stop, len(self._to) + 1) if (found := self._at(line)) is not None)
        start = next(starts) + 1
        return range(start, max(start, next(stops)))

    def _at(self, line: int) -> int | None:
        if line < 0:
            return -1
        return self._size if line >= len(self._to) else self._to[line]


def _carried(old: list[bytes], new: list[bytes]) -> _Lines:
    to: list[int | None] = [None] * len(old)
    for one, two, size in diff.matches(old, new):
        to[one : one + size] = itertools.islice(itertools.count(two), size)
    return _Lines(to, len(new))
