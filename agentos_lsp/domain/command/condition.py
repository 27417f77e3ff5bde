"""The conditions of `[[ … ]]`.

Source: bash(1), CONDITIONAL EXPRESSIONS; parse.y of bash 5.2 (cond_term).
"""

from __future__ import annotations

import re

from agentos_lsp.domain.command import lexer, simple
from agentos_lsp.domain.command.syntax import Test, Text, Word

_REGULAR_EXPRESSION = re.compile(r"(?:[\w^.*+?/,:@%~={}-]|\[\^?[\w^.*+?/,:@%~=$-]+\]|\\[^\w\s'\"`$()]|\$(?=[ \t|)]))+")
_UNARY = frozenset(f"-{letter}" for letter in "abcdefghknoprstuvwxzGLNORS")
_BINARY = frozenset(("=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"))

# What takes its operands for arithmetic, or for a variable with a subscript.
_EVALUATED = frozenset(("-v", "-R", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"))
_SUBSCRIPT = re.compile(r"[\[$`]")


class ConditionReader(simple.SimpleReader):
    """Reads conditions."""

    __slots__ = ()

    def test(self) -> Test:
        """Reads `[[ … ]]` and its redirections; the cursor is on the brackets.

        Raises:
            OpaqueError: A condition in it is not one that we vouch for.
        """
        start = self.at
        self.at += 2
        if self.text[self.at : self.at + 1] not in (" ", "\t"):
            raise self.refuse("`[[` is not followed by a blank")
        words: list[Word] = []
        self._condition(words)
        if not self._is_end_of_test():
            raise self.refuse("`]]` is missing, or a condition is not one that we know")
        self.at += 2
        return Test(tuple(words), self.redirections(), self.span(start))

    def _is_end_of_test(self) -> bool:
        after = self.text[self.at + 2 : self.at + 3]
        return self.text.startswith("]]", self.at) and (after in lexer.META or not after)

    def _condition(self, words: list[Word]) -> None:
        """Reads conditions joined by `&&` and `||`; the cursor stops behind the blanks after them."""
        while True:
            self._term(words)
            self.skip_blanks()
            if self.operator() not in ("&&", "||"):
                return
            self.at += 2

    def _term(self, words: list[Word]) -> None:
        self.skip_lines()
        while self.reserved() == "!":
            self.at += 1
            if self.text[self.at : self.at + 1] not in (" ", "\t"):
                raise self.refuse("`!` is not followed by a blank")
            self.skip_blanks()
        if self.text.startswith("(", self.at):
            self.operator()
            self.at += 1
            self.descend()
            self._condition(words)
            self.depth -= 1
            if self.operator() != ")":
                raise self.refuse("a parenthesis in `[[` is not closed")
            self.at += 1
            return
        first = self._test_word()
        self.skip_blanks()
        if first.raw in _UNARY:
            words.append(self._test_word())
            if first.raw in _EVALUATED:
                self._check_plain(words[-1:])
        else:
            words.append(first)
            self._comparison(words)

    def _comparison(self, words: list[Word]) -> None:
        """Reads what follows the first word of a condition, if anything does."""
        evaluated = False
        if self.operator() in ("<", ">"):
            self.at += 1
        elif self.text.startswith("=~", self.at):
            self.at += 2
            if self.text[self.at : self.at + 1] not in (" ", "\t"):
                raise self.refuse("`=~` is not followed by a blank")
            self.skip_blanks()
            words.append(self._regular_expression())
            return
        elif self._is_end_of_test() or self.operator():
            return
        else:
            operator = self._test_word()
            if operator.raw not in _BINARY:
                raise self.refuse("an operator in `[[` is not one that we know", operator.span.start)
            evaluated = operator.raw in _EVALUATED
        self.skip_blanks()
        words.append(self._test_word())
        if evaluated:
            self._check_plain(words[-2:])

    def _check_plain(self, words: list[Word]) -> None:
        """Refuses text that bash would read again as arithmetic, in which a subscript may hold a substitution."""
        for word in words:
            if any(isinstance(part, Text) and _SUBSCRIPT.search(part.value) for part in word.parts):
                raise self.refuse("a condition evaluates text as arithmetic", word.span.start)

    def _test_word(self) -> Word:
        if self._is_end_of_test() or simple.ELEMENT.match(self.text, self.at) or self.reserved() == "!":
            raise self.refuse("a condition in `[[` is not one that we know")
        return self.whole_word()

    def _regular_expression(self) -> Word:
        start = self.at
        plain = _REGULAR_EXPRESSION.match(self.text, start)
        if plain is None:
            return self._test_word()
        self.at = plain.end()
        if self.text[self.at : self.at + 1] not in (" ", "\t"):
            raise self.refuse("a regular expression in `[[` is not a plain one", start)
        self.spend()
        return Word(plain.group(), (Text(plain.group(), quoted=True),), self.span(start))
