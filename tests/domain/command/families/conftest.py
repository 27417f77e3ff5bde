"""Lines in, effects out, as short phrases: `told("cat a")` is `("reads only", "reads worktree /code/tree/a")`.

In a line `~x~` is an unquoted word of unknown value, `~~x~~` a quoted one, `text~x~` a quoted word of which the
beginning is known, and a word with `*` is a pattern.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, assert_never

import pytest

from agentos_lsp.domain.command.effects import (
    Adds,
    ChangesRepository,
    Connects,
    Deletes,
    Escalates,
    Executes,
    MovesOut,
    Persists,
    Pushes,
    Reads,
    ReadsOnly,
    Signals,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.families import table
from agentos_lsp.domain.command.invocation import Glob, Invocation, Known, Prefix, Unknown
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.syntax import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Target

SURROUNDINGS = Surroundings(
    cwd="/code/tree",
    worktree="/code/tree",
    home="/home/dev",
    scratch=("/scratch",),
    links={"/code/tree/out": "/etc", "/code/tree/in": "/code/tree/src"},
    protected=("main", "release"),
    branch="topic",
    aliases={"st": "status", "shove": "push --force"},
)


def argument(word: str) -> Argument:
    """Makes an argument from a word of a test's line."""
    if word.startswith("~"):
        return Unknown(word, quoted=word.startswith("~~"))
    if "~" in word:
        return Prefix(word.partition("~")[0], quoted=True)
    if "*" in word:
        return Glob(word, word.rpartition("/")[0])
    return Known(word)


def invocation(line: str, **changes: object) -> Invocation:
    """Makes an invocation from a line; leading `NAME=value` words are assignments."""
    words = shlex.split(line)
    assignments = []
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        assignments.append((name, Known(value)))
    given: dict[str, object] = {
        "program": Known(words[0]),
        "name": words[0].rpartition("/")[2],
        "arguments": tuple(argument(word) for word in words[1:]),
        "assignments": tuple(assignments),
        "cwd": SURROUNDINGS.cwd,
        "wrappers": (),
        "reads_pipe": False,
        "stdin": None,
        "span": Span(0, len(line)),
        "text": line,
        "surroundings": SURROUNDINGS,
    }
    return Invocation(**{**given, **changes})  # type: ignore[arg-type]  # the keys are its fields


def phrase(effect: Effect) -> str:
    """Says an effect in few words."""
    match effect:
        case Reads(target):
            return f"reads {lies(target)}"
        case Writes(target):
            return f"writes {lies(target)}"
        case Adds(what, target):
            return f"adds: {what}" + (f" {lies(target)}" if target is not None else "")
        case Deletes(target, recursive):
            return f"deletes {'the tree ' if recursive else ''}{lies(target)}"
        case MovesOut(target, goal):
            return f"moves out {lies(target)} to {lies(goal)}"
        case Pushes(remote, branches, overwrites, _):
            names = "unknown" if branches is None else " ".join(branches)
            return f"{'overwrites' if overwrites else 'pushes'} {names} at {remote}"
        case ChangesRepository(what, loses_work):
            return f"changes: {what}{', losing work' if loses_work else ''}"
        case Signals(_, harmless):
            return "signals nothing" if harmless else "signals"
        case Connects(host, loopback, direct, _):
            return f"{'connects' if direct else 'may connect'} to {host}{' (loopback)' if loopback else ''}"
        case Escalates():
            return "escalates"
        case Persists():
            return "persists"
        case Executes(_, language, code, danger):
            return f"runs {language} {code}".rstrip() + (" (danger)" if danger else "")
        case ReadsOnly():
            return "reads only"
        case Unrecognised():
            return "not known"
        case _:
            assert_never(effect)


def lies(target: Target) -> str:
    """Says where a target lies."""
    return f"{target.place} {'below ' if target.under else ''}{target.path}"


@pytest.fixture
def effects_of() -> Callable[..., tuple[Effect, ...]]:
    def run(line: str, **changes: object) -> tuple[Effect, ...]:
        return table.effects(invocation(line, **changes))

    return run


@pytest.fixture
def told() -> Callable[..., tuple[str, ...]]:
    def tell(line: str, **changes: object) -> tuple[str, ...]:
        return tuple(phrase(effect) for effect in table.effects(invocation(line, **changes)))

    return tell


@pytest.fixture
def check() -> Callable[[str], None]:
    """Checks lines of the form `command  =>  phrase & phrase`; every difference is told at once.

    A line that begins with `=>` or `&` continues the one before.
    """

    def compare(examples: str) -> None:
        wrong = []
        for example in re.sub(r"\n\s*(=>|& )", r" \1", examples.strip()).splitlines():
            line, _, expected = example.partition("=>")
            found = [phrase(effect) for effect in table.effects(invocation(line.strip()))]
            wanted = [each.strip() for each in expected.split(" & ")]
            if found != wanted:
                wrong.append(f"{line.strip()}\n    expected {' & '.join(wanted)}\n    found    {' & '.join(found)}")
        assert not wrong, "\n" + "\n".join(wrong)

    return compare
