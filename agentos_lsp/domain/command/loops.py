"""What the body of a loop changes in the shell that runs it, read from the tree alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain.command.syntax import (
    Case,
    For,
    Function,
    Group,
    If,
    Loop,
    Simple,
    Subshell,
    Test,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentos_lsp.domain.command.syntax import Command, Script

_SETTERS = frozenset(
    (
        "read",
        "export",
        "declare",
        "typeset",
        "local",
        "readonly",
        "unset",
        "mapfile",
        "readarray",
        "getopts",
        "printf",
        "let",
    )
)
_MOVERS = frozenset(("cd", "pushd", "popd"))
_ANYTHING = frozenset(("eval", "source", ".", "set", "shift"))


@dataclass(slots=True)
class Changes:
    """Names of variables, whether the folder changes, and whether anything may."""

    names: set[str] = field(default_factory=set)
    moves: bool = False
    everything: bool = False


def changes(  # noqa: C901 - one arm per kind of command
    scripts: tuple[Script, ...], functions: Mapping[str, Command]
) -> Changes:
    """Says what running these scripts may change; `functions` are the bodies that a name on the line may call."""
    found = Changes()
    called: set[str] = set()
    pending: list[Command] = [command for script in scripts for command in _commands(script)]
    while pending:
        command = pending.pop()
        match command:
            case Simple():
                name = _read(command, found)
                if name in functions and name not in called:
                    called.add(name)
                    pending.append(functions[name])
            case Group(body) | Function(body=Group(body)):
                pending.extend(_commands(body))
            case If(branches, otherwise):
                for condition, body in branches:
                    pending.extend((*_commands(condition), *_commands(body)))
                pending.extend(_commands(otherwise) if otherwise is not None else ())
            case Loop(_, condition, body):
                pending.extend((*_commands(condition), *_commands(body)))
            case For(name, _, body):
                found.names.add(name)
                pending.extend(_commands(body))
            case Case(_, arms):
                for _, body in arms:
                    pending.extend(_commands(body))
            case Subshell() | Test() | Function():
                pass
            case _:
                assert_never(command)
    return found


def _commands(script: Script) -> list[Command]:
    return [command for item in script.items for pipeline in item.pipelines for command in pipeline.commands]


def _read(command: Simple, found: Changes) -> str:
    """Notes what a simple command sets, and gives back the name it calls."""
    if not command.words:
        found.names.update(assignment.name for assignment in command.assignments)
        return ""
    texts = ["".join(part.value for part in word.parts if isinstance(part, Text)) for word in command.words]
    name = texts[0]
    if name in _SETTERS:
        found.names.update(text.partition("=")[0] for text in texts[1:] if not text.startswith("-"))
    found.moves = found.moves or name in _MOVERS
    found.everything = found.everything or name in _ANYTHING or not name
    return name
