"""Programs that run other programs: what they would run, as far as it is on the line.

The only place that knows which reader takes a wrapper apart.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import git_inner, inside, prefixes, recipes, repeaters, shells, verbs, wrapper_table
from agentos_lsp.domain.command.families import table
from agentos_lsp.domain.command.inside import Code, Command
from agentos_lsp.domain.command.invocation import Glob, Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.command.inside import Inner
    from agentos_lsp.domain.command.invocation import Argument, Invocation


# More than anyone follows; the walker notices that it is too many.
_MOST = 420
# More programs than this are not tried for one pattern.
_MOST_MATCHES = 32


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
        return tuple(_of_unknown(invocation, write))
    if name.isalpha() and name.islower():
        return ()
    row, _ = table.find(name)
    if row is not None and row.name in wrapper_table.NAMES:
        return tuple(itertools.islice(_inside(row.name, invocation, write), _MOST))
    return ()


def _of_unknown(invocation: Invocation, write: Callable[[Argument], str]) -> Iterator[Inner]:
    """What a program whose name cannot be known might start: any word, `-c` as of a shell, what its pattern matches."""
    arguments = invocation.arguments
    yield from inside.candidates(arguments)
    if len(arguments) > 1 and re.fullmatch(r"-[a-z]*c", inside.text_of(arguments[0])):
        yield Code(write(arguments[1]), certain=False)
    if isinstance(invocation.program, Glob):
        pattern = invocation.program.pattern.rpartition("/")[2]
        literal = any(character.isalpha() for character in re.sub(r"\[[^\]]*\]", "", pattern))
        likely = sorted(name for name in verbs.NAMES if literal and fnmatch.fnmatchcase(name, pattern))
        for name in likely[:_MOST_MATCHES]:
            yield Command((Known(name), *arguments))


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
    "alias": shells.alias,
    **dict.fromkeys(wrapper_table.STEERING, shells.embedded),
}
