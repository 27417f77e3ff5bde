"""What the redirections of a command read, write and connect to, and the text that they feed to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import hosts, outputs, paths, words
from agentos_lsp.domain.command.effects import Connects, Reads, Writes
from agentos_lsp.domain.command.families import persistence
from agentos_lsp.domain.command.invocation import Known, Prefix

if TYPE_CHECKING:
    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.scope import Scope
    from agentos_lsp.domain.command.syntax import Redirection

# Source: bash(1), REDIRECTION: names that bash itself opens as connections.
_SOCKET = re.compile(r"/+dev/+(?:tcp|udp)/+([^/]*)(?:/+(.*))?")
_DESCRIPTOR = re.compile(r"[0-9]*-?")


@dataclass(frozen=True, slots=True)
class Fed:
    """Text on standard input; where it is not certain, its holes are written `${_}`."""

    text: str
    certain: bool


def read(found: tuple[Redirection, ...], scope: Scope) -> tuple[tuple[Effect, ...], Fed | None]:
    """Says what redirections do, in every folder that the command may run in."""
    effects: list[Effect] = []
    fed: Fed | None = None
    for redirection in found:
        operator = redirection.operator
        if redirection.document is not None:
            text = words.template(redirection.document.parts, scope)
            fed = Fed(text, "${_}" not in text)
            continue
        if operator == "<<<":
            text = words.template(redirection.target.parts, scope) + "\n"
            fed = Fed(text, "${_}" not in text)
            continue
        target = words.one(redirection.target, scope)
        if operator in (">&", "<&") and isinstance(target, Known) and _DESCRIPTOR.fullmatch(target.text):
            continue
        effects.extend(dict.fromkeys(_effects(operator, target, scope)))
        if (
            operator == "<"
            and isinstance(target, Known)
            and (text_before := outputs.kept(target.text, scope)) is not None
        ):
            fed = Fed(text_before, certain=False)
    return tuple(effects), fed


def _effects(operator: str, target: Argument, scope: Scope) -> list[Effect]:
    connection = _connection(target)
    if connection is not None:
        return [connection]
    found: list[Effect] = []
    for folder in scope.cwds:
        where = paths.target(target, folder, scope.surroundings)
        if where.place == "null":
            continue
        if operator in ("<", "<&", "<>"):
            found.append(Reads(where))
        if operator not in ("<", "<&"):
            found.append(Writes(where))
            lasting = persistence.judge(where)
            if lasting is not None:
                found.append(lasting)
    return found


def _connection(target: Argument) -> Connects | None:
    match target:
        case Known(text):
            socket = _SOCKET.fullmatch(text)
            certain = True
        case Prefix(text, _):
            socket = _SOCKET.match(text)
            certain = socket is not None and socket[2] is not None
        case _:
            return None
    if socket is None:
        return None
    host = socket[1] if certain and socket[1] else None
    return Connects(host, loopback=host is not None and hosts.is_loopback(host), direct=True, by="the shell")
