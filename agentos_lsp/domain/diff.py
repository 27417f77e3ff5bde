"""What changed, as values: files, hunks and lines, made from two sides and shown as a unified diff.

Text is decoded as UTF-8 with `surrogateescape`, so that every byte survives the way into a patch and back. Lines are
split at newlines only, as git does; a carriage return belongs to its line.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Status = Literal["added", "deleted", "modified", "renamed", "mode", "type"]

CONTEXT = 3
"""How many unchanged lines surround a hunk."""

SAMPLE = 8000
"""A file with a NUL among its first bytes, this many, is binary. Source: git's `buffer_is_binary`."""

SIMILAR = 0.5
"""A deleted and an added file that share this part of their bytes, in lines, are one renamed file."""

PAIRS = 2500
"""Inexact renames are looked for among this many pairs at most; beyond, only files that moved unchanged are found."""

EFFORT = 50_000
"""A gap between two sure matches is compared line by line up to this cost, else shown as replaced."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a file: a git mode, and its bytes (a link's target for a link) or None if they are too many.

    `held` is what stands for bytes that are not what git keeps, and tells two different ones apart; else empty.
    """

    mode: int
    data: bytes | None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk, without its newline: kept, removed or added."""

    kind: Literal[" ", "-", "+"]
    text: str
    newline: bool = True
    """False only for a last line that does not end in one."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that changed together with those around them; starts are zero-based on each side."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What happened to one file; a mode is None on the side where the file is not.

    Invariant: `old_path` is there exactly if the file was renamed; `hunks` is empty if it is binary, too large or held.
    """

    path: str
    status: Status
    old_mode: int | None
    new_mode: int | None
    old_path: str | None = None
    binary: bool = False
    too_large: bool = False
    additions: int = 0
    deletions: int = 0
    hunks: tuple[Hunk, ...] = ()
    content: str = ""
    """What stands for the bytes of a binary file, so that two different ones are told apart; else empty."""
    held: str = ""
    """What is said of a file that git passes through a filter, whose lines are not shown; else empty."""


def compare(sides: Sequence[tuple[str, Side | None, Side | None]]) -> tuple[FileChange, ...]:
    """Describes what happened to files, renames found, by path; what is equal on both sides is left out.

    Args:
        sides: Path, old and new side of each file that may differ; a pair that is too large on both sides does.
    """
    differing = [row for row in sides if row[1] != row[2] or (row[1] and row[1].data is None)]
    moved = renames(differing)
    sources = set(moved.values())
    olds = {path: old for path, old, _ in differing}
    changes = [
        changed(path, olds[moved[path]] if path in moved else old, new, moved.get(path))
        for path, old, new in differing
        if path not in sources
    ]
    return tuple(sorted(changes, key=lambda change: change.path))


def renames(rows: Sequence[tuple[str, Side | None, Side | None]]) -> dict[str, str]:
    """Pairs added files with deleted ones; returns the old path by the new."""
    deleted = {path: old.data for path, old, new in rows if new is None and old is not None and old.data}
    added = {path: new.data for path, old, new in rows if old is None and new is not None and new.data}
    by_content: dict[bytes, list[str]] = {}
    for path in sorted(deleted, reverse=True):
        by_content.setdefault(deleted[path], []).append(path)
    moved: dict[str, str] = {}
    for path in sorted(added):
        if by_content.get(added[path]):
            moved[path] = by_content[added[path]].pop()
    left = sorted(set(deleted) - set(moved.values()))
    fresh = sorted(set(added) - set(moved))
    if len(left) * len(fresh) <= PAIRS:
        lines = {path: Counter(deleted[path].splitlines(keepends=True)) for path in left}
        scored = sorted(
            (
                (-_similarity(lines[old], deleted[old], added[new]), new, old)
                for new in fresh
                for old in left
                if min(len(deleted[old]), len(added[new])) >= SIMILAR * max(len(deleted[old]), len(added[new]))
            ),
        )
        taken: set[str] = set()
        for score, new, old in scored:
            if -score >= SIMILAR and new not in moved and old not in taken:
                moved[new] = old
                taken.add(old)
    return moved


def _similarity(lines: Counter[bytes], old: bytes, new: bytes) -> float:
    """Returns which part of the larger file's bytes is in lines that both have."""
    common = lines & Counter(new.splitlines(keepends=True))
    return sum(len(line) * times for line, times in common.items()) / max(len(old), len(new))


def changed(path: str, old: Side | None, new: Side | None, old_path: str | None) -> FileChange:
    """Describes one file that differs; `old_path` is where a renamed one was."""
    status = _status(old, new, old_path)
    modes = (old.mode if old else None, new.mode if new else None)
    before, after = (old.data if old else b""), (new.data if new else b"")
    if held := next((side.held for side in (new, old) if side is not None and side.held), ""):
        return FileChange(path, status, *modes, old_path, binary=True, content=held, held=held)
    if before is None or after is None:
        return FileChange(path, status, *modes, old_path, too_large=True)
    if b"\0" in before[:SAMPLE] or b"\0" in after[:SAMPLE]:
        content = sha256(after).hexdigest()[:16]
        return FileChange(path, status, *modes, old_path, binary=True, content=content)
    whole = status == "type"
    hunks = _replaced(split(before), split(after)) if whole else hunks_between(before, after)
    kinds = Counter(line.kind for hunk in hunks for line in hunk.lines)
    return FileChange(path, status, *modes, old_path, additions=kinds["+"], deletions=kinds["-"], hunks=hunks)


def _status(old: Side | None, new: Side | None, old_path: str | None) -> Status:
    if old_path is not None:
        return "renamed"
    if old is None:
        return "added"
    if new is None:
        return "deleted"
    if old.mode >> 12 != new.mode >> 12:
        return "type"
    return "mode" if old.data is not None and old.data == new.data else "modified"


def split(data: bytes) -> list[bytes]:
    """Splits bytes into lines that keep their newline."""
    lines = data.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def hunks_between(old: bytes, new: bytes) -> tuple[Hunk, ...]:
    """Returns the hunks that turn one text into another, with `CONTEXT` lines around them."""
    before, after = split(old), split(new)
    return tuple(_hunk(before, after, group) for group in _groups(before, after))


def _replaced(before: list[bytes], after: list[bytes]) -> tuple[Hunk, ...]:
    """Returns one hunk that removes every old line and adds every new one."""
    lines = [_line("-", line) for line in before] + [_line("+", line) for line in after]
    return (Hunk(0, len(before), 0, len(after), "", tuple(lines)),) if lines else ()


Match = tuple[int, int, int]
"""Where a run of equal lines begins on the old and on the new side, and how long it is."""


def matches(old: list[bytes], new: list[bytes]) -> list[Match]:
    """Finds runs of equal lines, in order: first by lines that occur once on each side, then in the gaps."""
    start = 0
    shorter = min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    found: list[Match] = [(0, 0, start)]
    at_old, at_new = start, start
    for one, two in [*_anchors(old, new, start, end), (len(old) - end, len(new) - end)]:
        found += _gap(old, new, (at_old, one), (at_new, two))
        found.append((one, two, 1 if one < len(old) - end else end))
        at_old, at_new = one + 1, two + 1
    return found


def _anchors(old: list[bytes], new: list[bytes], start: int, end: int) -> list[tuple[int, int]]:
    """Returns the longest rising sequence of lines that occur exactly once on each side (patience)."""
    ours, theirs = old[start : len(old) - end], new[start : len(new) - end]
    once = {line for line, times in Counter(ours).items() if times == 1}
    once &= {line for line, times in Counter(theirs).items() if times == 1}
    where = {line: at for at, line in enumerate(theirs, start) if line in once}
    tails: list[int] = []
    chain: list[tuple[int, int, int]] = []
    holders: list[int] = []
    for at, line in enumerate(ours, start):
        if line in once:
            place = bisect_left(tails, where[line])
            chain.append((at, where[line], holders[place - 1] if place else -1))
            tails[place : place + 1] = [where[line]]
            holders[place : place + 1] = [len(chain) - 1]
    picked: list[tuple[int, int]] = []
    link = holders[-1] if holders else -1
    while link >= 0:
        one, two, link = chain[link]
        picked.append((one, two))
    return picked[::-1]


def _gap(old: list[bytes], new: list[bytes], ours: tuple[int, int], theirs: tuple[int, int]) -> list[Match]:
    """Finds equal runs between two anchors, unless that would take too long."""
    left, right = old[slice(*ours)], new[slice(*theirs)]
    times = Counter(right)
    if not left or not right or sum(times[line] for line in left) > EFFORT:
        return []
    blocks = difflib.SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    return [(ours[0] + block.a, theirs[0] + block.b, block.size) for block in blocks if block.size]


def _groups(old: list[bytes], new: list[bytes]) -> Iterator[list[Match]]:
    """Yields the matches of each hunk: those between its changes whole, the first and the last cut to the context."""
    runs: list[Match] = [(0, 0, 0)]
    for one, two, size in matches(old, new):
        last_one, last_two, last_size = runs[-1]
        if last_one + last_size == one and last_two + last_size == two:
            runs[-1] = (last_one, last_two, last_size + size)
        elif size:
            runs.append((one, two, size))
    if runs[-1][0] + runs[-1][2] != len(old) or runs[-1][1] + runs[-1][2] != len(new):
        runs.append((len(old), len(new), 0))
    group = [_tail(runs[0])]
    for run in runs[1:]:
        if run[2] > 2 * CONTEXT and run is not runs[-1]:
            yield [*group, _head(run)]
            group = [_tail(run)]
        else:
            group.append(run)
    if len(group) > 1:
        yield [*group[:-1], _head(group[-1])]


def _head(run: Match) -> Match:
    return (run[0], run[1], min(run[2], CONTEXT))


def _tail(run: Match) -> Match:
    cut = max(0, run[2] - CONTEXT)
    return (run[0] + cut, run[1] + cut, run[2] - cut)


def _hunk(old: list[bytes], new: list[bytes], group: list[Match]) -> Hunk:
    """Writes down one hunk from the runs that are equal in it."""
    old_start, new_start, _ = group[0]
    at_old, at_new = old_start, new_start
    lines: list[Line] = []
    for one, two, size in group:
        lines += [_line("-", line) for line in old[at_old:one]]
        lines += [_line("+", line) for line in new[at_new:two]]
        lines += [_line(" ", line) for line in old[one : one + size]]
        at_old, at_new = one + size, two + size
    heading = _heading(old, old_start)
    return Hunk(old_start, at_old - old_start, new_start, at_new - new_start, heading, tuple(lines))


def _line(kind: Literal[" ", "-", "+"], line: bytes) -> Line:
    text = line.decode("utf-8", "surrogateescape")
    return Line(kind, text.removesuffix("\n"), newline=text.endswith("\n"))


def _heading(old: list[bytes], start: int) -> str:
    """Returns the last line before a hunk that begins like a definition. Source: git's `def_ff`."""
    for line in reversed(old[max(0, start - 400) : start]):
        if line[:1].isalpha() or line[:1] in {b"_", b"$"}:
            return line[:80].decode("utf-8", "replace").rstrip()
    return ""


def unified(changes: Sequence[FileChange]) -> str:
    """Returns a patch that `git apply` accepts once encoded as UTF-8 with `surrogateescape`.

    Binary and too large files are only named: `git apply` refuses a patch that contains one.
    """
    return "".join(_patch(change) for change in changes)


def _patch(change: FileChange) -> str:
    if change.status == "type":
        removed = tuple(line for hunk in change.hunks for line in hunk.lines if line.kind == "-")
        added = tuple(line for hunk in change.hunks for line in hunk.lines if line.kind == "+")
        old = FileChange(change.path, "deleted", change.old_mode, None, None, change.binary, change.too_large)
        new = FileChange(change.path, "added", None, change.new_mode, None, change.binary, change.too_large)
        old_hunks = (Hunk(0, len(removed), 0, 0, "", removed),) if removed else ()
        new_hunks = (Hunk(0, 0, 0, len(added), "", added),) if added else ()
        return _patch_of(old, old_hunks) + _patch_of(new, new_hunks)
    return _patch_of(change, change.hunks)


def _patch_of(change: FileChange, hunks: tuple[Hunk, ...]) -> str:
    old_name, new_name = quoted(f"a/{change.old_path or change.path}"), quoted(f"b/{change.path}")
    rows = [f"diff --git {old_name} {new_name}"]
    if change.old_mode is None:
        rows.append(f"new file mode {change.new_mode:o}")
        old_name = "/dev/null"
    elif change.new_mode is None:
        rows.append(f"deleted file mode {change.old_mode:o}")
        new_name = "/dev/null"
    elif change.old_mode != change.new_mode:
        rows += [f"old mode {change.old_mode:o}", f"new mode {change.new_mode:o}"]
    if change.old_path is not None:
        rows += [f"rename from {quoted(change.old_path)}", f"rename to {quoted(change.path)}"]
    if change.held:
        rows.append(f"Not shown: {change.held}")
    if change.binary or change.too_large:
        rows.append(f"Binary files {old_name} and {new_name} differ")
    if hunks:
        rows += [f"--- {_ended(old_name)}", f"+++ {_ended(new_name)}"]
        rows += [row for hunk in hunks for row in hunk_rows(hunk)]
    return "\n".join(rows) + "\n"


def hunk_rows(hunk: Hunk) -> Iterator[str]:
    """Yields a hunk's lines as a patch has them, its header first."""
    old = _range(hunk.old_start, hunk.old_lines)
    new = _range(hunk.new_start, hunk.new_lines)
    yield f"@@ -{old} +{new} @@ {hunk.heading}".rstrip()
    for line in hunk.lines:
        yield line.kind + line.text
        if not line.newline:
            yield "\\ No newline at end of file"


def _range(start: int, lines: int) -> str:
    """Writes a range as patches count: from 1, the line before for an empty one, no length for a single line."""
    if lines == 1:
        return str(start + 1)
    return f"{start + 1 if lines else start},{lines}"


def _ended(name: str) -> str:
    """Ends a name with spaces in a tab, which tells where it ends. Source: git's `diff.c`, `needs_tab`."""
    return f"{name}\t" if " " in name and not name.startswith('"') else name


_ESCAPES = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}


def quoted(path: str) -> str:
    """Quotes a path as git does where it holds control characters, quotes, or bytes that are not UTF-8."""
    parts: list[str] = []
    for char in path:
        if char in _ESCAPES:
            parts.append("\\" + _ESCAPES[char])
        elif char < " " or char == "\x7f" or "\udc80" <= char <= "\udcff":
            parts.append(f"\\{ord(char) & 0xFF:03o}")
        else:
            parts.append(char)
    text = "".join(parts)
    return text if text == path else f'"{text}"'
