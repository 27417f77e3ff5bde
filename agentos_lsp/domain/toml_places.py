"""Says where each key and value of a TOML text stands; `tomllib` says only what they are.

It is for texts that `tomllib` reads, and goes on at the next line where one cannot be read, because a person may still
be typing. Source: TOML 1.0.0.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")', re.DOTALL),
    re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"[^,\]}#\n\r]+")
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: from `start` on `line` to `end` on `end_line`, columns in characters, all from 0."""

    path: Path
    kind: Literal["table", "key", "value"]
    line: int
    start: int
    end_line: int
    end: int


class _UnreadableError(Exception):
    """The text at hand is no TOML; the reader goes on at the next line."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.places: list[Place] = []
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._counts: dict[Path, int] = {}

    def read(self) -> None:
        at, table = 0, ()  # type: tuple[int, Path]
        while True:
            at = self._skip(at, _BLANK_LINES)
            if at >= len(self.text):
                return
            try:
                if self.text[at] == "[":
                    at, table = self._header(at)
                else:
                    at = self._pair(at, table, 0)
            except _UnreadableError:
                pass
            end = self.text.find("\n", at)
            at = len(self.text) if end < 0 else end + 1

    def _header(self, at: int) -> tuple[int, Path]:
        brackets = 2 if self.text.startswith("[[", at) else 1
        end, names = self._names(at + brackets)
        if not self.text.startswith("]" * brackets, end):
            raise _UnreadableError
        path: Path = ()
        for number, (name, _, _) in enumerate(names, start=1):
            path = (*path, name)
            if number == len(names) and brackets == 2:
                index = self._counts[path] = self._counts.get(path, -1) + 1
                path = (*path, index)
            elif path in self._counts:
                path = (*path, self._counts[path])
        self._add(path, "table", at, end + brackets)
        return end + brackets, path

    def _pair(self, at: int, table: Path, depth: int) -> int:
        at, names = self._names(at)
        path: Path = (*table, *(name for name, _, _ in names))
        for number, (_, start, end) in enumerate(names, start=1):
            self._add((*table, *(name for name, _, _ in names[:number])), "key", start, end)
        at = self._skip(at, _BLANK)
        if not self.text.startswith("=", at):
            raise _UnreadableError
        return self._value(self._skip(at + 1, _BLANK), path, depth)

    def _names(self, at: int) -> tuple[int, list[tuple[str, int, int]]]:
        """Reads a dotted key; returns where it ends, and each name with its own start and end."""
        names: list[tuple[str, int, int]] = []
        while True:
            at = self._skip(at, _BLANK)
            bare = _BARE_KEY.match(self.text, at)
            quoted = next((found for kind in _STRINGS[2:] if (found := kind.match(self.text, at))), None)
            found = bare or quoted
            if found is None:
                raise _UnreadableError
            name = found[0] if found is bare else found[0][1:-1]
            names.append((name, at, found.end()))
            at = self._skip(found.end(), _BLANK)
            if not self.text.startswith(".", at):
                return at, names
            at += 1

    def _value(self, at: int, path: Path, depth: int) -> int:
        if depth > _DEEPEST:
            raise _UnreadableError
        start = at
        opening = self.text[at : at + 1]
        if opening == "[":
            at = self._array(at + 1, path, depth + 1)
        elif opening == "{":
            at = self._inline(at + 1, path, depth + 1)
        else:
            found = next((found for kind in _STRINGS if (found := kind.match(self.text, at))), None)
            found = found or _SCALAR.match(self.text, at)
            if found is None:
                raise _UnreadableError
            at = start + len(found[0].rstrip())
        self._add(path, "value", start, at)
        return at

    def _array(self, at: int, path: Path, depth: int) -> int:
        index = 0
        while True:
            at = self._skip(at, _BLANK_LINES)
            if self.text.startswith("]", at):
                return at + 1
            at = self._skip(self._value(at, (*path, index), depth), _BLANK_LINES)
            index += 1
            if self.text.startswith(",", at):
                at += 1
            elif not self.text.startswith("]", at):
                raise _UnreadableError

    def _inline(self, at: int, path: Path, depth: int) -> int:
        while True:
            at = self._skip(at, _BLANK)
            if self.text.startswith("}", at):
                return at + 1
            at = self._skip(self._pair(at, path, depth), _BLANK)
            if self.text.startswith(",", at):
                at += 1
            elif not self.text.startswith("}", at):
                raise _UnreadableError

    def _skip(self, at: int, blank: re.Pattern[str]) -> int:
        found = blank.match(self.text, at)
        return at if found is None else found.end()

    def _add(self, path: Path, kind: Literal["table", "key", "value"], start: int, end: int) -> None:
        first, last = (bisect_right(self._starts, at) - 1 for at in (start, end))
        self.places.append(
            Place(path, kind, first, start - self._starts[first], last, end - self._starts[last]),
        )


def places(text: str) -> tuple[Place, ...]:
    """Returns where every table, key and value of a text stands."""
    reader = _Reader(text)
    reader.read()
    return tuple(reader.places)


def find(text: str, path: Path, kind: Literal["table", "key", "value"] = "value") -> Place:
    """Returns where a key or value stands; what is nearest above it where it is not there itself.

    Args:
        text: The whole text.
        path: Names and indexes from the root.
        kind: What to prefer where a path has several places.
    """
    known = places(text)
    for length in range(len(path), 0, -1):
        here = [place for place in known if place.path == path[:length]]
        wanted = kind if length == len(path) else "key"
        if here:
            return next((place for place in here if place.kind == wanted), here[0])
    return Place(path, kind, 0, 0, 0, 0)
