"""Simple commands of a shell line: assignments, words and redirections.

Source: bash(1), SIMPLE COMMANDS, REDIRECTION and PARAMETERS.
"""

from __future__ import annotations

import re

from agentos_lsp.domain.command import lexer
from agentos_lsp.domain.command.quoting import WordReader
from agentos_lsp.domain.command.syntax import Assignment, Redirection, Simple, Span, Text, Word

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[A-Za-z0-9_]+\])?(\+?)=")
_NAMED_DESCRIPTOR = re.compile(r"\{[^\s{}<>]*\}(?:\\\n)*[<>]")
_DELIMITER = re.compile(r"""(?:[\w.:+@%,/~!?*^=#-]+|'[^'\n]+'|"[^"\\$`\n]+"|\\[\w.:-])+""")
ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[")


class SimpleReader(WordReader):
    """Reads simple commands, and the redirections of every command."""

    __slots__ = ()

    def simple(self) -> Simple:
        """Reads the simple command at the cursor.

        Raises:
            OpaqueError: There is none, or one that we do not vouch for.
        """
        start = end = self.at
        text = self.text
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            self.skip_blanks()
            if self.at >= self.size:
                break
            character = text[self.at]
            if character in "<>&0123456789":
                redirection = self._redirection()
                if redirection is not None:
                    redirections.append(redirection)
                    end = self.at
                    continue
            if character in lexer.META and not text.startswith(("<(", ">("), self.at):
                if character == "(":
                    raise self.refuse("an opening parenthesis is not expected here")
                break
            if character == "{" and _NAMED_DESCRIPTOR.match(text, self.at):
                raise self.refuse("`{name}` before a redirection assigns a variable")
            assignment = None if words else self._assignment(redirected=bool(redirections))
            if assignment is not None:
                assignments.append(assignment)
            else:
                words.append(self._argument(first=not words))
            end = self.at
        if end == start:
            raise self.refuse("a command is missing")
        span = Span(start, end) if self.outer is None else self.outer
        return Simple(tuple(assignments), tuple(words), tuple(redirections), span)

    def _argument(self, *, first: bool) -> Word:
        word = self.word()
        if first and (word.raw == "]]" or word.raw in lexer.RESERVED):
            raise self.refuse(f"the reserved word `{word.raw}` is used as a command", word.span.start)
        if "\\" in word.raw and "\\\n" in word.raw:
            if first:
                raise self.refuse("a line continuation is inside the name of a command", word.span.start)
            if self.text.startswith(("<", ">"), self.at):
                raise self.refuse("a line continuation stands before a redirection", word.span.start)
        return word

    def _assignment(self, *, redirected: bool) -> Assignment | None:
        """Reads the assignment at the cursor; None if there is none."""
        start = self.at
        head = _ASSIGNMENT.match(self.text, start)
        if head is None:
            if ELEMENT.match(self.text, start):
                raise self.refuse("a subscript before a command is not a plain one")
            return None
        name, subscript, plus = head.groups()
        self.at = head.end()
        if self.text.startswith("(", self.at):
            if subscript or redirected:
                # Behind some redirections bash does not expect an array any more.
                raise self.refuse("an array is assigned to an element, or behind a redirection")
            return Assignment(name, None, self._items(), plus == "+", self.span(start))
        value = self._value()
        if self.text.startswith(("<", ">"), self.at) and "\\\n" in value.raw:
            raise self.refuse("a line continuation stands before a redirection", start)
        if subscript:
            # One element of an array changes, the others stay.
            return Assignment(name, None, (value,), append=True, span=self.span(start))
        return Assignment(name, value, None, plus == "+", self.span(start))

    def _value(self) -> Word:
        start = self.at
        if start >= self.size or (self.text[start] in lexer.META and not self.text.startswith(("<(", ">("), start)):
            return Word("", (), self.span(start))
        if self.text.startswith("\\\n", start):
            raise self.refuse("a line continuation follows the `=` of an assignment")
        return self.word()

    def _items(self) -> tuple[Word, ...]:
        """Reads the words of an array from its parenthesis to the end."""
        start = self.at
        awaited = self.awaited
        self.operator()
        self.at += 1
        items: list[Word] = []
        while True:
            self.skip_blanks()
            if self.text.startswith("\n", self.at):
                if awaited:
                    raise self.refuse("a here-document begins inside an array", start)
                self.skip_lines()
            if self.text.startswith(")", self.at):
                self.at += 1
                break
            if self.text.startswith("[", self.at) or ELEMENT.match(self.text, self.at):
                raise self.refuse("an array has keys", start)
            items.append(self.whole_word())
        if self.substitutions and "\\" in self.text[start : self.at]:
            # Source: bash 5.2 writes the array out while it reads a substitution, and trips over what was escaped.
            raise self.refuse("a backslash is inside an array inside a substitution", start)
        if self.at < self.size and (self.text[self.at] not in lexer.META or self.text[self.at] == "("):
            raise self.refuse("text follows the end of an array", start)
        return tuple(items)

    def redirections(self) -> tuple[Redirection, ...]:
        """Reads the redirections after a compound command; the cursor stays behind the last one."""
        found: list[Redirection] = []
        while True:
            end = self.at
            self.skip_blanks()
            redirection = self._redirection()
            if redirection is None:
                self.at = end
                return tuple(found)
            found.append(redirection)

    def _redirection(self) -> Redirection | None:
        """Reads the redirection at the cursor; None if there is none, and the cursor has not moved."""
        start = self.at
        descriptor: int | None = None
        digits = lexer.DESCRIPTOR.match(self.text, start)
        if digits is not None:
            if self.text.startswith("(", digits.end() + 1):
                return None
            if len(digits.group()) > 4:  # A longer one may be a word instead.
                raise self.refuse("the number of a file descriptor is too long")
            descriptor = int(digits.group())
            self.at = digits.end()
        operator = self.operator()
        if operator not in lexer.REDIRECTIONS or (
            digits is None and operator in ("<", ">") and self.text.startswith("(", self.at + 1)
        ):
            return None
        self.at += len(operator)
        self.skip_blanks()
        self._check_target(operator)
        if operator in ("<<", "<<-"):
            return self._here_document(operator, descriptor, start)
        target = self.whole_word()
        if operator in ("<&", ">&") and target.raw.startswith("-") and target.raw != "-":
            raise self.refuse("text follows the `-` that closes a file descriptor", start)
        return Redirection(operator, descriptor, target, None, self.span(start))

    def _check_target(self, operator: str) -> None:
        """Refuses the targets of redirections that bash may read as something else."""
        if self.operator() and not self.text.startswith(("<(", ">("), self.at):
            raise self.refuse(f"the target of `{operator}` is missing")
        if lexer.DESCRIPTOR.match(self.text, self.at) or _NAMED_DESCRIPTOR.match(self.text, self.at):
            raise self.refuse(f"the target of `{operator}` looks like the number of the next redirection")
        if ELEMENT.match(self.text, self.at) or _ASSIGNMENT.match(self.text, self.at):
            # Behind other redirections bash reads such a target as it would an assignment, to the closing bracket.
            raise self.refuse(f"the target of `{operator}` looks like an assignment")

    def _here_document(self, operator: str, descriptor: int | None, start: int) -> Redirection:
        begin = self.at
        if self.substitutions and self.depth > self.nested_at:
            raise self.refuse("a here-document is inside a compound command inside a substitution", start)
        self.has_document = True
        target = self.word()
        if _DELIMITER.fullmatch(target.raw) is None:
            raise self.refuse("the word that ends a here-document is not a plain one", begin)
        redirection = Redirection(operator, descriptor, target, None, self.span(start))
        delimiter = "".join(part.value for part in target.parts if isinstance(part, Text))
        quoted = any(part.quoted for part in target.parts if isinstance(part, Text))
        self.awaited.append(lexer.Awaited(delimiter, redirection, quoted=quoted))
        return redirection

    def whole_word(self) -> Word:
        """Reads a word where a line continuation in it, or a redirection after it, could change what it is."""
        if lexer.DESCRIPTOR.match(self.text, self.at):
            raise self.refuse("a number stands before `<` or `>` here")
        word = self.word()
        if "\\\n" in word.raw:
            raise self.refuse("a line continuation is inside a word of this command", word.span.start)
        return word
