"""Words of a shell line: what quotes, backslashes and expansions make of its characters.

Source: bash(1), QUOTING.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.expansion import ExpansionReader, Parts
from agentos_lsp.domain.command.syntax import ProcessSubstitution, Text, Word

if TYPE_CHECKING:
    from agentos_lsp.domain.command.syntax import Span, WordPart

# One whole word without quotes or expansions, up to a character that must end it.
_PLAIN = re.compile(r"[\w./:@%+,=\-^~*?\[\]]++(?=[ \t\n;&|)]|[<>](?!\()|\Z)")
_RUN = re.compile(r"[^ \t\n;&|<>()\\'\"$`]++")
_DOUBLE_RUN = re.compile(r'[^"\\$`]++')
_DOCUMENT_RUN = re.compile(r"[^\\$`]++")


class WordReader(ExpansionReader):
    """Reads words."""

    __slots__ = ()

    def word(self) -> Word:  # noqa: C901, PLR0912 - one arm per kind of character
        """Reads the word at the cursor.

        Raises:
            OpaqueError: There is no word, or one that we do not vouch for.
        """
        start = self.at
        self.spend()
        plain = _PLAIN.match(self.text, start)
        if plain is not None:
            self.at = plain.end()
            value = plain.group()
            return Word(value, (Text(value, quoted=False),), self.span(start))
        parts = Parts(self)
        text = self.text
        while self.at < self.size:
            run = _RUN.match(text, self.at)
            if run is not None:
                parts.text(run.group(), quoted=False)
                self.at = run.end()
                continue
            self.spend()
            match text[self.at]:
                case "'":
                    parts.text(self._single(), quoted=True)
                case '"':
                    self._double(parts)
                case "\\":
                    self._escape(parts)
                case "$":
                    self.dollar(parts, quoted=False)
                case "`":
                    parts.part(self.backticks(quoted=False))
                case "<" | ">" as direction if text.startswith("(", self.at + 1):
                    if text.startswith("!", start):
                        raise self.refuse("`!` begins a word with a process substitution", start)
                    parts.part(ProcessSubstitution(self.inside(2), direction))
                case "(":
                    raise self.refuse("an opening parenthesis is inside a word")
                case _:
                    break
        if self.at == start:
            raise self.refuse("a word is missing")
        raw = text[start : self.at]
        if raw[0] == "{" and text.startswith(("<", ">"), self.at):
            raise self.refuse("a brace stands before a redirection", start)
        if self.substitutions and raw[-1] == "&":
            # Source: bash 5.2 runs what it printed of a substitution, and forgets the `;` behind an ampersand.
            raise self.refuse("a word ends in an ampersand inside a substitution", start)
        if self.awaited and "\n" in raw:
            raise self.refuse("a newline is inside a word between a here-document's operator and its body", start)
        return Word(raw, parts.finish(), self.span(start))

    def _single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise self.refuse("a single quote is not closed")
        value = self.text[self.at + 1 : end]
        self.at = end + 1
        return value

    def _escape(self, parts: Parts) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if not following:
            raise self.refuse("the line ends in a backslash")
        if following != "\n":
            parts.text(following, quoted=True)
        self.at += 2

    def _double(self, parts: Parts) -> None:
        """Reads a double-quoted string."""
        start = self.at
        text = self.text
        self.at += 1
        before = len(parts.found), len(parts.pieces)
        while self.at < self.size:
            run = _DOUBLE_RUN.match(text, self.at)
            if run is not None:
                parts.text(run.group(), quoted=True)
                self.at = run.end()
                continue
            match text[self.at]:
                case '"':
                    self.at += 1
                    if before == (len(parts.found), len(parts.pieces)):
                        parts.text("", quoted=True)
                    return
                case "$":
                    self.dollar(parts, quoted=True)
                case "`":
                    parts.part(self.backticks(quoted=True))
                case _:
                    following = text[self.at + 1 : self.at + 2]
                    if following in ("$", "`", '"', "\\"):
                        parts.text(following, quoted=True)
                    elif following != "\n":
                        parts.text("\\" + following, quoted=True)
                    self.at += 2
        raise self.refuse("a double quote is not closed", start)

    def expanded_parts(self, body: str, outer: Span) -> tuple[WordPart, ...]:
        """Reads the text of a here-document, in which a double quote is nothing special.

        Raises:
            OpaqueError: An expansion in it is one that we do not vouch for.
        """
        reader = type(self)(body, self.budget, self.depth, outer)
        parts = Parts(reader)
        while reader.at < reader.size:
            run = _DOCUMENT_RUN.match(body, reader.at)
            if run is not None:
                parts.text(run.group(), quoted=True)
                reader.at = run.end()
            elif body[reader.at] == "\\":
                following = body[reader.at + 1 : reader.at + 2]
                parts.text(following if following in ("$", "`", "\\") else "\\" + following, quoted=True)
                reader.at += 2
            elif body[reader.at] == "$":
                reader.dollar(parts, quoted=True)
            else:
                parts.part(reader.backticks(quoted=True))
        return parts.finish()
