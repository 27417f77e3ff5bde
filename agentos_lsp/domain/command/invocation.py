"""One program about to be started: a simple command after its words are resolved and its wrappers seen through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.command.value import value

if TYPE_CHECKING:
    from agentos_lsp.domain.command.surroundings import Surroundings
    from agentos_lsp.domain.command.syntax import Span


@value
class Known:
    """A word that certainly becomes exactly this one argument."""

    text: str


@value
class Glob:
    """An unquoted pattern: zero or more names, all of them under `folder` as it is written (`` for the current one)."""

    pattern: str
    folder: str


@value
class Prefix:
    """A word of which only the beginning is certain: `/etc/$x`. It may become several arguments if unquoted."""

    text: str
    quoted: bool


@value
class Unknown:
    """A word of which nothing is certain; unquoted it may become none or several arguments. `raw` is its source."""

    raw: str
    quoted: bool


Argument = Known | Glob | Prefix | Unknown


@value
class Invocation:
    """A program with its arguments, where it would run, and how it was reached.

    `name` is the program's last path component with quoting removed (`/bin/r"m"` is `rm`), empty if unknown; `program`
    is the word as resolved. `cwd` is absolute, None once it cannot be known. `wrappers` are the names seen through on
    the way (`sudo`, `xargs`, …), outermost first. `reads_pipe` tells that standard input comes from another command.
    `stdin` is the literal text fed by a here-document or here-string, None if there is none or it is not certain.
    """

    program: Argument
    name: str
    arguments: tuple[Argument, ...]
    assignments: tuple[tuple[str, Argument], ...]
    cwd: str | None
    wrappers: tuple[str, ...]
    reads_pipe: bool
    stdin: str | None
    span: Span
    text: str
    surroundings: Surroundings


@value
class Target:
    """A file that an effect is about.

    `path` is absolute and normalised, links followed, None if it cannot be known. `place` says where it lies; a
    worktree's root and its `.git` have places of their own, since deleting them is never lawful. `under` tells that
    the effect is on things below `path` (a glob, a prefix), not on `path` itself. `shown` is the word as written.
    """

    path: str | None
    place: Literal["worktree", "root", "git", "scratch", "outside", "device", "null", "unknown"]
    under: bool
    shown: str
