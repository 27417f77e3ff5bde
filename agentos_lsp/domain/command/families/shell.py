"""Commands that the shell itself carries out.

Source: bash(1), SHELL BUILTIN COMMANDS, 5.2; POSIX.1-2024, special built-in utilities.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options, wrapper_table
from agentos_lsp.domain.command.effects import Executes, Reads, ReadsOnly, Unrecognised
from agentos_lsp.domain.command.families import environment, rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

_TABLE = """
: pwd | safe | inert | -LPW
cd chdir | safe | read | -LPe@
pushd | safe | read | -n -#
popd dirs | safe | inert | -n -clpv -#
jobs | safe | inert | -lnprs
wait | safe | inert | -fn
type | safe | inert | -afpPt
umask | | inert | -pS
ulimit | | inert | -SHabcdefiklmnpqrstuvxPRT
break continue return shift exit | safe | inert |
unset | | inert | -fvn
unalias | | inert | -a
getopts let | | inert |
fg bg | | inert |
"""
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\[.*\])?(?P<set>\+?=)?", re.DOTALL)
# Options of `set` that change what later commands are; the others make a script stricter.
_SAFE_SET = re.compile(r"[-+][Ceuvx]+o?")
_SAFE_LONG = frozenset(("errexit", "nounset", "pipefail", "xtrace", "verbose", "noclobber"))


def _declares(invocation: Invocation) -> Iterator[Effect]:
    """`export`, `declare`: each name is judged as a variable; without a name they print, secrets among it."""
    words = [argument for argument in invocation.arguments if not rows.text_of(argument).startswith("-")]
    flags = [rows.text_of(argument) for argument in invocation.arguments if rows.text_of(argument).startswith("-")]
    if not words:
        yield Unrecognised(f"{invocation.name} may print secrets of the environment")
        return
    yield ReadsOnly()
    if any(set("fin") & set(flag) for flag in flags):
        yield Executes(f"{invocation.name} {' '.join(flags)} changes functions or references, or evaluates a number")
    for word in words:
        match = _NAME.match(rows.text_of(word))
        if match is None or (not isinstance(word, Known) and not match["set"]):
            yield Unrecognised(f"which variable {invocation.name} sets cannot be known")
            continue
        if "[" in rows.text_of(word).partition("=")[0]:
            yield Executes(f"{invocation.name} evaluates the subscript of {rows.text_of(word)}")
        judged = environment.judge(match["name"])
        if judged is not None:
            yield judged


def _read(invocation: Invocation) -> Iterator[Effect]:
    """`read`, `mapfile`: the variables named are set to what is read."""
    yield ReadsOnly()
    for argument in invocation.arguments:
        text = rows.text_of(argument)
        if not isinstance(argument, Known):
            yield Unrecognised(f"an argument of {invocation.name} cannot be known")
        elif text in ("-C", "-c") and invocation.name in ("mapfile", "readarray"):
            yield Executes(f"{invocation.name} {text} runs a callback")
        elif (
            re.fullmatch(r"[A-Za-z_]\w*", text) and (judged := environment.judge(text)) and isinstance(judged, Executes)
        ):
            yield judged
        elif "[" in text:
            yield Executes(f"{invocation.name} evaluates the subscript of {text}")


def _set(invocation: Invocation) -> Iterator[Effect]:
    words = [rows.text_of(argument) for argument in invocation.arguments]
    if not words:
        yield Unrecognised("set prints every variable, secrets among them")
        return
    safe = all(_SAFE_SET.fullmatch(word) or word in _SAFE_LONG or word in ("-o", "+o") for word in words)
    yield ReadsOnly() if safe else Executes(f"set {' '.join(words)} changes what the shell does")


def _changes_shell(invocation: Invocation) -> Iterator[Effect]:
    """`shopt`, `alias`, `enable`, `hash -p`, `trap`, `bind`: what later words mean may change."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    yield Executes(f"{invocation.name} {' '.join(words[:4])} changes what later commands do".replace("  ", " "))


def _runs_line(invocation: Invocation) -> Iterator[Effect]:
    """`eval` and `trap` run text; whoever unwraps them looks into it, here it is code all the same."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    code = " ".join(words) if invocation.name == "eval" else (words[0] if words else "")
    yield Executes(f"{invocation.name} runs a shell line", "sh", code, (f"{invocation.name} runs text as a command",))


def _sources(invocation: Invocation) -> Iterator[Effect]:
    for argument in invocation.arguments[:1]:
        yield Reads(rows.target(invocation, argument))
        yield Executes(f"{invocation.name} runs the shell script {rows.text_of(argument)}")


def _command(invocation: Invocation) -> Iterator[Effect]:
    """`command -v` looks a name up; otherwise the rest is an invocation of its own, which the wrappers see through."""
    looks = invocation.arguments[:1] in ((Known("-v"),), (Known("-V"),))
    yield ReadsOnly() if looks else Executes(f"{invocation.name} starts a program")


def _prints(invocation: Invocation) -> Iterator[Effect]:
    """`printf -v` sets a variable instead of printing."""
    yield ReadsOnly()
    if rows.text_of((*invocation.arguments, Known(""))[0]).startswith("-v"):
        yield Executes("printf -v sets a variable")


def _hands_on(invocation: Invocation) -> Iterator[Effect]:
    """Starts the rest of its words with a time limit, at another priority, or once for each word that it reads.

    What it starts is an invocation of its own, which the wrappers see through.
    """
    skipped, spec = wrapper_table.PREFIXES[invocation.name]
    parsed = options.parse(options.grammar(spec, permutes=False), invocation.arguments)
    yield ReadsOnly()
    writes = invocation.name in {"time", "gtime"} and parsed.has("--output")
    if writes or len(parsed.operands) < skipped or parsed.has("--arg-file", "--open-tty", "--interactive"):
        yield Unrecognised(f"what {invocation.name} would do with these options is not known")
    yield from rows.doubts(parsed, invocation.name, careful=True)


def _suspends(_: Invocation) -> Iterator[Effect]:
    yield Executes("suspend stops the shell itself")


def _history(invocation: Invocation) -> Iterator[Effect]:
    yield Executes(f"{invocation.name} reads or runs the history of commands")


ROWS = {
    **rows.table(_TABLE),
    **rows.special("export declare typeset local readonly setenv", _declares),
    **rows.special("read mapfile readarray", _read),
    **rows.special("set", _set),
    **rows.special(
        "shopt setopt unsetopt emulate alias abbr enable hash bind complete compgen compopt disown caller zmodload",
        _changes_shell,
    ),
    **rows.special("eval trap", _runs_line),
    **rows.special("source .", _sources),
    **rows.special("command", _command),
    **rows.special("printf", _prints),
    **rows.special(" ".join(wrapper_table.PLAIN), _hands_on),
    **rows.special("suspend", _suspends),
    **rows.special("history fc", _history),
}
