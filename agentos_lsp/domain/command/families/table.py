"""The way into the families: which program is understood by which row, and what holds for every program."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import hosts
from agentos_lsp.domain.command.effects import Executes, Reads, ReadsOnly, Unrecognised
from agentos_lsp.domain.command.families import (
    archives,
    build,
    cloud,
    deletion,
    disks,
    edit,
    environment,
    files,
    git,
    interpreters,
    network,
    packages,
    rows,
    search,
    shell,
    signals,
    system,
    text,
)
from agentos_lsp.domain.command.invocation import Known, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.families.rows import Row
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_ROWS: rows.Family = {
    **text.ROWS,
    **search.ROWS,
    **edit.ROWS,
    **files.ROWS,
    **deletion.ROWS,
    **disks.ROWS,
    **git.ROWS,
    **network.ROWS,
    **signals.ROWS,
    **packages.ROWS,
    **cloud.ROWS,
    **interpreters.ROWS,
    **build.ROWS,
    **shell.ROWS,
    **archives.ROWS,
    **system.ROWS,
}

PROGRAMS: frozenset[str] = frozenset(_ROWS)

# Source: Filesystem Hierarchy Standard 3.0; Homebrew, MacPorts and Nix put programs in the others.
_SYSTEM_FOLDERS = (
    "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin",
    "/opt/local/bin", "/usr/games", "/snap/bin", "/run/current-system/sw/bin",
)  # fmt: skip
# Source: curl(1), ENVIRONMENT; wget(1).
_PROXIES = frozenset(("http_proxy", "https_proxy", "ftp_proxy", "all_proxy"))
# Programs that load the project's code, or a program that it names, before they tell their version.
# Source: pytest's conftest files, tox's toxfile, Yarn's yarnPath, pnpm's and Corepack's packageManager, rustup's
# rust-toolchain.toml with a path, Maven's .mvn/jvm.config, sbt's .jvmopts, bazel's tools/bazel, Node's import-local.
_EAGER = frozenset(
    "pytest py.test tox yarn pnpm cargo rustc rustfmt rustdoc clippy-driver mvn mvnw sbt bazel bazelisk jest"  # noqa: SIM905 - a table reads better
    " webpack gulp grunt lerna nx turbo pants gradlew".split(),
)
# More arguments than this are thinned out, to so many of each kind.
_MANY = 1000
_OF_A_KIND = 24
# `python3.12`, `pip3`, `gcc-13`, `clang++-17`, `ruby3.2`.
_VERSIONED = re.compile(r"(?P<name>[a-z][a-z+_-]*?)-?[0-9][0-9.]*(?:-(?P<tail>config|dbg))?")


def effects(invocation: Invocation) -> tuple[Effect, ...]:
    """Says what starting this program would do: at least one effect, `Unrecognised` if nothing is known of it."""
    row, sure = find(invocation.name)
    if row is None:
        return (Unrecognised(f"{invocation.name or 'the program'} is not known"), *_around(invocation))
    found: list[Effect] = []
    if len(invocation.arguments) > _MANY:
        invocation = dataclasses.replace(invocation, arguments=_thinned(invocation))
        sure = False
    if _asks_for_help(invocation):
        found = [ReadsOnly()]
    else:
        found = list(rows.effects(row, invocation))
        if len(found) > 1:
            found = list(dict.fromkeys(found))
        if not found:
            found = [Unrecognised(f"what {invocation.name} would do with these arguments is not known")]
    if not sure:
        found.append(Unrecognised(f"{invocation.name} is not certainly {row.name}, or has too many arguments"))
    found.extend(_around(invocation))
    if any(not isinstance(effect, (Reads, ReadsOnly)) for effect in found):
        found = [effect for effect in found if not isinstance(effect, ReadsOnly)]
    return tuple(found)


def _thinned(invocation: Invocation) -> tuple[Argument, ...]:
    """Keeps some arguments of every kind of a command line that no person wrote, so that a verdict stays quick.

    A kind is all that a block rule could be about: where a path lies, whether a host is this machine, whether a branch
    is protected. Options and the words behind them are all kept, so that no word changes its part.
    """
    protected = frozenset(invocation.surroundings.protected)
    connects = invocation.name in network.ROWS
    kept: list[Argument] = []
    counts: dict[tuple[object, ...], int] = {}
    follows = True
    for argument in invocation.arguments:
        text = rows.text_of(argument)
        option = text[:1] == "-"
        if option or follows:
            kept.append(argument)
            follows = option
            continue
        _, equals, value = text.partition("=")
        kind = (
            type(argument),
            rows.target(invocation, argument).place,
            rows.target(invocation, Known(value)).place if equals else "",
            text[:1] if text[:1] in "+:@%" else "",
            text.rpartition(":")[2].lstrip("+").removeprefix("refs/heads/") in protected,
            ":" in text,
            connects and hosts.is_loopback(hosts.host_of(text) or ""),
        )
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= _OF_A_KIND:
            kept.append(argument)
    return tuple(kept)


def find(name: str) -> tuple[Row | None, bool]:
    """Finds the row of a program; the second value tells whether the name is certainly that program's.

    A name in another case is the same program on some systems, and one with a version is taken for the plain one.
    """
    row = _ROWS.get(name)
    if row is not None:
        return row, True
    folded = name.casefold().removesuffix(".exe").removesuffix(".cmd")
    row = _ROWS.get(folded)
    if row is not None:
        return row, False
    versioned = _VERSIONED.fullmatch(folded)
    if versioned is not None:
        row = _ROWS.get(versioned["name"])
        if row is not None:
            return row, folded == name
    if folded.startswith(("mkfs.", "mkfs-")):
        return _ROWS["mkfs"], folded == name
    return None, False


def _around(invocation: Invocation) -> Iterator[Effect]:
    """The effects that do not depend on the program: where it comes from, and the variables set for it."""
    program = invocation.program
    if isinstance(program, Known):
        yield from _origin(program.text, invocation)
    elif isinstance(program, Prefix) or invocation.name:
        yield Unrecognised("which program would start cannot be known")
    for name, value in invocation.assignments:
        if invocation.name in network.ROWS and name.casefold() in _PROXIES:
            yield rows.connect(value, invocation.name)
        judged = environment.judge(name)
        if judged is not None:
            yield judged


def _origin(program: str, invocation: Invocation) -> Iterator[Effect]:
    """Tells of a program given by a path that is not one of the system's."""
    folder, slash, _ = program.rpartition("/")
    if not slash or folder in _SYSTEM_FOLDERS:
        return
    where = rows.target(invocation, Known(program))
    whose = "in the worktree" if where.place in ("worktree", "root", "git") else "outside the system's folders"
    yield Executes(f"{program} is a program {whose}")


def _asks_for_help(invocation: Invocation) -> bool:
    """Tells whether the only argument asks for the version or for help, which every known program answers.

    Programs that signal are not asked: with them the verb alone decides.
    """
    if len(invocation.arguments) != 1 or invocation.name in signals.ROWS:
        return False
    match invocation.arguments[0]:
        case Known(text):
            # What tells of its options may load the project's own plugins first, as pytest does.
            helps = text == "--help" and invocation.name not in build.ROWS
            asks = helps or (text == "--version" and invocation.name not in _EAGER)
            return asks and invocation.name not in shell.ROWS
        case _:
            return False
