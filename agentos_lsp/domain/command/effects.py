"""What a command would do, as values: a family reads an invocation and says its effects; the rules judge effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command.value import value

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Target


@value
class Reads:
    """Reads a file or lists a folder; `content` is false where only names, sizes and times are told."""

    target: Target
    content: bool = True


@value
class Writes:
    """Creates, changes, truncates or replaces a file, its mode, owner or links."""

    target: Target


@value
class Adds:
    """Adds what was not there and changes nothing that was: a folder, or, without a target, to git's index.

    `what` is a short phrase.
    """

    what: str
    target: Target | None = None


@value
class Deletes:
    """Removes a file, or a whole tree (also by moving it away, `rsync --delete`, `find -delete`, `shred`, `dd`)."""

    target: Target
    recursive: bool


@value
class MovesOut:
    """Takes a file or a tree out of the worktree, so that it is gone from there; `goal` is where to."""

    target: Target
    goal: Target


@value
class Pushes:
    """Sends refs to a remote. `branches` are destination names; None if they cannot be known.

    `overwrites` is true for every spelling that may rewind, replace or delete a remote branch.
    """

    remote: str | None
    branches: tuple[str, ...] | None
    overwrites: bool
    spelling: str


@value
class ChangesRepository:
    """Changes refs, index, stash or configuration of the repository, locally; `what` is a short phrase."""

    what: str
    loses_work: bool


@value
class Signals:
    """Sends a signal to, or ends, processes or the machine. `harmless` is true for `kill -l` and `kill -0` only."""

    what: str
    harmless: bool


@value
class Connects:
    """Opens network connections.

    `direct` is true for plain network clients (curl, ssh, nc, dig …), false for tools whose business includes the
    network (git fetch, pip, npm, gh …). `host` is None if it cannot be known; `loopback` is true only if certain.
    """

    host: str | None
    loopback: bool
    direct: bool
    by: str


@value
class Escalates:
    """Gains or drops privilege, or enters another machine, container or namespace."""

    by: str


@value
class Persists:
    """Leaves something that acts later: hooks, cron, rc files, git config, editor tasks, services."""

    what: str


@value
class Executes:
    """Runs code that is not on the line as a command: a script, inline code, an option that names a program.

    `language` and `code` are given when the code itself is on the line; `danger` names what looks dangerous in it.
    """

    what: str
    language: str = ""
    code: str = ""
    danger: tuple[str, ...] = ()


@value
class ReadsOnly:
    """Does nothing but read and print: the certain knowledge that the built-in allowlist needs."""


@value
class Unrecognised:
    """A program of which nothing is known; `why` is a short phrase."""

    why: str


Effect = (
    Reads
    | Writes
    | Adds
    | Deletes
    | MovesOut
    | Pushes
    | ChangesRepository
    | Signals
    | Connects
    | Escalates
    | Persists
    | Executes
    | ReadsOnly
    | Unrecognised
)
