"""What begins with a dollar, a backtick or `<(` in a shell line: parameters, substitutions and arithmetic.

What bash reads in a way that we are not certain of is refused here, not guessed.
Source: bash(1), EXPANSION; parse.y of bash 5.2 (read_token_word, parse_matched_pair).
"""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command.lexer import NAME, Cursor
from agentos_lsp.domain.command.syntax import Arithmetic, Parameter, ProcessSubstitution, Substitution, Text

if TYPE_CHECKING:
    from agentos_lsp.domain.command.syntax import Script, WordPart

_BACKTICK_RUN = re.compile(r"[^`\\]++")
_ANSI_RUN = re.compile(r"[^'\\]++")
_ANSI_ESCAPE = re.compile(r"""\\(?:([abeEfnrtv\\'"?])|([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4}))""")
_ANSI = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NAMED = re.compile(r"(#?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*])(\[(?:[@*]|-?[0-9]+|\$?[A-Za-z_][A-Za-z0-9_]*)\])?")
_SPECIAL = re.compile(r"([#?$!-])\}")
_OPERATION = re.compile(r":?[-+?]|##?|%%?|//?|\^\^?|,,?|@[QUuLa](?=\})|:(?!=)")
_OPERATION_RUN = re.compile(r"""[^'"\\`${}()\n<>]++""")
_OPERATION_ESCAPE = re.compile(r"""\\[^$`'"{}()<>\n]""")
_OFFSET = re.compile(r"[ \t]*(?:[0-9A-Za-z_]+|-[0-9]+)?(?:[ \t]*[-+*][ \t]*[0-9A-Za-z_]+)*[ \t]*\Z")
_INERT = re.compile(r"[^'\"\\`${}\n]*+")
_ARITHMETIC_RUN = re.compile(r"(?:[\w \t+\-*/%<>=!&|^~?:,\[\]]|(?<=[0-9])#(?=\w))++")


class Parts:
    """The parts of a word as they are found; neighbouring characters of the same kind become one `Text`."""

    __slots__ = ("cursor", "found", "pieces", "quoted")

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.found: list[WordPart] = []
        self.pieces: list[str] = []
        self.quoted = False

    def text(self, value: str, *, quoted: bool) -> None:
        """Adds characters."""
        if quoted is not self.quoted:
            self.close()
            self.quoted = quoted
        self.pieces.append(value)

    def part(self, part: WordPart) -> None:
        """Adds an expansion."""
        self.close()
        self.cursor.spend()
        self.found.append(part)

    def close(self) -> None:
        """Ends a run of characters of the same kind."""
        if self.pieces:
            self.cursor.spend()
            self.found.append(Text("".join(self.pieces), self.quoted))
            self.pieces = []

    def finish(self) -> tuple[WordPart, ...]:
        """Gives all parts."""
        self.close()
        return tuple(self.found)


class ExpansionReader(Cursor):
    """Reads expansions; the scripts inside them are read by the grammar, which extends this class."""

    __slots__ = ()

    @abstractmethod
    def script(self, closing: str = "", stops: frozenset[str] = frozenset()) -> Script:
        """Reads a list of commands up to `closing`, a word of `stops` or the end of the text."""

    def whole(self) -> Script:
        """Reads the whole text as a script.

        Raises:
            OpaqueError: Something in it is not vouched for, or is left over.
        """
        script = self.script()
        if self.awaited:
            raise self.refuse(f"the here-document that ends with `{self.awaited[0].delimiter}` has no body")
        return script

    def dollar(self, parts: Parts, *, quoted: bool) -> None:
        """Reads what begins with a dollar sign."""
        text = self.text
        at = self.at
        following = text[at + 1 : at + 2]
        name = NAME.match(text, at + 1)
        if name is not None:
            self.at = name.end()
            self._not_continued()
            parts.part(Parameter(name.group(), "", quoted))
        elif following == "(" and text.startswith("((", at + 1):
            self.at += 3
            expression, scripts = self.arithmetic()
            parts.part(Arithmetic(expression, quoted, scripts))
        elif following == "(":
            parts.part(Substitution(self.inside(2), quoted))
        elif following == "{":
            parts.part(self._braced(quoted=quoted))
        elif following and following in "0123456789@*#?$!-":
            self.at += 2
            parts.part(Parameter(following, "", quoted))
        elif following == "'" and not quoted:
            parts.text(self._ansi(), quoted=True)
        elif following == '"' and not quoted:
            raise self.refuse('a translated string `$"…"` depends on where it runs')
        elif following == "[":
            raise self.refuse("`$[…]` is an obsolete form of arithmetic")
        elif following == "\\" and text.startswith("\n", at + 2):
            raise self.refuse("a line continuation follows a dollar sign")
        else:
            self.at += 1
            parts.text("$", quoted=True)

    def _not_continued(self) -> None:
        if self.text.startswith("\\\n", self.at):
            raise self.refuse("a line continuation follows the name of a variable")

    def inside(self, opening: int) -> Script:
        """Reads the script of a substitution whose `opening` characters are at the cursor, and its end."""
        start = self.at
        self.at += opening
        if self.text.startswith("\\\n", self.at):
            # After it, a second parenthesis would still make arithmetic of `$(`.
            raise self.refuse("a line continuation follows the beginning of a substitution")
        self.descend()
        self.substitutions += 1
        nested_at, self.nested_at = self.nested_at, self.depth
        has_document, self.has_document = self.has_document, False
        awaited, self.awaited = self.awaited, []
        script = self.script(closing=")")
        if self.awaited:
            raise self.refuse("the body of a here-document would begin outside its substitution", start)
        self.awaited = awaited
        self.nested_at = nested_at
        self.has_document = has_document
        if not self.text.startswith(")", self.at):
            raise self.refuse("a substitution is not closed", start)
        self.at += 1
        self.substitutions -= 1
        self.depth -= 1
        return script

    def backticks(self, *, quoted: bool) -> Substitution:
        """Reads a command substitution in backticks; its script is a text of its own, once the backslashes are read."""
        start = self.at
        text = self.text
        self.at += 1
        pieces: list[str] = []
        while True:
            run = _BACKTICK_RUN.match(text, self.at)
            if run is not None:
                pieces.append(run.group())
                self.at = run.end()
            if self.at >= self.size:
                raise self.refuse("a backtick is not closed", start)
            if text[self.at] == "`":
                self.at += 1
                break
            following = text[self.at + 1 : self.at + 2]
            if following in ("\n", '"') and (following == "\n" or quoted):
                raise self.refuse("a backslash inside backticks stands before a newline or a quote")
            pieces.append(following if following in ("$", "`", "\\") else "\\" + following)
            self.at += 2
        inner = type(self)("".join(pieces), self.budget, self.depth, self.span(start))
        inner.descend()
        return Substitution(inner.whole(), quoted)

    def _ansi(self) -> str:
        """Reads `$'…'`; only escapes that mean the same character under every locale."""
        start = self.at
        text = self.text
        self.at += 2
        pieces: list[str] = []
        while self.at < self.size:
            run = _ANSI_RUN.match(text, self.at)
            if run is not None:
                pieces.append(run.group())
                self.at = run.end()
                continue
            if text[self.at] == "'":
                self.at += 1
                return "".join(pieces)
            escape = _ANSI_ESCAPE.match(text, self.at)
            if escape is None:
                raise self.refuse("an escape in `$'…'` is not one that we know")
            letter, octal, short, long = escape.groups()
            if letter is not None:
                pieces.append(_ANSI.get(letter, letter))
            else:
                code = int(octal, 8) if octal is not None else int(short or long, 16)
                if not 1 < code < 0x7F:  # bash uses 1 and 127 as marks inside words.
                    raise self.refuse("an escape in `$'…'` is not an ASCII character")
                pieces.append(chr(code))
            self.at = escape.end()
        raise self.refuse("a `$'` is not closed", start)

    def _braced(self, *, quoted: bool) -> Parameter:
        """Reads `${…}`."""
        start = self.at
        text = self.text
        special = _SPECIAL.match(text, start + 2)
        if special is not None:
            self.at = special.end()
            return Parameter(special.group(1), "", quoted)
        head = _NAMED.match(text, start + 2)
        if head is None:
            reason = (
                "`${!…}` reads a variable whose name is computed"
                if text.startswith("!", start + 2)
                else "this form of `${…}` is not one that we know"
            )
            raise self.refuse(reason, start)
        length, name, subscript = head.groups()
        self.at = head.end()
        if text.startswith("}", self.at):
            self.at += 1
            return Parameter(length + name, subscript or "", quoted)
        operation = _OPERATION.match(text, self.at)
        if operation is None or length:
            assigns = text.startswith(("=", ":="), self.at)
            raise self.refuse(
                "`${name:=…}` assigns a variable" if assigns else "this operation in `${…}` is not one that we know",
                start,
            )
        begin = self.at
        self.at = operation.end()
        self.descend()
        scripts = self._operand(quoted=quoted)
        self.depth -= 1
        written = (subscript or "") + text[begin : self.at]
        if operation.group() == ":" and not all(_OFFSET.match(s) for s in text[begin + 1 : self.at].split(":", 1)):
            raise self.refuse("an offset in `${name:…}` is not a plain one", begin)
        self.at += 1
        return Parameter(name, written, quoted, scripts)

    def _operand(self, *, quoted: bool) -> tuple[Script, ...]:  # noqa: C901 - one arm per kind of character
        """Moves to the brace that ends `${…}`, reading the expansions on the way."""
        text = self.text
        start = self.at
        parts = Parts(self)
        in_quotes = False
        while True:
            run = _OPERATION_RUN.match(text, self.at)
            if run is not None:
                self.at = run.end()
            if self.at >= self.size:
                raise self.refuse("a `${` is not closed", start)
            character = text[self.at]
            if character == "}" and not in_quotes:
                break
            if character == '"':
                in_quotes = not in_quotes
                self.at += 1
            elif character == "$" and text[self.at + 1 : self.at + 2] not in ("'", '"', "[", "}", "\\", ""):
                self.dollar(parts, quoted=True)
            elif character == "`":
                raise self.refuse("backticks are inside `${…}`")
            elif character == "'" and not quoted and not in_quotes:
                # A text without anything special inside ends at the same place whether the quote counts or not.
                inert = _INERT.match(text, self.at + 1)
                if inert is None or not text.startswith("'", inert.end()):
                    raise self.refuse("the quotes inside `${…}` are not plain ones")
                self.at = inert.end() + 1
            elif character == "\\" and _OPERATION_ESCAPE.match(text, self.at):
                self.at += 2
            else:
                raise self.refuse(f"`{character}` inside `${{…}}` is not one that we vouch for")
        return self._scripts(parts, start)

    def arithmetic(self) -> tuple[str, tuple[Script, ...]]:
        """Reads an arithmetic expression whose `((` was read, and the `))` that ends it."""
        text = self.text
        start = self.at
        parts = Parts(self)
        open_parentheses = 0
        self.descend()
        while True:
            run = _ARITHMETIC_RUN.match(text, self.at)
            if run is not None:
                self.at = run.end()
            character = text[self.at : self.at + 1]
            if character == "(" and text[self.at - 1] not in "<>":
                open_parentheses += 1
                self.at += 1
            elif character == ")" and open_parentheses:
                open_parentheses -= 1
                self.at += 1
            elif character == ")" and text.startswith("))", self.at):
                break
            elif character == "$" and text[self.at + 1 : self.at + 2] not in ("'", '"', "[", "\\", " ", ""):
                self.dollar(parts, quoted=True)
            else:
                raise self.refuse("this arithmetic is not plain, or is a command in two parentheses", start)
        self.depth -= 1
        expression = text[start : self.at]
        self.at += 2
        return expression, self._scripts(parts, start)

    def _scripts(self, parts: Parts, start: int) -> tuple[Script, ...]:
        """The scripts of expansions that were read for their sake."""
        scripts: list[Script] = []
        for part in parts.finish():
            match part:
                case Substitution(script):
                    scripts.append(script)
                case Parameter() | Arithmetic():
                    scripts.extend(part.scripts)
                case Text() | ProcessSubstitution():
                    raise self.refuse("a lone dollar sign is inside an expansion", start)
                case _:
                    assert_never(part)
        return tuple(scripts)
