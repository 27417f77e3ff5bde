"""Programs that run other programs: what they would run, as far as it is on the line.

The only place that knows which reader takes a wrapper apart.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import git_inner, inside, prefixes, recipes, repeaters, shells, wrapper_table
from agentos_lsp.domain.command.families import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.inside import Inner
    from agentos_lsp.domain.command.invocation import Argument, Invocation


# More than anyone follows; the walker notices that it is too many.
_MOST = 420


def unwrap(invocation: Invocation, write: Callable[[Argument], str]) -> tuple[Inner, ...]:
    """Says what an invocation would run besides itself; nothing for most programs.

    Args:
        invocation: The wrapper, or any other program.
        write: Writes an argument as shell text, with unknown variables where it is not certain.
    """
    name = invocation.name
    if name in wrapper_table.NAMES:
        return tuple(itertools.islice(_inside(name, invocation, write), _MOST))
    if not name:
        return tuple(inside.candidates(invocation.arguments))
    if name.isalpha() and name.islower():
        return ()
    row, _ = table.find(name)
    if row is not None and row.name in wrapper_table.NAMES:
        return tuple(itertools.islice(_inside(row.name, invocation, write), _MOST))
    return ()


def _inside(name: str, invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    arguments = invocation.arguments
    if name in wrapper_table.SHELLS:
        yield from shells.shell(invocation, write)
    elif name in READERS:
        yield from READERS[name](invocation, write)
    elif name in wrapper_table.PREFIXES:
        skipped, spec = wrapper_table.PREFIXES[name]
        yield from prefixes.prefixed(arguments, skipped, spec, write)
    if name in wrapper_table.HEADS:
        yield from prefixes.subcommands(name, arguments, write)
    if name in wrapper_table.RUNNERS:
        yield from recipes.recipes(name, invocation)


READERS: dict[str, Callable[[Invocation, Callable[[Argument], str]], Iterator[Inner]]] = {
    "eval": shells.evaluate,
    "source": shells.source,
    ".": shells.source,
    "trap": shells.trap,
    "su": shells.su,
    "runuser": shells.su,
    "script": shells.script,
    "watch": shells.watch,
    "ssh": shells.joined,
    "slogin": shells.joined,
    "autossh": shells.joined,
    "flock": shells.flock,
    "command": shells.command,
    "xargs": repeaters.xargs,
    "gxargs": repeaters.xargs,
    "parallel": repeaters.parallel,
    "find": repeaters.find,
    "gfind": repeaters.find,
    "fd": repeaters.fd,
    "fdfind": repeaters.fd,
    "git": git_inner.git,
    "nix-shell": shells.nix_shell,
    "concurrently": shells.enable_code,
    "hyperfine": shells.enable_code,
    "at": shells.enable_code,
    "batch": shells.enable_code,
}
