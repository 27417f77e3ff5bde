"""The characters of a shell line: which are let in, and a cursor over them with blanks, operators and here-documents.

The only place that decides which characters a line may hold, and how long and how deep it may be.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.syntax import HereDocument, Redirection, Span, Text

if TYPE_CHECKING:
    from agentos_lsp.domain.command.syntax import WordPart

MOST_CHARACTERS = 65_536
MOST_PIECES = 3_000
DEEPEST = 24

META = frozenset(" \t\n;&|<>()")
RESERVED = frozenset(
    (
        *("if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "function"),
        *("select", "time", "coproc", "{", "}", "!", "[["),
    ),
)
REDIRECTIONS = frozenset(("<", ">", ">>", "<<", "<<-", "<<<", "<&", ">&", "<>", ">|", "&>", "&>>"))

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DESCRIPTOR = re.compile(r"([0-9]+)(?=[<>])")
_RESERVED_HERE = re.compile(
    r"(if|then|elif|else|fi|for|while|until|done|do|case|esac|in|function|select|time|coproc|\[\[|[{}!])"
    r"(?:(?=[ \t\n;&|()]|[<>](?!\()|\Z)|(\\\n))",
)
_OPERATOR = re.compile(r"&&|&>>|&>|&|\|\||\|&|\||;;&|;;|;&|;|<<<|<<-|<<|<&|<>|<|>>|>&|>\||>|\(|\)|\n")
_BLANKS = re.compile(r"(?:[ \t]+|\\\n)*+(?:#[^\n]*+)?")
_LINES = re.compile(r"[ \t\n]*+")
_CONTINUATIONS = re.compile(r"(?:\\\n)*+")
# What a longer operator could go on with: after a line continuation bash would still join them.
_EXTENDABLE = frozenset(("&", "|", ";", "<", ">", "<<", ";;", "&>", "("))
_GOES_ON = frozenset("&|;<>(-\\")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Format, control, surrogate, private separators and blanks; the names are Unicode's.
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zs", "Zl", "Zp"))
# Characters that are drawn as nothing or as a blank although their category says otherwise.
_DRAWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\uffa0\ufe00-\ufe0e\ufff0-\ufff8"
    "\U0001d159\U000e0000-\U000e0fff]",
)
# Emoji are joined and coloured by two characters that are invisible anywhere else.
_EMOJI_JOINT = re.compile("(?<=[\u00a9-\u00ae\u203c-\u3299\U0001f000-\U0001faff])\ufe0f|(?<=[#*0-9])\ufe0f(?=\u20e3)")
_EMOJI_JOINER = re.compile(
    "(?<=[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])",
)


class OpaqueError(Exception):
    """Ends the reading of a line that we do not vouch for; `grammar.parse` makes it a value."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(reason)
        self.reason = reason
        self.span = span


def unreadable(line: str) -> tuple[str, int] | None:
    """Finds the first reason in the characters alone not to read a line, and where; None if there is none."""
    if len(line) > MOST_CHARACTERS:
        return f"the line is longer than {MOST_CHARACTERS} characters", MOST_CHARACTERS
    found = _CONTROL.search(line)
    if found is not None:
        return _named("the control character", found.group()), found.start()
    if line.isascii():
        return None
    rest = _EMOJI_JOINER.sub("-", line) if "\u200d" in line else line
    rest = _EMOJI_JOINT.sub("-", rest) if "\ufe0f" in rest else rest
    strange = [
        character
        for character in set(rest)
        if character > "\x7f"
        and (
            unicodedata.category(character) in _INVISIBLE
            or character == "\ufe0f"
            or _DRAWN_AS_NOTHING.match(character) is not None
        )
    ]
    if not strange:
        return None
    at, character = min((rest.index(character), character) for character in strange)
    return _named("the invisible or look-alike character", character), at


def _named(what: str, character: str) -> str:
    name = unicodedata.name(character, "")
    return f"{what} U+{ord(character):04X}{' ' if name else ''}{name} is in the line"


class Budget:
    """How many pieces (words, parts, commands) the rest of a line may still hold, shared by all its readers."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_PIECES


class Awaited:
    """A here-document whose body has not been reached."""

    __slots__ = ("delimiter", "quoted", "redirection", "strips_tabs")

    def __init__(self, delimiter: str, redirection: Redirection, *, quoted: bool) -> None:
        self.delimiter = delimiter
        self.quoted = quoted
        self.redirection = redirection
        self.strips_tabs = redirection.operator == "<<-"


class Cursor(ABC):
    """A position in a text, and what is known there. It only moves forwards.

    `outer` is the span that stands for every position of a text that is not itself part of the line (the inside of
    backticks, the body of a here-document); None where positions are the line's own.
    """

    __slots__ = (
        *("at", "awaited", "budget", "depth", "has_document", "nested_at", "outer", "size", "substitutions", "text"),
    )

    def __init__(self, text: str, budget: Budget, depth: int = 0, outer: Span | None = None) -> None:
        self.text = text
        self.size = len(text)
        self.at = 0
        self.budget = budget
        self.depth = depth
        self.outer = outer
        self.awaited: list[Awaited] = []
        self.substitutions = 0
        # The depth of the innermost substitution, and whether a here-document began in it.
        self.nested_at = depth
        self.has_document = False

    def span(self, start: int) -> Span:
        """The span from `start` to the cursor."""
        return Span(start, self.at) if self.outer is None else self.outer

    def refuse(self, reason: str, start: int | None = None) -> OpaqueError:
        """Makes the error to raise for what is at the cursor, or began at `start`."""
        begin = self.at if start is None else start
        end = min(max(begin, self.at) + 1, self.size)
        return OpaqueError(reason, Span(min(begin, end), end) if self.outer is None else self.outer)

    def spend(self) -> None:
        """Counts one piece.

        Raises:
            OpaqueError: The line has too many.
        """
        self.budget.left -= 1
        if self.budget.left < 0:
            raise self.refuse(f"the line has more than {MOST_PIECES} words and commands")

    def descend(self) -> None:
        """Counts one level of nesting; the caller lowers `depth` again.

        Raises:
            OpaqueError: The line is too deep.
        """
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refuse(f"the line is nested more than {DEEPEST} levels deep")

    def skip_blanks(self) -> None:
        """Moves over blanks, line continuations and a comment; the cursor must be between tokens."""
        found = _BLANKS.match(self.text, self.at)
        self.at = found.end() if found is not None else self.at

    def skip_lines(self) -> None:
        """Moves over blanks, comments and newlines, reading the here-documents that are due."""
        while True:
            self.skip_blanks()
            if self.at >= self.size or self.text[self.at] != "\n":
                return
            self.newline()
            found = _LINES.match(self.text, self.at)
            self.at = found.end() if found is not None else self.at

    def operator(self) -> str:
        """Reads the operator at the cursor without moving; empty if there is none."""
        found = _OPERATOR.match(self.text, self.at)
        if found is None:
            return ""
        operator = found.group()
        if operator in _EXTENDABLE and self.text.startswith("\\\n", found.end()):
            after = _CONTINUATIONS.match(self.text, found.end())
            if after is not None and self.text[after.end() : after.end() + 1] in _GOES_ON:
                raise self.refuse("a line continuation is inside an operator")
        return operator

    def reserved(self) -> str:
        """Reads the reserved word at the cursor without moving; empty if there is none."""
        found = _RESERVED_HERE.match(self.text, self.at)
        if found is None:
            return ""
        if found.group(2):
            raise self.refuse(f"a line continuation follows the reserved word `{found.group(1)}`")
        return found.group(1)

    def newline(self) -> None:
        """Moves over a newline, and over the bodies of the here-documents that begin after it."""
        self.at += 1
        if self.awaited:
            due, self.awaited = self.awaited, []
            for awaited in due:
                self._document(awaited)

    def _document(self, awaited: Awaited) -> None:
        start = self.at
        lines: list[str] = []
        while True:
            if self.at >= self.size:
                raise self.refuse(f"the here-document that ends with `{awaited.delimiter}` has no end", start)
            line = self._document_line(joins=not awaited.quoted)
            if awaited.strips_tabs:
                line = line.lstrip("\t")
            if line == awaited.delimiter:
                break
            if self.substitutions and line.startswith(awaited.delimiter):
                # Source: make_cmd.c of bash 5.2 ends the document there if a `)` follows on the line; others do not.
                raise self.refuse("a line of a here-document begins like its end inside a substitution", start)
            lines.append(line)
        lines.append("")
        body = "\n".join(lines)
        document = HereDocument(self._document_parts(body, start, quoted=awaited.quoted), awaited.quoted)
        # The body comes after its command was read; until this line nobody else has seen the redirection.
        object.__setattr__(awaited.redirection, "document", document)

    def _document_line(self, *, joins: bool) -> str:
        """Reads one line of a body, without its newline; with `joins`, continued lines are one."""
        text = self.text
        joined: list[str] = []
        while True:
            end = text.find("\n", self.at)
            ended = end < 0
            line = text[self.at :] if ended else text[self.at : end]
            self.at = self.size if ended else end + 1
            if not joins or not line.endswith("\\") or (len(line) - len(line.rstrip("\\"))) % 2 == 0:
                break
            if ended:
                raise self.refuse("a here-document ends in a backslash")
            joined.append(line[:-1])
        if not joined:
            return line
        joined.append(line)
        return "".join(joined)

    def _document_parts(self, body: str, start: int, *, quoted: bool) -> tuple[WordPart, ...]:
        """Reads the expansions in the body of a here-document that began at `start`."""
        if quoted or ("$" not in body and "`" not in body and "\\" not in body):
            return (Text(body, quoted=True),)
        return self.expanded_parts(body, self.span(start))

    @abstractmethod
    def expanded_parts(self, body: str, outer: Span) -> tuple[WordPart, ...]:
        """Reads the text of a here-document in which expansions are performed."""
