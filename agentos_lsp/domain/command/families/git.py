"""git: its global options, its aliases, and what each subcommand would do.

Source: git(1) and the page of each subcommand, git 2.51. What a repository's own configuration runs (hooks, filters,
fsmonitor) is not on the line; the runtime pins it when it starts git.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import (
    ChangesRepository,
    Executes,
    Reads,
    ReadsOnly,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.families import git_changes, git_push, git_reading, rows
from agentos_lsp.domain.command.invocation import Known, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_GLOBALS = """
 -C= -c= -p,--paginate!x -P,--no-pager --exec-path?x --git-dir= --work-tree= --namespace= --bare --no-replace-objects
 --no-lazy-fetch --no-optional-locks --no-advice --literal-pathspecs --glob-pathspecs --noglob-pathspecs
 --icase-pathspecs
 --config-env= --super-prefix= --html-path --man-path --info-path -v,--version -h,--help --list-cmds= --attr-source=
"""
# Configuration that changes only how things look, or who is named.
_HARMLESS_KEYS = re.compile(
    r"(?:color|advice|column)\..*|core\.(?:quotepath|abbrev|autocrlf|safecrlf|filemode|ignorecase|precomposeunicode)"
    r"|user\.(?:name|email)|init\.defaultbranch|log\.(?:date|decorate|abbrevcommit|follow|showsignature)|diff\.(?:renames|renamelimit"
    r"|context|algorithm|mnemonicprefix|noprefix|colormoved|submodule)|merge\.conflictstyle|status\..*|pull\.(?:rebase|ff)"
    r"|(?:commit|tag)\.gpgsign=(?:false|0|no|off)|grep\.(?:linenumber|column|extendedregexp)|core\.pager=(?:cat)?"
    r"|gc\.auto|fetch\.prune|rebase\.(?:autostash|autosquash)|versionsort\..*|core\.fsmonitor=(?:false|0|no|off)?",
    re.IGNORECASE,
)
_MOST_ALIASES = 8


@dataclass(frozen=True, slots=True)
class Call:
    """A git command line after its global options.

    `here` tells that it acts on the repository of the starting folder;
    `settings` are what `-c` sets, `?` for what it sets from the environment.
    """

    verb: str
    arguments: tuple[Argument, ...]
    invocation: Invocation
    here: bool
    settings: tuple[str, ...]


def _git(invocation: Invocation) -> Iterator[Effect]:
    yield from _read(invocation, invocation.arguments, 0)


def _elsewhere(invocation: Invocation) -> list[Argument]:
    """The worktree that a variable names, where it is another one than the session's."""
    named = [value for name, value in invocation.assignments if name == "GIT_WORK_TREE"]
    return [value for value in named if rows.target(invocation, value).place == "outside"]


def _read(invocation: Invocation, arguments: tuple[Argument, ...], depth: int) -> Iterator[Effect]:
    parsed = options.parse(options.grammar(_GLOBALS, permutes=False), arguments)
    yield from rows.of_options(parsed, invocation, "git")
    yield from rows.doubts(parsed, "git", careful=True)
    aliases = dict(invocation.surroundings.aliases)
    for value in parsed.values("-c"):
        yield from _configuration(value, aliases)
    for value in parsed.values("--config-env"):
        yield Executes(f"git --config-env={rows.text_of(value)}", danger=("configuration from the environment",))
    for value in parsed.values("--git-dir"):
        yield Executes(f"git --git-dir={rows.text_of(value)} takes its configuration from there")
    for value in (*parsed.values("-C"), *parsed.values("--work-tree"), *_elsewhere(invocation)):
        invocation = dataclasses.replace(invocation, cwd=_enter(invocation, value))
    verb = rows.text_of(parsed.operands[0]) if parsed.operands else ""
    rest = parsed.operands[1:]
    if not parsed.operands:
        yield ReadsOnly()
        return
    if not isinstance(parsed.operands[0], Known):
        yield Unrecognised("which git command it is cannot be known")
        return
    alias = aliases.get(verb) or aliases.get(verb.casefold())
    if alias is not None and verb not in _READERS and depth < _MOST_ALIASES:
        yield from _alias(invocation, alias, rest, depth)
        return
    where = rows.target(invocation, Known("."))
    inside = where.place in ("root", "worktree")
    here = not parsed.has("--git-dir", "--work-tree") and (inside or invocation.cwd == invocation.surroundings.cwd)
    settings = [rows.text_of(value) for value in parsed.values("-c")] + ["?" for _ in parsed.values("--config-env")]
    call = Call(verb, rest, invocation, here, tuple(settings))
    found = list(_of_call(call))
    yield from found
    elsewhere = [rows.target(invocation, value) for value in parsed.values("--git-dir", "--work-tree")]
    if not inside or parsed.has("-C"):
        elsewhere.append(where)
    changes = any(isinstance(effect, ChangesRepository) for effect in found)
    yield from (Writes(place) if changes else Reads(place, content=False) for place in elsewhere)


def _of_call(call: Call) -> Iterator[Effect]:
    reader = _READERS.get(call.verb)
    if reader is None:
        yield Unrecognised(f"git {call.verb} is not known")
        return
    yield from reader(call.verb, call.arguments, call.invocation, call)


def _configuration(value: Argument, aliases: dict[str, str]) -> Iterator[Effect]:
    """`-c key=value`: harmless keys pass, an alias is remembered, everything else may run a program."""
    text = rows.text_of(value)
    key, _, setting = text.partition("=")
    if not isinstance(value, Known):
        yield Executes(f"git -c {text}", danger=("configuration that cannot be known",))
        return
    if key.casefold().startswith("alias."):
        aliases[key[6:]] = aliases[key[6:].casefold()] = setting
        return
    bare = key if not setting else text
    if _HARMLESS_KEYS.fullmatch(bare) or _HARMLESS_KEYS.fullmatch(key):
        return
    yield Executes(f"git -c {text}", "sh", setting, danger=(f"{key} may run a program or change what git does",))


def _alias(invocation: Invocation, alias: str, rest: tuple[Argument, ...], depth: int) -> Iterator[Effect]:
    """An alias is a git command line, or after `!` a shell line with the arguments behind it."""
    if alias.lstrip().startswith("!"):
        code = " ".join([alias.lstrip()[1:], *(shlex.quote(rows.text_of(argument)) for argument in rest)])
        yield Executes("a git alias runs a shell line", "sh", code, ("a git alias",))
        return
    try:
        words = shlex.split(alias)
    except ValueError:
        yield Unrecognised("a git alias cannot be read")
        return
    yield from _read(invocation, (*map(Known, words), *rest), depth + 1)


def _enter(invocation: Invocation, folder: Argument) -> str | None:
    """The folder after `-C`."""
    match folder:
        case Known(text) if text.startswith("/"):
            return posixpath.normpath(text)
        case Known(""):
            return invocation.cwd
        case Known(text) if invocation.cwd is not None:
            return rows.target(invocation, Known(text)).path
        case Prefix(text, _) if rows.target(invocation, folder).place == "outside":
            return posixpath.normpath(text.rpartition("/")[0] or "/")
        case _:
            return None


def _push(_verb: str, arguments: tuple[Argument, ...], invocation: Invocation, call: Call) -> Iterator[Effect]:
    yield from git_push.effects(invocation, arguments, here=call.here, settings=call.settings)


_READERS = {
    **dict.fromkeys(git_reading.VERBS, git_reading.effects),
    **dict.fromkeys(git_changes.VERBS, git_changes.effects),
    **dict.fromkeys(("push", "send-pack", "http-push"), _push),
}
ROWS = rows.special("git", _git)
