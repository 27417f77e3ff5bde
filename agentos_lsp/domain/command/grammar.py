"""The strict shell grammar: a line becomes a tree of commands, or one `Opaque` that says why not.

It models the part of bash that we vouch for, and fails closed: whatever bash might read in another way is refused.
`tests/fuzz` holds it against the real bash. It does not follow what changes the grammar while a line runs
(`shopt -s extglob`, `alias`): those are commands that the classifier must see.
Source: parse.y of bash 5.2; bash(1), SHELL GRAMMAR.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.command import lexer
from agentos_lsp.domain.command.condition import ConditionReader
from agentos_lsp.domain.command.syntax import (
    AndOr,
    Arithmetic,
    Case,
    For,
    Function,
    Group,
    If,
    Loop,
    Opaque,
    Pipeline,
    Script,
    Span,
    Subshell,
    Test,
    Word,
)

if TYPE_CHECKING:
    from agentos_lsp.domain.command.syntax import Command

_FUNCTION = re.compile(r"([A-Za-z_][\w.:-]*)[ \t]*\([ \t]*\)")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][\w.:-]*(?=[ \t\n(])")
_NO_PARAMETERS = re.compile(r"[ \t]*\([ \t]*\)")


_NOTHING: frozenset[str] = frozenset()
_THEN = frozenset(("then",))
_DO = frozenset(("do",))
_DONE = frozenset(("done",))
_CLOSE = frozenset(("}",))
_BRANCH = frozenset(("elif", "else", "fi"))
_FI = frozenset(("fi",))
_ARM = frozenset(("esac", ";;"))
_ARM_ENDS = (";;&", ";;", ";&")


def parse(line: str) -> Script | Opaque:
    """Reads a shell line; an empty one, or one of comments alone, is a script without items. Never raises.

    The time it takes grows with the length of the line: what is too long, too deep or too rich is refused.
    """
    stopped = lexer.unreadable(line)
    if stopped is not None:
        reason, at = stopped
        return Opaque(reason, Span(at, min(at + 1, len(line))))
    try:
        return _Parser(line, lexer.Budget()).whole()
    except lexer.OpaqueError as error:
        return Opaque(error.reason, error.span)
    except RecursionError:
        # The caller's own stack is nearly full: the depth is bounded, so it cannot be the line alone.
        return Opaque("there is no room left to read the line", Span(0, len(line)))


class _Parser(ConditionReader):
    """Reads commands by recursive descent."""

    __slots__ = ()

    def script(self, closing: str = "", stops: frozenset[str] = _NOTHING) -> Script:
        items: list[AndOr] = []
        self.skip_lines()
        while self.at < self.size and not self._is_end(closing, stops):
            start = self.at
            if self.has_document and self.substitutions:
                # Source: bash 5.2 runs what it printed of a substitution, and forgets the `;` behind a here-document.
                raise self.refuse("a command follows a here-document inside a substitution")
            pipelines, operators = self._and_or()
            span = pipelines[0].span if len(pipelines) == 1 else self._between(start, pipelines[-1].span)
            operator = self.operator()
            items.append(AndOr(pipelines, operators, operator == "&", span))
            if operator in (";", "&"):
                self.at += 1
                self.skip_lines()
            elif operator == "\n":
                self.skip_lines()
            elif self.at < self.size and not self._is_operator_end(operator, closing, stops):
                raise self.refuse(f"`{operator or self.text[self.at]}` is not expected here")
            else:
                break
        return Script(tuple(items))

    def _is_end(self, closing: str, stops: frozenset[str]) -> bool:
        if closing and self.text[self.at] == closing:
            return True
        if not stops:
            return False
        return self.reserved() in stops or (";;" in stops and self.text.startswith((";;", ";&"), self.at))

    @staticmethod
    def _is_operator_end(operator: str, closing: str, stops: frozenset[str]) -> bool:
        return (closing != "" and operator == closing) or (operator in _ARM_ENDS and ";;" in stops)

    def _and_or(self) -> tuple[tuple[Pipeline, ...], tuple[Literal["&&", "||"], ...]]:
        first = self._pipeline()
        self.skip_blanks()
        operator = self.operator()
        if operator not in ("&&", "||"):
            return (first,), ()
        pipelines = [first]
        operators: list[Literal["&&", "||"]] = []
        while operator in ("&&", "||"):
            operators.append("&&" if operator == "&&" else "||")
            self.at += 2
            self.skip_lines()
            pipelines.append(self._pipeline())
            self.skip_blanks()
            operator = self.operator()
        return tuple(pipelines), tuple(operators)

    def _pipeline(self) -> Pipeline:
        start = self.at
        negated = timed = False
        while True:
            self.spend()
            match self.reserved():
                case "!":
                    negated = not negated
                    self.at += 1
                    if self.text.startswith(("(", "<", ">"), self.at):
                        raise self.refuse("`!` stands right before a parenthesis or a redirection")
                    self.skip_blanks()
                case "time":
                    timed = True
                    self.at += 4
                    self.skip_blanks()
                    if self.text.startswith(("-p ", "-p\t"), self.at):
                        self.at += 2
                        self.skip_blanks()
                    if self.text.startswith(("-", "<", ">", "&", "("), self.at) or lexer.DESCRIPTOR.match(
                        self.text, self.at
                    ):
                        raise self.refuse("what follows `time` is not a plain command")
                case _:
                    break
        first = self._command()
        self.skip_blanks()
        operator = self.operator()
        if operator not in ("|", "|&"):
            return Pipeline((first,), negated, timed, self._between(start, first.span))
        commands = [first]
        while operator in ("|", "|&"):
            self.at += len(operator)
            self.skip_lines()
            commands.append(self._command())
            self.skip_blanks()
            operator = self.operator()
        return Pipeline(tuple(commands), negated, timed, self._between(start, commands[-1].span))

    def _between(self, start: int, last: Span) -> Span:
        """The span from `start` to the end of `last`."""
        return last if last.start == start or self.outer is not None else Span(start, last.end)

    def _command(self) -> Command:  # noqa: C901 - one arm per kind of command
        self.spend()
        start = self.at
        if start >= self.size:
            raise self.refuse("a command is missing")
        if self.text[start] == "(":
            return self._parenthesised()
        word = self.reserved()
        match word:
            case "":
                return self._simple_or_function()
            case "{":
                self.at += 1
                body = self._body(_CLOSE)
                self._keyword("}")
                return Group(body, self.redirections(), self.span(start))
            case "if":
                return self._if()
            case "while" | "until":
                self.at += 5
                condition = self._body(_DO)
                body = self._loop_body()
                return Loop(
                    "while" if word == "while" else "until", condition, body, self.redirections(), self.span(start)
                )
            case "for":
                return self._for()
            case "case":
                return self._case()
            case "[[":
                return self.test()
            case "function":
                return self._function_keyword()
            case "select" | "coproc":
                raise self.refuse(f"`{word}` is not one of the commands that we vouch for")
            case _:
                raise self.refuse(f"the reserved word `{word}` is not expected here")

    # Compound commands.

    def _body(self, stops: frozenset[str]) -> Script:
        """Reads a list that must not be empty, nested one level, up to one of the words `stops`."""
        self.descend()
        script = self.script(stops=stops)
        self.depth -= 1
        if not script.items:
            raise self.refuse("a command is missing")
        if self.reserved() not in stops:
            raise self.refuse(f"`{'` or `'.join(sorted(stops))}` is missing")
        return script

    def _keyword(self, word: str) -> None:
        self.skip_lines()
        if self.reserved() != word:
            raise self.refuse(f"`{word}` is missing")
        self.at += len(word)

    def _loop_body(self) -> Script:
        self._keyword("do")
        body = self._body(_DONE)
        self._keyword("done")
        return body

    def _parenthesised(self) -> Command:
        start = self.at
        self.operator()
        if self.text.startswith("((", start):
            self.at += 2
            expression, scripts = self.arithmetic()
            word = Word(
                self.text[start : self.at], (Arithmetic(expression, quoted=True, scripts=scripts),), self.span(start)
            )
            return Test((word,), self.redirections(), self.span(start))
        self.at += 1
        self.descend()
        body = self.script(closing=")")
        self.depth -= 1
        if not self.text.startswith(")", self.at):
            raise self.refuse("a parenthesis is not closed", start)
        if not body.items:
            raise self.refuse("a command is missing")
        self.at += 1
        return Subshell(body, self.redirections(), self.span(start))

    def _if(self) -> If:
        start = self.at
        self.at += 2
        branches: list[tuple[Script, Script]] = []
        otherwise: Script | None = None
        condition = self._body(_THEN)
        while True:
            self._keyword("then")
            branches.append((condition, self._body(_BRANCH)))
            match self.reserved():
                case "elif":
                    self.at += 4
                    condition = self._body(_THEN)
                case "else":
                    self.at += 4
                    otherwise = self._body(_FI)
                    break
                case _:
                    break
        self._keyword("fi")
        return If(tuple(branches), otherwise, self.redirections(), self.span(start))

    def _for(self) -> For:
        start = self.at
        self.at += 3
        self.skip_blanks()
        name = lexer.NAME.match(self.text, self.at)
        if name is None or name.group() in lexer.RESERVED:
            raise self.refuse("`for` is not followed by the plain name of a variable")
        self.at = name.end()
        if self.text[self.at : self.at + 1] not in (" ", "\t", "\n", ";"):
            raise self.refuse("`for` is not followed by the plain name of a variable")
        self.skip_blanks()
        words: tuple[Word, ...] | None = None
        if self.operator() == ";":
            self.at += 1
        else:
            self.skip_lines()
            if self.reserved() == "in":
                self.at += 2
                words = self._for_words()
        body = self._loop_body()
        return For(name.group(), words, body, self.redirections(), self.span(start))

    def _for_words(self) -> tuple[Word, ...]:
        words: list[Word] = []
        while True:
            self.skip_blanks()
            operator = self.operator()
            if operator == ";":
                self.at += 1
                return tuple(words)
            if operator == "\n":
                return tuple(words)
            words.append(self.whole_word())

    def _case(self) -> Case:
        start = self.at
        self.at += 4
        self.skip_blanks()
        subject = self.whole_word()
        self._keyword("in")
        arms: list[tuple[tuple[Word, ...], Script]] = []
        self.descend()
        while True:
            self.skip_lines()
            if self.reserved() == "esac":
                self.at += 4
                break
            if self.text.startswith("(", self.at):
                self.operator()
                self.at += 1
            patterns = self._patterns()
            body = self.script(stops=_ARM)
            arms.append((patterns, body))
            operator = self.operator()
            if operator in _ARM_ENDS:
                self.at += len(operator)
            elif self.reserved() != "esac":
                raise self.refuse("`;;` or `esac` is missing")
        self.depth -= 1
        return Case(subject, tuple(arms), self.redirections(), self.span(start))

    def _patterns(self) -> tuple[Word, ...]:
        patterns: list[Word] = []
        while True:
            self.skip_blanks()
            if self.reserved():
                raise self.refuse("a pattern of `case` is a reserved word")
            patterns.append(self.whole_word())
            self.skip_blanks()
            match self.operator():
                case "|":
                    self.at += 1
                case ")":
                    self.at += 1
                    return tuple(patterns)
                case _:
                    raise self.refuse("`)` is missing after a pattern of `case`")

    # Functions.

    def _simple_or_function(self) -> Command:
        start = self.at
        head = _FUNCTION.match(self.text, start)
        if head is None:
            return self.simple()
        self.at = head.end()
        return self._function(head.group(1), start)

    def _function_keyword(self) -> Function:
        start = self.at
        self.at += 8
        self.skip_blanks()
        name = _FUNCTION_NAME.match(self.text, self.at)
        if name is None:
            raise self.refuse("`function` is not followed by a plain name")
        self.at = name.end()
        mark = _NO_PARAMETERS.match(self.text, self.at)
        if mark is not None:
            self.at = mark.end()
        self.skip_blanks()
        if mark is None and self.text.startswith("(", self.at):
            raise self.refuse("the body of this function is in parentheses")
        return self._function(name.group(), start)

    def _function(self, name: str, start: int) -> Function:
        """Reads the body of a function; the cursor is behind its head."""
        if name in lexer.RESERVED:
            raise self.refuse("a function is named like a reserved word", start)
        self.skip_lines()
        if self.reserved() not in ("{", "if", "while", "until", "for", "case", "[[") and not self.text.startswith(
            "(", self.at
        ):
            raise self.refuse("the body of a function is not a compound command")
        self.descend()
        body = self._command()
        self.depth -= 1
        return Function(name, body, self.span(start))
