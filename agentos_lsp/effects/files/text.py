"""Exact replacement in a file's bytes that keeps its line endings and byte-order mark. Pure."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal

_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True)
class NotReplaced:
    """Nothing was replaced, and why."""

    reason: Literal["binary", "occurrences"]
    message: str


def replace(data: bytes, old: str, new: str, *, expected: int) -> bytes | NotReplaced:
    r"""Replaces `old` by `new` where it stands exactly `expected` times.

    A line break in `old` matches LF and CRLF alike, and the line breaks of `new` take the form of those they replace,
    or of the file's majority where they replace none: an agent that writes LF edits a CRLF file and keeps its endings.
    """
    mark, text = _decoded(data)
    if isinstance(text, NotReplaced):
        return text
    try:
        (old + new).encode("utf-8")
    except UnicodeEncodeError:
        return NotReplaced("binary", "The replacement is not valid Unicode text.")
    if not old:
        return NotReplaced("occurrences", "The text to replace is empty; give the lines to replace, or write the file.")
    wanted = old.replace("\r\n", "\n")
    given = new.replace("\r\n", "\n")
    if wanted == given:
        return NotReplaced("occurrences", "The old and the new text are the same; nothing would change.")
    pattern = re.compile("\r?\n".join(re.escape(line) for line in wanted.split("\n")))
    found = [match.span() for match in pattern.finditer(text)]
    if len(found) != expected:
        return NotReplaced("occurrences", _count_words(len(found), expected))
    usual = "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
    pieces: list[str] = []
    end = 0
    for start, stop in found:
        there = text[start:stop]
        ending = "\r\n" if "\r\n" in there else "\n" if "\n" in there else usual
        pieces += [text[end:start], given.replace("\n", ending)]
        end = stop
    return mark + "".join([*pieces, text[end:]]).encode("utf-8")


def _decoded(data: bytes) -> tuple[bytes, str | NotReplaced]:
    """Returns the byte-order mark and the text after it."""
    for mark, name in _FOREIGN_MARKS.items():
        if data.startswith(mark):
            return b"", NotReplaced(
                "binary", f"The file is {name}; only UTF-8 is edited. Write the whole file instead."
            )
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    if b"\0" in data:
        return b"", NotReplaced("binary", "The file holds NUL bytes: it is binary, not text.")
    try:
        return mark, data[len(mark) :].decode("utf-8")
    except UnicodeDecodeError:
        return b"", NotReplaced("binary", "The file is not UTF-8 text; it cannot be edited without damage.")


def _count_words(found: int, expected: int) -> str:
    if not found:
        return "The text to replace is not in the file; read the file again and copy the text exactly."
    return f"The text to replace is in the file {found} times, not {expected}; give more of the lines around it."
