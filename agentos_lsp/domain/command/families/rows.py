"""Rows of programs: the compact tables in which families are written, and how a row becomes effects.

The only place that turns an option's code or an operand's role into an effect.

A table has a line per group of programs: `names | does | operands | options`; `does` is `safe`,
`unknown` or empty. An option's code (see `options.grammar`) says what its value is: `r` a file read,
`w` one written, `x` a program run, `s` code for a shell, `h` a host.
After `!` (a flag) `x` means that the flag makes the program run others, `w` that it writes files beside its operands.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import hosts, options, paths
from agentos_lsp.domain.command.effects import (
    Connects,
    Deletes,
    Executes,
    MovesOut,
    Reads,
    ReadsOnly,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.families import persistence
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation, Target

Family = dict[str, "Row"]
Found = list["Effect"]


@dataclass(frozen=True, slots=True)
class Row:
    """What a program does: `does` without looking at its arguments, `operands` are their roles, `spec` its options.

    `special` replaces the reading of the row where a program has a grammar of its own.
    """

    name: str
    does: str
    operands: str
    spec: str
    special: Callable[[Invocation], Iterable[Effect]] | None = None


def table(text: str) -> Family:
    """Reads a table; a line that begins with blanks continues the options of the one before, `#` is a comment.

    A program that stands in two lines has the options of both.
    """
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += line
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    family: Family = {}
    for line in lines:
        names, does, operands, spec = (cell.strip() for cell in line.split("|", 3))
        for name in names.split():
            family[name] = Row(name, does, operands, spec)
    return family


def special(names: str, reader: Callable[[Invocation], Iterable[Effect]]) -> Family:
    """Makes rows of programs that `reader` understands by itself."""
    return {name: Row(name, "", "", "", reader) for name in names.split()}


def effects(row: Row, invocation: Invocation) -> Iterator[Effect]:
    """Says what an invocation of the row's program would do."""
    if row.special is not None:
        yield from row.special(invocation)
        return
    parsed = options.parse(options.grammar(row.spec), invocation.arguments)
    yield from of_parsed(row, parsed, invocation)


def of_parsed(row: Row, parsed: options.Parsed, invocation: Invocation) -> Iterator[Effect]:
    """Says what a row makes of arguments that are already taken apart."""
    if row.does == "safe":
        yield ReadsOnly()
    elif row.does == "unknown":
        yield Unrecognised(f"what {row.name} would do is not known")
    yield from of_options(parsed, invocation, row.name)
    yield from of_operands(row.operands, parsed, invocation)
    yield from doubts(parsed, row.name, careful=has_dangers(row.spec))


def of_options(parsed: options.Parsed, invocation: Invocation, name: str) -> Iterator[Effect]:
    """The effects of the options that carry a code."""
    for given in parsed.given:
        if not given.code:
            continue
        value = given.value
        match given.code:
            case "r":
                yield from read(invocation, value)
            case "w" if value is None:
                yield Writes(paths.target(Unknown(given.name, quoted=True), None, invocation.surroundings))
            case "w":
                yield from write(invocation, value)
            case "s":
                yield Executes(f"{name} {given.name}", "sh", text_of(value), ("runs a shell line",))
            case "h":
                yield connect(value, name)
            case _:
                yield Executes(f"{name} {given.name} {text_of(value)}".rstrip())


def of_operands(role: str, parsed: options.Parsed, invocation: Invocation) -> Iterator[Effect]:
    """The effects of the operands, by their role.

    `read`, `look` (their names and sizes only), `list` (the same, the current folder if there is none), `first+read`,
    `write`, `first+write`, `copy`, `read+write`, `inert`.
    """
    operands = parsed.operands
    match role:
        case "read":
            yield from reads(invocation, operands)
        case "look":
            yield from looks(invocation, operands)
        case "list":
            yield from looks(invocation, operands or (Known("."),))
        case "first+read":
            yield from reads(invocation, operands[1:])
        case "write":
            yield from writes(invocation, operands)
        case "first+write":
            yield from writes(invocation, operands[1:])
        case "copy":
            yield from reads(invocation, operands[:-1])
            yield from writes(invocation, operands[-1:])
        case "read+write":
            # One word that may become several may hold the name of the file written.
            several = bool(operands) and not isinstance(operands[0], Known)
            yield from reads(invocation, operands[:1])
            yield from writes(invocation, operands if several else operands[1:])
        case _:
            pass


def doubts(parsed: options.Parsed, name: str, *, careful: bool) -> Iterator[Effect]:
    """What cannot be vouched for: unknown options and, if some option is dangerous, words that may be one."""
    for strange in parsed.strange:
        yield Unrecognised(f"option {strange} of {name} is not known")
    if careful and parsed.unsure:
        yield Unrecognised(f"an argument of {name} cannot be known and may be an option")
    elif careful and parsed.globbed:
        yield Unrecognised(f"a pattern given to {name} may match a file whose name is an option")


@functools.cache
def has_dangers(spec: str) -> bool:
    """Tells whether some option of a program writes, deletes, runs or connects."""
    known = options.grammar(spec)
    return any(rule.code not in ("", "r") for rules in (known.shorts, known.longs) for rule in rules.values())


def target(invocation: Invocation, argument: Argument, *, follow: bool = True) -> Target:
    """Where an argument of this invocation lies."""
    return paths.target(argument, invocation.cwd, invocation.surroundings, follow=follow)


def read(invocation: Invocation, argument: Argument | None) -> Iterator[Effect]:
    """Reads of one operand; `-` is standard input."""
    if argument is not None and argument != Known("-"):
        yield Reads(target(invocation, argument))


def reads(invocation: Invocation, arguments: tuple[Argument, ...]) -> Iterator[Effect]:
    """Reads of operands."""
    for argument in arguments:
        yield from read(invocation, argument)


def looks(invocation: Invocation, arguments: tuple[Argument, ...]) -> Iterator[Effect]:
    """Operands of which only names, sizes and times are told."""
    for argument in arguments:
        yield Reads(target(invocation, argument), content=False)


def write(invocation: Invocation, argument: Argument | None) -> Iterator[Effect]:
    """A write, and what it leaves behind that acts later; `-` is standard output."""
    if argument is None or argument == Known("-"):
        return
    where = target(invocation, argument)
    yield Writes(where)
    lasting = persistence.judge(where)
    if lasting is not None:
        yield lasting


def writes(invocation: Invocation, arguments: tuple[Argument, ...]) -> Iterator[Effect]:
    """Writes to operands."""
    for argument in arguments:
        yield from write(invocation, argument)


def delete(invocation: Invocation, argument: Argument, *, recursive: bool) -> Iterator[Effect]:
    """A deletion: of a link itself, unless a slash behind its name asks for what it leads to."""
    yield Deletes(target(invocation, argument, follow=False), recursive)


def moves_out(invocation: Invocation, source: Argument, goals: tuple[Argument, ...]) -> Iterator[Effect]:
    """Moving something of the worktree to the outside; what `find` or `xargs` found begins like a path in it."""
    where = target(invocation, source, follow=False)
    inside = where.place in ("worktree", "root", "git")
    if not inside and isinstance(source, Prefix) and where.place == "unknown":
        folder = target(invocation, Known(source.text.rpartition("/")[0] or "."))
        inside = folder.place in ("worktree", "root", "git")
    for goal in goals if inside else ():
        there = target(invocation, goal)
        if there.place in ("outside", "null", "device"):
            yield MovesOut(where, there)


def connect(argument: Argument | None, by: str) -> Connects:
    """A direct connection to the host that an operand names."""
    host = None if argument is None else host_of(argument)
    return Connects(host, loopback=host is not None and hosts.is_loopback(host), direct=True, by=by)


def direct(operands: tuple[Argument, ...], by: str) -> Iterator[Effect]:
    """Direct connections to every operand's host; to an unknown one if there is no operand."""
    for operand in operands:
        yield connect(operand, by)
    if not operands:
        yield Connects(None, loopback=False, direct=True, by=by)


def tool(by: str) -> Connects:
    """A tool whose business includes the network."""
    return Connects(None, loopback=False, direct=False, by=by)


def host_of(argument: Argument) -> str | None:
    """The host that an operand certainly names."""
    match argument:
        case Known(text):
            return hosts.host_of(text)
        case Prefix(text, _):
            return hosts.host_of_prefix(text)
        case Glob(pattern, _):
            # No file is called like a URL, so the pattern stays as it is: `?` begins a query, brackets an address.
            if re.match(r"\w+://\[[0-9A-Fa-f:.]+\]", pattern):
                return hosts.host_of(pattern)
            return hosts.host_of_prefix(re.split(r"[*\[]", pattern, maxsplit=1)[0])
        case Unknown():
            return None


def text_of(argument: Argument | None) -> str:
    """The certain part of an argument, for showing it and for code."""
    match argument:
        case None:
            return ""
        case Known(text) | Prefix(text, _):
            return text
        case Glob(pattern, _):
            return pattern
        case Unknown(raw, _):
            return raw
