"""An oracle for quotes that executes nothing: the standard library's `shlex` removes them from a word too.

It sees words without expansions. It does not see `$'…'`, line continuations and `\\$` or `\\`` in double quotes, where
`shlex` does not do what a shell does; those are examples in the unit tests.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, NamedTuple

from agentos_lsp.domain.command import syntax

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ELSEWHERE = re.compile(r"\\[\n$`]|\$'")


class Difference(NamedTuple):
    """A word that we and `shlex` read otherwise."""

    line: str
    raw: str
    ours: str
    theirs: str


def differences(accepted: Sequence[tuple[str, syntax.Script]]) -> tuple[list[Difference], int]:
    """Compares the words that always mean the same text; also says how many they are."""
    found: list[Difference] = []
    count = 0
    for line, script in accepted:
        for word in words(script):
            ours = static(word)
            # A regular expression after `=~` keeps its backslashes: they are its own.
            if ours is None or _ELSEWHERE.search(word.raw) or (ours == word.raw and "\\" in ours):
                continue
            count += 1
            theirs = shlex.split(word.raw)
            if theirs != [ours]:
                found.append(Difference(line, word.raw, ours, repr(theirs)))
    return found, count


def static(word: syntax.Word) -> str | None:
    """The text of a word of characters alone; None for any other, and for one without characters."""
    values = [part.value for part in word.parts if isinstance(part, syntax.Text)]
    return "".join(values) if values and len(values) == len(word.parts) else None


def words(node: object) -> Iterator[syntax.Word]:
    """Every word of a tree."""
    if isinstance(node, syntax.Word):
        yield node
    if isinstance(node, tuple):
        for part in node:
            yield from words(part)
    elif is_dataclass(node):
        for field in fields(node):
            yield from words(getattr(node, field.name))
