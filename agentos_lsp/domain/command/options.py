"""A small declarative reader of command-line options, shared by all families.

The only place that knows short bundles, abbreviated long options, attached values, `--` and options after operands.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown
from agentos_lsp.domain.command.value import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentos_lsp.domain.command.invocation import Argument


@value
class Rule:
    """One option of a program; `code` says what a family makes of it (see `rows`), empty for a harmless one."""

    name: str
    kind: Literal["flag", "value", "optional"]
    code: str


@value
class Grammar:
    """The options of a program, by letter and by long name.

    `numbers` accepts `-5`; `permutes` lets options follow operands; `words` means long options with one dash (`-name`).
    """

    shorts: Mapping[str, Rule]
    longs: Mapping[str, Rule]
    numbers: bool
    permutes: bool
    words: bool


@value
class Given:
    """An option that was given. `value` is None for a flag, and where a value is missing."""

    name: str
    code: str
    value: Argument | None


@value
class Parsed:
    """A command line, taken apart.

    `strange` are options that the grammar does not know. `unsure` tells that a word of unknown value may be an option,
    `globbed` that a pattern may match a file whose name is one.
    """

    given: tuple[Given, ...]
    operands: tuple[Argument, ...]
    strange: tuple[str, ...]
    unsure: bool
    globbed: bool

    def has(self, *names: str) -> bool:
        """Tells whether one of these options was given; names are canonical, the last of their group."""
        return any(option.name in names for option in self.given)

    def values(self, *names: str) -> tuple[Argument, ...]:
        """The values given to these options, in order."""
        return tuple(option.value for option in self.given if option.name in names and option.value is not None)


@functools.cache
def grammar(spec: str, *, permutes: bool = True, words: bool = False) -> Grammar:
    """Reads a description of options in the manner of a manual page.

    Groups are separated by blanks, spellings within a group by commas; the last spelling is the option's name.
    `-q,--quiet` is a flag; `-n,--lines=` takes a value; `-U,--unified?` takes one only if attached; letters after `=`,
    `?` or `!` (for a flag) are its code. `-abc` are three flags; `-#` stands for numbers such as `-5`.
    """
    shorts: dict[str, Rule] = {}
    longs: dict[str, Rule] = {}
    numbers = False
    for group in spec.split():
        if group == "-#":
            numbers = True
            continue
        text, kind, code = _kind(group)
        spellings = text.split(",")
        if len(spellings) == 1 and not text.startswith("--") and not words:
            for letter in text[1:]:
                shorts[letter] = Rule(f"-{letter}", kind, code)
            continue
        for spelling in spellings:
            if spelling.startswith("--") or words:
                longs[spelling.lstrip("-")] = Rule(spellings[-1], kind, code)
            else:
                shorts[spelling[1:]] = Rule(spellings[-1], kind, code)
    return Grammar(shorts, longs, numbers, permutes, words)


def parse(rules: Grammar, arguments: tuple[Argument, ...]) -> Parsed:
    """Takes arguments apart by a grammar; an ambiguous abbreviation counts as every option that it may be."""
    return _Reader(rules, arguments).read()


def may_be_option(argument: Argument) -> bool:
    """Tells whether an argument that is not certain could turn out to be an option."""
    match argument:
        case Known():
            return False
        case Glob(pattern, _):
            return pattern[:1] in "-*?["
        case Prefix(text, quoted):
            return text.startswith("-") or not quoted
        case Unknown():
            return True


def _kind(group: str) -> tuple[str, Literal["flag", "value", "optional"], str]:
    for mark, kind in (("=", "value"), ("?", "optional"), ("!", "flag")):
        text, found, code = group.partition(mark)
        if found:
            return text, kind, code  # type: ignore[return-value]  # the loop's tuple holds these three words only
    return group, "flag", ""


class _Reader:
    """Reads one command line, from left to right."""

    def __init__(self, rules: Grammar, arguments: tuple[Argument, ...]) -> None:
        self.rules = rules
        self.arguments = arguments
        self.at = 0
        self.given: list[Given] = []
        self.strange: list[str] = []
        self.unsure = False
        self.globbed = False

    def read(self) -> Parsed:
        operands: list[Argument] = []
        arguments = self.arguments
        while self.at < len(arguments):
            argument = arguments[self.at]
            self.at += 1
            if isinstance(argument, Known):
                text = argument.text
                if text == "--":
                    operands.extend(arguments[self.at :])
                    break
                if text.startswith("-") and text != "-":
                    self._option(text, None)
                    continue
            elif isinstance(argument, Prefix) and argument.text.startswith("-"):
                self._option(argument.text, argument)
                continue
            elif may_be_option(argument):
                self._note(argument)
            operands.append(argument)
            if not self.rules.permutes:
                operands.extend(arguments[self.at :])
                break
        return Parsed(tuple(self.given), tuple(operands), tuple(self.strange), self.unsure, self.globbed)

    def _note(self, argument: Argument) -> None:
        if isinstance(argument, Glob):
            self.globbed = True
        else:
            self.unsure = True

    def _option(self, text: str, open_ended: Prefix | None) -> None:
        """Reads one word that begins with a dash; `open_ended` is the word if only its beginning is certain."""
        if open_ended is not None and not open_ended.quoted:
            self.unsure = True
        if self.rules.numbers and text[1:].isdecimal() and open_ended is None:
            return
        if text.startswith("--") or self.rules.words:
            self._long(text, open_ended)
        else:
            self._bundle(text, open_ended)

    def _long(self, text: str, open_ended: Prefix | None) -> None:
        name, equals, attached = text.lstrip("-").partition("=")
        if not equals and open_ended is not None:
            self.unsure = True
            return
        longs = self.rules.longs
        exact = longs.get(name)
        if exact is not None:
            found = [exact]
        elif self.rules.words or not name:
            found = []
        else:
            found = list({longs[long].name: longs[long] for long in longs if long.startswith(name)}.values())
        if len(found) != 1:
            self.strange.append(text if open_ended is None else f"{text}…")
        value = _rest(attached, open_ended) if equals else None
        for rule in found:
            wants_next = value is None and rule.kind == "value" and len(found) == 1
            self.given.append(Given(rule.name, rule.code, self._next() if wants_next else value))

    def _bundle(self, text: str, open_ended: Prefix | None) -> None:
        for i, letter in enumerate(text[1:], start=2):
            rule = self.rules.shorts.get(letter)
            if rule is None:
                if not (self.rules.numbers and letter.isdecimal()) and f"-{letter}" not in self.strange:
                    self.strange.append(f"-{letter}")
                continue
            if rule.kind == "flag":
                self.given.append(Given(rule.name, rule.code, None))
                continue
            rest = _rest(text[i:], open_ended) if text[i:] or open_ended is not None else None
            if rest is None and rule.kind == "value":
                rest = self._next()
            self.given.append(Given(rule.name, rule.code, rest))
            return
        if open_ended is not None:
            self.unsure = True

    def _next(self) -> Argument | None:
        if self.at >= len(self.arguments):
            return None
        argument = self.arguments[self.at]
        self.at += 1
        if isinstance(argument, Glob) or (isinstance(argument, (Prefix, Unknown)) and not argument.quoted):
            # It may become none or several words, so what follows may not be what it seems.
            self._note(argument)
        return argument


def _rest(text: str, open_ended: Prefix | None) -> Argument:
    """The value attached to an option, as far as it is certain."""
    if open_ended is None:
        return Known(text)
    return Prefix(text, open_ended.quoted) if text else Unknown(open_ended.text, open_ended.quoted)
