"""Brace expansion, on a word's characters and opaque pieces.

Source: bash(1), Brace Expansion.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.syntax import Text

if TYPE_CHECKING:
    from agentos_lsp.domain.command.syntax import WordPart

# An unquoted character, or a piece that is taken whole.
Piece = "str | WordPart"
Pieces = list["str | WordPart"]

_MOST_WORDS = 256
_MOST_BRACES = 32
_NUMBERS = re.compile(r"(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})(?:\.\.(-?[0-9]{1,9}))?")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?[0-9]{1,9}))?")


class TooManyError(Exception):
    """A word has more expansions than are worth following."""


def expand(parts: tuple[WordPart, ...]) -> list[tuple[WordPart, ...]]:
    """Expands the braces of a word's parts.

    Raises:
        TooManyError: There are too many words, or too many braces to be honest.
    """
    pieces: Pieces = []
    for part in parts:
        if isinstance(part, Text) and not part.quoted:
            pieces.extend(part.value)
        else:
            pieces.append(part)
    if sum(piece == "{" for piece in pieces) > _MOST_BRACES:
        raise TooManyError
    return [_joined(found) for found in _expand(pieces)]


def _expand(pieces: Pieces) -> list[Pieces]:
    for start, piece in enumerate(pieces):
        if piece != "{":
            continue
        end = _end(pieces, start)
        if end is None:
            continue
        choices = _choices(pieces[start + 1 : end])
        if choices is None:
            continue
        before, after = pieces[:start], _expand(pieces[end + 1 :])
        if len(choices) * len(after) > _MOST_WORDS:
            raise TooManyError
        return [[*before, *choice, *rest] for choice in choices for rest in after]
    return [pieces]


def _end(pieces: Pieces, start: int) -> int | None:
    depth = 0
    for at in range(start, len(pieces)):
        if pieces[at] == "{":
            depth += 1
        elif pieces[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return None


def _choices(inside: Pieces) -> list[Pieces] | None:
    """What one pair of braces stands for; None if it stands for itself."""
    parts: list[Pieces] = [[]]
    depth = 0
    for piece in inside:
        if piece == "," and depth == 0:
            parts.append([])
            continue
        depth += (piece == "{") - (piece == "}")
        parts[-1].append(piece)
    if len(parts) > 1:
        return [found for part in parts for found in _expand(part)]
    if not all(isinstance(piece, str) for piece in inside):
        return None
    return _sequence("".join(str(piece) for piece in inside))


def _sequence(text: str) -> list[Pieces] | None:
    numbers = _NUMBERS.fullmatch(text)
    letters = _LETTERS.fullmatch(text)
    if numbers is not None:
        first, last, step = int(numbers[1]), int(numbers[2]), abs(int(numbers[3] or 1)) or 1
        padded = any(re.match(r"-?0[0-9]", numbers[i]) for i in (1, 2))
        width = max(len(numbers[1]), len(numbers[2])) if padded else 0
        values = _range(first, last, step)
        return [list(f"{value:0{width}d}") for value in values]
    if letters is not None:
        step = abs(int(letters[3] or 1)) or 1
        return [[chr(value)] for value in _range(ord(letters[1]), ord(letters[2]), step)]
    return None


def _range(first: int, last: int, step: int) -> range:
    found = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if len(found) > _MOST_WORDS:
        raise TooManyError
    return found


def _joined(pieces: Pieces) -> tuple[WordPart, ...]:
    parts: list[WordPart] = []
    text: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
            continue
        if text:
            parts.append(Text("".join(text), quoted=False))
            text = []
        parts.append(piece)
    if text:
        parts.append(Text("".join(text), quoted=False))
    return tuple(parts)
