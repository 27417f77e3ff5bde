"""What a wrapper runs, as values, and the few things that all readers of wrappers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command import verbs, wrapper_table
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.invocation import Argument


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the wrapper starts, the variables set for it, and its folder if the wrapper changes it."""

    words: tuple[Argument, ...]
    assignments: tuple[tuple[str, Argument], ...] = ()
    folder: Argument | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """Shell text that the wrapper runs.

    `certain` is false where a part of it cannot be known; `here` tells that it runs in the shell that is being read;
    `recipe` that it is looked up in the worktree, so that it may block but need not be allowed.
    """

    text: str
    certain: bool = True
    positionals: tuple[Argument, ...] | None = None
    here: bool = False
    recipe: bool = False
    zero: Argument | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """Something runs that cannot be seen; `why` is a short phrase."""

    why: str


Inner = Command | Code | Hidden


Writer = "Callable[[Argument], str]"


_MOST_CANDIDATES = 24


def candidates(arguments: tuple[Argument, ...]) -> Iterator[Inner]:
    """Every word that may begin a command which the block list is about."""
    found = 0
    for i, argument in enumerate(arguments):
        if isinstance(argument, Known):
            name = argument.text.rpartition("/")[2]
            if (verbs.is_one(name) or name in wrapper_table.NAMES) and found < _MOST_CANDIDATES:
                found += 1
                yield Command(arguments[i:])


def text_of(argument: Argument) -> str:
    """The certain beginning of an argument, empty if there is none."""
    match argument:
        case Known(text) | Prefix(text, _):
            return text
        case Glob(pattern, _):
            return pattern
        case Unknown():
            return ""
        case _:
            assert_never(argument)


def quote(text: str) -> str:
    """Quotes text for a shell, holes left open."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`") + '"' if text else "''"


def item(text: str) -> Argument:
    """One item of what is fed to a program, unknown from where the text has a hole."""
    before, hole, _ = text.partition("${_}")
    if not hole:
        return Known(text)
    return Prefix(before, quoted=True) if before else Unknown(text, quoted=True)


def placed(word: Argument, mark: str, item: Argument) -> Argument:
    """Puts an item in place of a mark inside a word."""
    text = text_of(word)
    if not isinstance(word, Known) or not mark or mark not in text:
        return word
    if text == mark:
        return item
    before, _, after = text.partition(mark)
    match item:
        case Known(found):
            return Known(text.replace(mark, found))
        case Prefix(found, _):
            # What stands behind the mark may climb out of where the item is, so the word is no item any more.
            return Prefix(before + found, quoted=False)
        case Glob() | Unknown():
            return Prefix(before, quoted=True) if before else Unknown(mark + after, quoted=True)
        case _:
            assert_never(item)
