"""Which words differ inside the changed lines of a patch, for clients that can show them.

A patch is read as the text that is shown, whatever made it. Removed lines that stand before added ones are paired with
those that are like them, in order; what the words of a pair do not share are its spans. A line without a like one has
none: all of it changed.

The cost is bounded, so that a hunk of ten thousand lines takes less than a second: a line is compared with those in
about the same place, the fewer the more there are (`REACH`); two lines with many differing words differ from the first
to the last of them (`EFFORT`); and where all that has cost `MOST`, what comes after it in a patch has no spans.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIMILAR = 0.3
"""Lines that share this part of their characters, in words, are one line that was changed."""

REACH = 30_000
"""How many words a block's lines may have, times the lines before and behind its place that each is compared with."""

EFFORT = 2500
"""Two lines are compared word by word if the product of their numbers of differing words is no more than this."""

MOST = 1 << 20
"""What a patch may cost: the characters of changed lines, and a few of them for each comparison of lines or words."""

COMPARED = 10
"""What the comparison of two lines costs."""

EVERY_LINE = range(1 << 31)

# Source: diff(1), the unified format: a length that is left out is 1.
_HEADER = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")

# A word keeps the accents that follow its letters; blanks are one word, and each other character is one.
_WORD = re.compile(r"\w[\w\u0300-\u036f]*|\s+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of a patch's line, from `start` up to `end`, that the other line of its pair does not have."""

    line: int
    start: int
    end: int
    kind: Literal["removed", "added"]


class _Line:
    """A changed line, without its sign and a carriage return at its end, as words."""

    def __init__(self, number: int, row: str) -> None:
        self.number = number
        self.words: list[str] = _WORD.findall(row[1:].removesuffix("\r"))
        self.counts = Counter(word for word in self.words if not word.isspace())
        self.weight = sum(len(word) * times for word, times in self.counts.items())

    def likeness(self, other: _Line) -> float:
        """Returns which part of both lines' characters is in words that both have."""
        if 2 * min(self.weight, other.weight) < SIMILAR * (self.weight + other.weight):
            return 0.0
        few, many = sorted((self.counts, other.counts), key=len)
        common = sum(len(word) * min(times, many[word]) for word, times in few.items() if word in many)
        return 2 * common / (self.weight + other.weight) if common else 0.0


_Block = tuple[list[int], list[int]]
"""The numbers of removed lines, and of the added ones that follow them."""


def spans(rows: Sequence[str], lines: range = EVERY_LINE) -> Iterator[Span]:
    """Yields the words that differ, in the order of the text.

    Args:
        rows: The lines of a patch.
        lines: Which of them are asked for; only what they belong to is compared.
    """
    left = MOST
    for removed, added in _blocks(rows):
        if removed[0] >= lines.stop:
            return
        if added[-1] < lines.start:
            continue
        left -= sum(len(rows[number]) for number in (*removed, *added))
        if left < 0:
            return
        olds, news = [_Line(at, rows[at]) for at in removed], [_Line(at, rows[at]) for at in added]
        reach = max(1, REACH // sum(len(line.words) + 4 for line in (*olds, *news)))
        left -= COMPARED * len(olds) * min(len(news), 2 * reach + 1)
        found: list[Span] = []
        for old, new in _pairs(olds, news, reach):
            start, end = _shared(old.words, new.words)
            cost = (len(old.words) - start - end) * (len(new.words) - start - end)
            left -= cost if cost <= EFFORT else 0
            if left < 0:
                break
            pieces = _pieces(old.words, new.words, start, end)
            found += _of_line(old, [piece.old for piece in pieces], "removed")
            found += _of_line(new, [piece.new for piece in pieces], "added")
        found.sort(key=lambda span: (span.line, span.start))
        yield from (span for span in found if span.line in lines)


def _blocks(rows: Sequence[str]) -> Iterator[_Block]:
    """Yields what was removed together with what was added in its place; each hunk is as long as its header says."""
    olds, news = 0, 0
    block: _Block = ([], [])
    for number, row in enumerate(rows):
        kind = row[:1]
        if olds <= 0 and news <= 0:
            header = _HEADER.match(row)
            if header is not None:
                olds, news = (1 if count is None else int(count) for count in header.groups())
            kind = ""
        elif kind == "\\":
            continue  # "No newline at end of file" is about the line before it
        else:
            olds -= kind != "+"
            news -= kind != "-"
        if kind == "+":
            block[1].append(number)
        elif kind == "-" and not block[1]:
            block[0].append(number)
        else:
            if all(block):
                yield block
            block = ([number], []) if kind == "-" else ([], [])
    if all(block):
        yield block


_Chain = tuple[int, int, "_Chain | None"]
"""Pairs of lines from the last back to the first."""


def _pairs(olds: list[_Line], news: list[_Line], reach: int) -> list[tuple[_Line, _Line]]:
    """Pairs lines in order, so that what they share adds up to the most; a line without a like one is in no pair."""
    # For each number of added lines, the best way to pair the removed ones so far with them.
    best: list[tuple[float, _Chain | None]] = [(0.0, None)] * (len(news) + 1)
    told = 0
    for at, old in enumerate(olds):
        middle = at * len(news) // len(olds)
        first, last = max(0, middle - reach), min(len(news), middle + reach + 1)
        for place in range(told, first):
            best[place + 1] = max(best[place], best[place + 1], key=_score)
        before = best[first]
        for place in range(first, last):
            above = best[place + 1]
            found = max(above, best[place], key=_score)
            likeness = old.likeness(news[place])
            if likeness >= SIMILAR and before[0] + likeness > found[0]:
                found = (before[0] + likeness, (at, place, before[1]))
            best[place + 1], before = found, above
        told = last
    chain = max(best, key=_score)[1]
    pairs: list[tuple[_Line, _Line]] = []
    while chain is not None:
        at, place, chain = chain
        pairs.append((olds[at], news[place]))
    return pairs[::-1]


def _score(way: tuple[float, _Chain | None]) -> float:
    return way[0]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Words of two lines that stand in each other's place."""

    old: range
    new: range


def _shared(old: list[str], new: list[str]) -> tuple[int, int]:
    """Returns how many words two lines share at their beginnings, and then at their ends."""
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end


def _pieces(old: list[str], new: list[str], start: int, end: int) -> list[_Piece]:
    """Returns where two lines differ that share words at their ends; what is between two pieces is equal."""
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if not left and not right:
        return []
    if len(left) * len(right) > EFFORT:
        return [_Piece(range(start, len(old) - end), range(start, len(new) - end))]
    pieces: list[_Piece] = []
    for what, one, two, three, four in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        piece = _Piece(range(start + one, start + two), range(start + three, start + four))
        if pieces and _belongs(pieces[-1], piece, old):
            piece = _Piece(range(pieces[-1].old.start, piece.old.stop), range(pieces[-1].new.start, piece.new.stop))
            pieces.pop()
        pieces.append(piece)
    return pieces


def _belongs(piece: _Piece, other: _Piece, old: list[str]) -> bool:
    """Whether only a blank is between two pieces in which both lines have words: they are read as one."""
    between = old[piece.old.stop : other.old.start]
    return all((piece.old, piece.new, other.old, other.new)) and len(between) == 1 and between[0].isspace()


def _of_line(line: _Line, pieces: list[range], kind: Literal["removed", "added"]) -> Iterator[Span]:
    """Yields pieces of a line as its characters, which begin after the sign."""
    column, word = 1, 0
    for piece in pieces:
        column += sum(map(len, line.words[word : piece.start]))
        length = sum(map(len, line.words[piece.start : piece.stop]))
        if length:
            yield Span(line.number, column, column + length, kind)
        column, word = column + length, piece.stop
