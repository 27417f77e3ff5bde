"""Words of a line, resolved as far as they are certain: quotes, tilde, braces, variables, patterns, arithmetic.

The only place that turns a parsed word into arguments. A value that is not certain is marked so, never guessed.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, assert_never

from agentos_lsp.domain.command import arithmetic, braces, outputs, paths
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown
from agentos_lsp.domain.command.syntax import (
    Arithmetic,
    Parameter,
    ProcessSubstitution,
    Simple,
    Substitution,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.scope import Scope
    from agentos_lsp.domain.command.syntax import HereDocument, Script, Word, WordPart

_SPECIAL = re.compile(r"[*?\[{~]")
_BLANKS = re.compile(r"[ \t\n]+")
# `dd of=~/x`: bash expands a tilde after what looks like an assignment.
_LIKE_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# `${x:-1}` is no slice.
_SLICE = re.compile(r":(?:\s*([0-9]+)|\s+(-[0-9]+))\s*(?::\s*(-?[0-9]+))?\s*\Z")
_PLAIN = re.compile(r"[\w ./:@%+=,~-]*\Z")
# Source: bash(1), Special Parameters: exit status, count of positional parameters, process ids.
_NUMBERS = frozenset("?#$!")
_PATTERN = re.compile(r"(?:##?|%%?)[\w ./:@+,~*?-]{1,64}\Z")
_LINES = re.compile(r"\n+\Z")


class _Bit(NamedTuple):
    """A piece of a field: text that is quoted or bare, a name that a pattern matched, a hole, or a border of fields."""

    kind: Literal["quoted", "bare", "name", "quoted hole", "bare hole", "border"]
    text: str


_BORDER = _Bit("border", "")


def resolve(word: Word, scope: Scope) -> tuple[Argument, ...]:
    """Says which arguments a word becomes: none, one or several."""
    parts = word.parts
    if len(parts) == 1:
        part = parts[0]
        if isinstance(part, Text) and (part.quoted or _SPECIAL.search(part.value) is None):
            return (Known(part.value),)
    found: list[Argument] = []
    for expanded in _braced(parts, found):
        found.extend(_fields(expanded, word.raw, scope, splits=True))
        if any(isinstance(part, Parameter) and part.operation for part in expanded):
            # A variable that nobody knows may be unset, so what stands in for it counts as well.
            found.extend(_otherwise(expanded, word.raw, scope, found))
    if found and scope.surroundings.shell != "bash" and any(_has_brace(part) for part in parts):
        # Other shells may leave braces alone.
        found.append(Unknown(word.raw, quoted=True))
    return tuple(found)


def value(word: Word | None, scope: Scope) -> Argument:
    """Resolves the value of an assignment, or another word that stays one: no braces, no splitting, no patterns."""
    if word is None:
        return Known("")
    found = _fields(word.parts, word.raw, scope, splits=False)
    if len(found) == 1:
        return found[0]
    return Known("") if not found else Unknown(word.raw, quoted=True)


def one(word: Word, scope: Scope) -> Argument:
    """Resolves a redirection's target: it must become exactly one word."""
    found = resolve(word, scope)
    return found[0] if len(found) == 1 else Unknown(word.raw, quoted=True)


def template(parts: Iterable[WordPart], scope: Scope) -> str:
    """Writes parts out as text for another reader, each hole as a variable that nobody knows."""
    bits = _bits(tuple(parts), scope, splits=False)
    return "".join(bit.text if bit.kind in ("quoted", "bare") else "${_}" for bit in bits)


def document(found: HereDocument, scope: Scope) -> str | None:
    """The text of a here-document; None if it is not certain."""
    bits = _bits(found.parts, scope, splits=False)
    if any(bit.kind not in ("quoted", "bare") for bit in bits):
        return None
    return "".join(bit.text for bit in bits)


def scripts(parts: Iterable[WordPart]) -> list[Script]:
    """The scripts that run while parts are expanded."""
    found: list[Script] = []
    for part in parts:
        match part:
            case Text():
                pass
            case Substitution(script) | ProcessSubstitution(script):
                found.append(script)
            case Parameter() | Arithmetic():
                found.extend(part.scripts)
            case _:
                assert_never(part)
    return found


def is_computed(word: Word) -> bool:
    """Tells whether a word holds what is known only when the line runs: a substitution, or arithmetic with variables.

    What a program reads from `<(…)` is no part of its words.
    """
    return any(
        isinstance(part, (Substitution, Arithmetic))
        or (isinstance(part, ProcessSubstitution) and part.direction != "<")
        for part in word.parts
    )


def is_spoken(word: Word, scope: Scope) -> bool:
    """Tells whether nothing in a word is unknown but the output of commands, which are judged by themselves."""
    for part in word.parts:
        if isinstance(part, Parameter):
            values = None if part.operation else scope.lookup(part.name)
            certain = (Known, Glob) if part.quoted else Known
            if values is None or not all(isinstance(found, certain) for found in values):
                return False
    return True


def output(script: Script, scope: Scope) -> str | None:
    """What a script certainly prints, for `$(echo rm)` and for `echo rm | sh`; None if that is not certain."""
    if len(script.items) != 1 or len(script.items[0].pipelines) != 1:
        return None
    text: str | None = None
    for command in script.items[0].pipelines[0].commands:
        if not isinstance(command, Simple) or command.assignments:
            return None
        arguments = [argument for word in command.words for argument in resolve(word, scope)]
        stdin = text
        for redirection in command.redirections:
            if redirection.document is not None:
                stdin = document(redirection.document, scope)
            elif redirection.operator == "<<<":
                fed = value(redirection.target, scope)
                stdin = f"{fed.text}\n" if isinstance(fed, Known) else None
            elif redirection.operator not in ("2>", ">&") and redirection.descriptor != 2:
                return None
        text = outputs.printed(arguments, stdin, scope)
        if text is None:
            return None
    return text


def _has_brace(part: WordPart) -> bool:
    return isinstance(part, Text) and not part.quoted and "{" in part.value and part.value != "{}"


def _braced(parts: tuple[WordPart, ...], found: list[Argument]) -> list[tuple[WordPart, ...]]:
    if not any(_has_brace(part) for part in parts):
        return [parts]
    try:
        return braces.expand(parts)
    except braces.TooManyError:
        first = parts[0]
        start = first.value.partition("{")[0] if isinstance(first, Text) else ""
        found.append(Prefix(start, quoted=False) if start else Unknown("{…}", quoted=False))
        return []


def _fields(parts: tuple[WordPart, ...], raw: str, scope: Scope, *, splits: bool) -> list[Argument]:
    found: list[Argument] = []
    field: list[_Bit] = []
    for bit in _bits(parts, scope, splits=splits):
        if bit.kind != "border":
            field.append(bit)
        elif field:
            found.append(_finished(field, raw))
            field = []
    if field:
        found.append(_finished(field, raw))
    return found


def _otherwise(parts: tuple[WordPart, ...], raw: str, scope: Scope, found: list[Argument]) -> list[Argument]:
    """What a word becomes when unknown variables are unset, if that is something else."""
    unset = scope.copy()
    unset.unset = True
    return [argument for argument in _fields(parts, raw, unset, splits=True) if argument not in found]


def _finished(field: list[_Bit], raw: str) -> Argument:
    """Makes one field an argument."""
    wild = _is_pattern(field)
    hole = next((i for i, bit in enumerate(field) if bit.kind.endswith("hole")), None)
    if hole is None and not wild:
        return Known("".join(bit.text for bit in field))
    if hole is None:
        pattern = "".join(bit.text if bit.kind in ("bare", "name") else _escaped(bit.text) for bit in field)
        fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
        return Glob(pattern, fixed.rpartition("/")[0] + ("/" if fixed.startswith("/") and "/" not in fixed[1:] else ""))
    quoted = not any(bit.kind == "bare hole" for bit in field)
    before = field[:hole]
    start = "".join(bit.text for bit in before)
    if _is_pattern(before):
        folder, slash, _ = re.split(r"[*?\[]", start, maxsplit=1)[0].rpartition("/")
        start = folder + slash
    return Prefix(start, quoted) if start else Unknown(raw, quoted)


def _is_pattern(field: list[_Bit]) -> bool:
    bare = "".join(bit.text for bit in field if bit.kind in ("bare", "name"))
    if "*" in bare or "?" in bare:
        return True
    opened = bare.find("[")
    return opened >= 0 and "]" in bare[opened + 1 :]


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _bits(  # noqa: C901 - one arm per kind of part
    parts: tuple[WordPart, ...], scope: Scope, *, splits: bool
) -> list[_Bit]:
    bits: list[_Bit] = []
    for i, part in enumerate(parts):
        match part:
            case Text(value=text, quoted=quoted):
                if not quoted and "~" in text:
                    text = _tilde(text, scope, bits, first=i == 0, more=i + 1 < len(parts))
                if text or quoted:
                    bits.append(_Bit("quoted" if quoted or not splits else "bare", text))
            case Parameter():
                _parameter(part, scope, bits, splits=splits)
            case Substitution(script, quoted):
                printed = output(script, scope)
                if printed is None:
                    bits.append(_hole(quoted=quoted or not splits))
                else:
                    _add_printed(bits, _LINES.sub("", printed), splits=splits and not quoted)
            case ProcessSubstitution(_, "<"):
                bits.append(_Bit("quoted", paths.FED))
            case ProcessSubstitution():
                bits.extend((_Bit("quoted", "/dev/fd/"), _hole(quoted=True)))
            case Arithmetic(expression, _, _):
                number = arithmetic.value(expression)
                bits.append(_hole(quoted=True) if number is None else _Bit("quoted", str(number)))
            case _:
                assert_never(part)
    return bits


def _hole(*, quoted: bool) -> _Bit:
    return _Bit("quoted hole" if quoted else "bare hole", "")


def _tilde(text: str, scope: Scope, bits: list[_Bit], *, first: bool, more: bool) -> str:
    """Expands a tilde at the beginning of a word, or of what looks like an assignment; gives back the rest."""
    start = 0
    if not first:
        return text
    if not text.startswith("~"):
        match = _LIKE_ASSIGNMENT.match(text)
        if match is None or text[match.end() : match.end() + 1] != "~":
            return text
        start = match.end()
        bits.append(_Bit("bare", text[:start]))
    name, slash, rest = text[start + 1 :].partition("/")
    if not slash and more:
        # What follows is quoted or expanded, so bash leaves the tilde alone.
        return text[start:]
    match name:
        case "":
            _add(bits, scope.home, splits=False)
        case "+":
            known = scope.lookup("PWD")
            _add(bits, known[0] if known else Unknown("~+", quoted=True), splits=False)
        case "-":
            known = scope.lookup("OLDPWD")
            _add(bits, known[0] if known else Unknown("~-", quoted=True), splits=False)
        case _:
            bits.append(_Bit("quoted", _home_of(name, scope)))
            bits.append(_hole(quoted=True))
    return slash + rest


def _home_of(name: str, scope: Scope) -> str:
    """Where another user's home most likely begins; the caller marks the rest as not certain."""
    return "/root" if name == "root" else scope.surroundings.home.rpartition("/")[0] + "/" + name


def _add(bits: list[_Bit], argument: Argument, *, splits: bool, blanks: re.Pattern[str] = _BLANKS) -> None:
    """Adds a value; where it is not quoted, the shell splits it and takes its patterns as such."""
    match argument:
        case Known(text) if not splits:
            bits.append(_Bit("quoted", text))
        case Known(text):
            for i, piece in enumerate(blanks.split(text)):
                if i:
                    bits.append(_BORDER)
                if piece:
                    bits.append(_Bit("bare", piece))
        case Prefix(text, _):
            bits.extend((_Bit("quoted", text), _hole(quoted=not splits)))
        case Glob(pattern, _) if not splits:
            bits.append(_Bit("name", pattern))
        case Glob(_, folder):
            # One of the names that a pattern matched, in a loop; a blank in it would make it several words.
            bits.extend((_Bit("quoted", folder if folder in ("", "/") else f"{folder}/"), _hole(quoted=not splits)))
        case Unknown():
            bits.append(_hole(quoted=not splits))
        case _:
            assert_never(argument)


def _add_printed(bits: list[_Bit], text: str, *, splits: bool) -> None:
    """Adds what a command prints; where it has holes, only what stands before the first of each word is certain."""
    if outputs.HOLE not in text:
        _add(bits, Known(text), splits=splits)
        return
    for i, piece in enumerate(_BLANKS.split(text) if splits else [text]):
        if i:
            bits.append(_BORDER)
        before, hole, _ = piece.partition(outputs.HOLE)
        bits.append(_Bit("quoted", before))
        if hole:
            bits.append(_hole(quoted=not splits))


def _separators(scope: Scope) -> re.Pattern[str] | None:
    """Where the shell splits words once IFS was set; None if that cannot be known."""
    given = scope.variables["IFS"]
    known = given[0] if len(given) == 1 else None
    return re.compile(f"[{re.escape(known.text)}]+") if isinstance(known, Known) and known.text else None


def _parameter(part: Parameter, scope: Scope, bits: list[_Bit], *, splits: bool) -> None:
    split = splits and not part.quoted
    name, operation = part.name, part.operation
    if operation.startswith("[") and (array := _element(name, operation, scope)) is not None:
        values: tuple[Argument, ...] | None = array
    elif name in ("@", "*") and not operation:
        values = scope.positionals
        if values is None or (name == "*" and part.quoted):
            bits.append(_hole(quoted=not split))
            return
    elif name in _NUMBERS and not operation:
        # A number: that it is one is all that matters, so one is put in its place.
        bits.append(_Bit("quoted", "1"))
        return
    else:
        values = scope.lookup(name)
        if operation and values is None and scope.unset:
            values = _stand_in(operation)
        elif operation:
            values = _operated(values, operation)
    blanks = _separators(scope) if split and "IFS" in scope.variables else _BLANKS
    if values is None or blanks is None:
        bits.append(_hole(quoted=not split))
        return
    for i, found in enumerate(values):
        if i:
            bits.append(_BORDER if splits else _hole(quoted=True))
        _add(bits, found, splits=split, blanks=blanks)


def _element(name: str, operation: str, scope: Scope) -> tuple[Argument, ...] | None:
    """`${x[@]}` and `${x[0]}` of an array that the line itself made."""
    items = scope.variables.get(f"{name}[@]")
    if items is None or not operation.endswith("]"):
        return None
    index = operation[1:-1]
    if index in ("@", "*"):
        return items
    return items[int(index) : int(index) + 1] or None if index.isdecimal() else None


def _stand_in(operation: str) -> tuple[Argument, ...] | None:
    """The value of `${x-word}` and kin for a variable that is unset."""
    rest = operation.lstrip(":")
    return (Known(rest[1:]),) if rest[:1] in ("-", "=") and _PLAIN.match(rest[1:]) else None


def _operated(values: tuple[Argument, ...] | None, operation: str) -> tuple[Argument, ...] | None:
    """Applies `${x…}` to a value that is certain; None if the outcome is not."""
    if values is None or len(values) != 1 or not isinstance(values[0], Known):
        return None
    text = values[0].text
    piece = _SLICE.fullmatch(operation)
    if piece is not None:
        start = int(piece[1] or piece[2])
        found = text[start:] if -len(text) <= start else ""
        return (Known(found if piece[3] is None else found[: int(piece[3])]),)
    sign = operation.lstrip(":")[:1]
    rest = operation.lstrip(":")[1:]
    if sign in ("-", "=", "?") and (text or not operation.startswith(":")):
        return values
    if sign in ("-", "=", "+") and _PLAIN.match(rest) and not rest.startswith("~"):
        empty = sign == "+" and not text and operation.startswith(":")
        return (Known("" if empty else rest),)
    if operation[0] in "#%" and _PATTERN.match(operation):
        return (Known(_trimmed(text, operation)),)
    return None


def _trimmed(text: str, operation: str) -> str:
    """Takes the shortest or longest match of a pattern from one end of a text."""
    greedy = operation[:2] in ("##", "%%")
    pattern = operation[2:] if greedy else operation[1:]
    sizes = range(len(text) + 1)
    for size in reversed(sizes) if greedy else sizes:
        end = len(text) - size
        if operation[0] == "#" and fnmatch.fnmatchcase(text[:size], pattern):
            return text[size:]
        if operation[0] == "%" and fnmatch.fnmatchcase(text[end:], pattern):
            return text[:end]
    return text
