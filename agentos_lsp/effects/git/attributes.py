"""What attribute files say of filters and encodings: git's own answer, for any tree or folder, without running git.

libgit2 answers for one working folder only, mixed with its index; here the caller brings the files of either side.
Source: gitattributes(5); git's attr.c (`parse_attr_line`, `fill`, `macroexpand_one`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import wildmatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAME = b".gitattributes"

WANTED = frozenset({b"filter", b"working-tree-encoding"})
"""The attributes that are asked about."""

_LONGEST = 2048
_MACRO = b"[attr]"
_BLANK = b" \t\r\n"
_ATTRIBUTE = re.compile(rb"(?!-)[-A-Za-z0-9_.]+")
_ESCAPE = re.compile(rb"\\([abfnrtv\\\"]|[0-3][0-7]{2})")
_ESCAPED = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11, b"\\": 92, b'"': 34}

Value = bytes | bool | None
"""Given, set, unset (`-`), or None: back to being unspecified (`!`)."""

_Given = tuple[tuple[bytes, Value], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: a pattern, or the name of a macro, and what it gives, the last first."""

    pattern: wildmatch.Glob | None
    macro: bytes
    given: _Given


class Attributes:
    """What all attribute files together say.

    Args:
        read: Returns the attribute file of a folder of the tree ("" for its root), None if there is none.
        above: Files that come before those of the tree, the strongest first (`info/attributes`).
        below: Files that come after them, the strongest first (the person's, the system's).
        ignore_case: Whether letter case does not matter.
    """

    def __init__(
        self,
        read: Callable[[bytes], bytes | None],
        above: Iterable[bytes] = (),
        below: Iterable[bytes] = (),
        *,
        ignore_case: bool = False,
    ) -> None:
        self._read = read
        self._ignore_case = ignore_case
        self._above = [_lines(text, ignore_case) for text in above]
        self._below = [_lines(text, ignore_case) for text in below]
        self._folders: dict[bytes, tuple[_Line, ...]] = {}
        self._macros: dict[bytes, _Given] | None = None

    def of(self, path: bytes) -> dict[bytes, Value]:
        """Returns what is said of a file's filter and encoding."""
        found: dict[bytes, Value] = {}
        macros = self._known_macros()
        for lines, relative in self._levels(path):
            for line in lines:
                if line.pattern is not None and line.pattern.matches(relative):
                    _give(found, line.given, macros)
            if found.keys() >= WANTED:
                break
        return {name: value for name, value in found.items() if name in WANTED and value is not None}

    def _levels(self, path: bytes) -> Iterator[tuple[tuple[_Line, ...], bytes]]:
        """Yields the lines of each file that may say something, the strongest first, with the path as it sees it."""
        yield from ((lines, path) for lines in self._above)
        folder = path.rpartition(b"/")[0]
        while folder:
            yield self._of_folder(folder), path[len(folder) + 1 :]
            folder = folder.rpartition(b"/")[0]
        yield self._of_folder(b""), path
        yield from ((lines, path) for lines in self._below)

    def _of_folder(self, folder: bytes) -> tuple[_Line, ...]:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = _lines(self._read(folder) or b"", self._ignore_case)
        return known

    def _known_macros(self) -> dict[bytes, _Given]:
        """Returns the macros, which only the root's file and those outside of the tree may define."""
        if self._macros is None:
            found: dict[bytes, _Given] = {}
            for lines in (*self._above, self._of_folder(b""), *self._below):
                for line in lines:
                    if line.macro:
                        found.setdefault(line.macro, line.given)
            self._macros = found
        return self._macros


def _give(found: dict[bytes, Value], given: _Given, macros: dict[bytes, _Given]) -> None:
    """Takes over what is not known yet; a macro that is set gives what it stands for."""
    waiting = list(reversed(given))
    while waiting:
        name, value = waiting.pop()
        if name in found:
            continue
        found[name] = value
        if value is True and name in macros:
            waiting += reversed(macros[name])


@lru_cache(maxsize=256)
def _lines(text: bytes, ignore_case: bool) -> tuple[_Line, ...]:  # noqa: FBT001 - a key of the cache
    """Reads an attribute file; the last line comes first, as it is the strongest."""
    rows = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    found = [line for row in rows if (line := _line(row, ignore_case=ignore_case)) is not None]
    return tuple(reversed(found))


def _line(row: bytes, *, ignore_case: bool) -> _Line | None:
    row = row.partition(b"\0")[0]
    text = row.strip(_BLANK)
    if not text or text.startswith(b"#") or len(row) >= _LONGEST:
        return None
    first, rest = _quoted(text) if text.startswith(b'"') else (None, b"")
    if first is None:
        first, rest = _word(text)
    given = _given(rest)
    if given is None:
        return None
    if first.startswith(_MACRO) and first != _MACRO:
        name, _ = _word(first[len(_MACRO) :].lstrip(_BLANK))
        return None if _ATTRIBUTE.fullmatch(name) is None else _Line(None, name, given)
    if first.startswith(b"!"):
        return None
    return _Line(wildmatch.parse(first, ignore_case=ignore_case), b"", given)


def _word(text: bytes) -> tuple[bytes, bytes]:
    found = re.match(rb"[^ \t\r\n]*", text)
    end = found.end() if found is not None else 0
    return text[:end], text[end:].lstrip(_BLANK)


def _quoted(text: bytes) -> tuple[bytes | None, bytes]:
    """Reads a pattern in quotes; None if it never ends. Source: git's quote.c, `unquote_c_style`."""
    at = 1
    while at < len(text) and text[at : at + 1] != b'"':
        if text[at : at + 1] == b"\\":
            escape = _ESCAPE.match(text, at)
            if escape is None:
                return None, b""
            at = escape.end()
        else:
            at += 1
    if at >= len(text):
        return None, b""
    return _ESCAPE.sub(_unescaped, text[1:at]), text[at + 1 :].lstrip(_BLANK)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = _ESCAPED.get(found[1])
    return bytes([int(found[1], 8) if code is None else code])


def _given(text: bytes) -> _Given | None:
    """Reads what a line gives, the last first; None if a name in it is none, which makes the line void."""
    found: list[tuple[bytes, Value]] = []
    for word in re.split(rb"[ \t\r\n]+", text):
        if not word:
            continue
        name, equals, value = word.partition(b"=")
        given: Value = value if equals else True
        if name[:1] in {b"-", b"!"}:
            given = False if name[:1] == b"-" else None
            name = name[1:]
        if _ATTRIBUTE.fullmatch(name) is None:
            return None
        found.append((name, given))
    return tuple(reversed(found))
