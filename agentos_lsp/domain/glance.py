"""What the reader of a diff should know before its lines: what a program wrote, what only moved, what is wholly new."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentos_lsp.domain.inspection import contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from agentos_lsp.domain import diff
    from agentos_lsp.domain.policy import Policy

WINDOW = 3
"""So many equal lines in a row, blanks around them aside, may begin a moved block."""

LETTERS = 30
"""A moved block has at least so many letters and digits: closing brackets alone are everywhere."""

FEW = 4
"""Lines in a row with fewer letters and digits than this begin no block."""

LINES = 20_000
"""Moved blocks are looked for among so many changed lines at most."""

SHOWN = 5
"""How many moved blocks are told of one file."""

REWRITTEN_LINES = 20
REWRITTEN_PART = 0.25
"""A file of so many lines, of which less than this part is left on either side, is rewritten as a whole."""


@dataclass(frozen=True, slots=True)
class Move:
    """A block of lines that went from one place to another; lines count from 0."""

    source: str
    source_line: int
    target: str
    target_line: int
    lines: int


@dataclass(frozen=True, slots=True)
class Glance:
    """By path: why a file's lines are folded away, and what is said before them."""

    folded: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


NOTHING = Glance()
"""What is said where nobody looked."""

Sides = tuple["bytes | None", "bytes | None"]


def glance(changes: Sequence[diff.FileChange], rules: Policy, sides: Callable[[str], Sides]) -> Glance:
    """Looks over changed files.

    Args:
        changes: Those that are shown together.
        rules: Whose `generated_paths` count, beside the built-in ones.
        sides: Returns a file's content before and after; None where there is none, or too much.
    """
    folded: dict[str, str] = {}
    remarks: dict[str, list[str]] = {}
    for change in changes:
        old, new = sides(change.path)
        if change.hunks and contents.is_generated(change.path, new if new is not None else old, rules):
            folded[change.path] = "written by a program, or from elsewhere"
        elif (words := _rewritten(change, old, new)) is not None:
            remarks.setdefault(change.path, []).append(words)
    for move in moves([change for change in changes if change.path not in folded]):
        for path, words in _told(move):
            told = remarks.setdefault(path, [])
            if len(told) < SHOWN:
                told.append(words)
    return Glance(folded, {path: tuple(words) for path, words in remarks.items()})


def _rewritten(change: diff.FileChange, old: bytes | None, new: bytes | None) -> str | None:
    if change.status not in {"modified", "renamed"} or old is None or new is None:
        return None
    before, after = old.count(b"\n"), new.count(b"\n")
    kept = max(0, before - change.deletions)
    if min(before, after) < REWRITTEN_LINES or kept >= REWRITTEN_PART * min(before, after):
        return None
    return f"Rewritten as a whole: {kept} of {before} lines are left."


def _told(move: Move) -> Iterator[tuple[str, str]]:
    here, there = move.target_line + 1, move.source_line + 1
    if move.source == move.target:
        yield move.target, f"Moved: {move.lines} lines from line {there} to line {here}."
        return
    yield move.target, f"Moved here: {move.lines} lines, from {move.source}:{there} to line {here}."
    yield move.source, f"Moved away: {move.lines} lines, from line {there} to {move.target}:{here}."


Run = tuple[str, int, list[str]]
"""Changed lines in a row: their file, the first line's number, and what they say without blanks around."""


def moves(changes: Iterable[diff.FileChange]) -> tuple[Move, ...]:
    """Finds blocks that were removed in one place and added in another, in the order of where they are now."""
    removed: list[Run] = []
    added: list[Run] = []
    lines = 0
    for change in changes:
        lines += change.additions + change.deletions
        if lines > LINES:
            break
        for hunk in change.hunks:
            _split(change, hunk, removed, added)
    starts: dict[tuple[str, ...], tuple[int, int]] = {}
    for number, (_, _, texts) in enumerate(removed):
        for at in range(len(texts) - WINDOW + 1):
            window = tuple(texts[at : at + WINDOW])
            if _letters(window) >= FEW:
                starts.setdefault(window, (number, at))
    return tuple(move for run in added for move in _found(run, removed, starts))


def _split(change: diff.FileChange, hunk: diff.Hunk, removed: list[Run], added: list[Run]) -> None:
    old, new, kind = hunk.old_start, hunk.new_start, " "
    for line in hunk.lines:
        if line.kind == "-":
            if kind != "-":
                removed.append((change.old_path or change.path, old, []))
            removed[-1][2].append(line.text.strip())
        elif line.kind == "+":
            if kind != "+":
                added.append((change.path, new, []))
            added[-1][2].append(line.text.strip())
        old += line.kind != "+"
        new += line.kind != "-"
        kind = line.kind


def _letters(texts: Iterable[str]) -> int:
    return sum(character.isalnum() for text in texts for character in text)


def _found(run: Run, removed: Sequence[Run], starts: Mapping[tuple[str, ...], tuple[int, int]]) -> Iterator[Move]:
    """Finds what of added lines was removed elsewhere; each line is gone through once."""
    path, first, texts = run
    at = 0
    while at + WINDOW <= len(texts):
        place = starts.get(tuple(texts[at : at + WINDOW]))
        if place is None:
            at += 1
            continue
        source, line, there = removed[place[0]]
        begin, length = place[1], WINDOW
        while begin + length < len(there) and at + length < len(texts) and there[begin + length] == texts[at + length]:
            length += 1
        if _letters(texts[at : at + length]) >= LETTERS:
            yield Move(source, line + begin, path, first + at, length)
        at += length
