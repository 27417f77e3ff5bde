"""What the shell's own commands change in the shell that runs them: folder, variables, positional parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import inside, outputs
from agentos_lsp.domain.command.invocation import Known, Prefix, Unknown

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.scope import Scope

_DECLARING = frozenset(("export", "declare", "typeset", "local", "readonly"))


_READING = frozenset(("read", "mapfile", "readarray", "getopts", "let"))


# Options of `read` whose value is the next word. Source: bash(1), read.
_READ_VALUES = frozenset(("-d", "-p", "-n", "-N", "-t", "-u", "-i"))
_MOST_LINES = 8


_LEAVING = frozenset(("exit", "return", "break", "continue", "logout"))


def follow(  # noqa: C901, PLR0912 - one arm per builtin
    name: str, arguments: tuple[Argument, ...], scope: Scope, stdin: str | None = None
) -> None:
    """Follows what a builtin changes in its shell; `stdin` is the text fed to it, with holes, None if not known."""
    match name:
        case "cd" | "chdir":
            scope.change_folder(arguments)
        case "pushd":
            scope.change_folder(arguments, push=True)
        case "popd":
            scope.pop_folder(arguments)
        case "source" | ".":
            scope.taint()
        case "exec" if arguments:
            scope.ended = True
        case "set":
            texts = [argument.text if isinstance(argument, Known) else None for argument in arguments]
            if "--" in texts:
                scope.positionals = arguments[texts.index("--") + 1 :]
            elif any(text is None or text[:1] not in ("-", "+") for text in texts):
                scope.positionals = None
        case "shift":
            scope.positionals = scope.positionals[1:] if scope.positionals and not arguments else None
        case "printf":
            if arguments[:1] == (Known("-v"),):
                _forget(arguments[1:2], scope)
                _print_into(arguments[1:], scope)
        case "unset":
            for argument in arguments:
                if isinstance(argument, Known) and argument.text.isidentifier():
                    scope.assign(argument.text, Known(""))
                    scope.functions.pop(argument.text, None)
        case _ if name in _DECLARING:
            for argument in arguments:
                if isinstance(argument, (Known, Prefix)) and "=" in argument.text:
                    variable, _, value = argument.text.partition("=")
                    sure = isinstance(argument, Known)
                    scope.assign(
                        variable,
                        Known(value) if sure else Prefix(value, quoted=True) if value else Unknown(value, quoted=True),
                    )
        case _ if name in _READING:
            _forget(arguments, scope)
            if name == "read" and stdin is not None:
                _read(arguments, stdin, scope)
        case _ if name in _LEAVING:
            scope.ended = True
        case _:
            pass


def _print_into(arguments: tuple[Argument, ...], scope: Scope) -> None:
    """`printf -v name form words`."""
    if not arguments or not isinstance(arguments[0], Known) or not arguments[0].text.isidentifier():
        return
    text = outputs.printed((Known("printf"), *arguments[1:]), None, scope)
    if text is not None:
        scope.assign(arguments[0].text, inside.item(text))


def _read(arguments: tuple[Argument, ...], stdin: str, scope: Scope) -> None:
    """`read`: what its variables may hold. That nothing is known of them stays among the values, since input ends."""
    words = [argument.text for argument in arguments if isinstance(argument, Known)]
    before = ["", *words]
    names = [
        word for word, last in zip(words, before, strict=False) if word.isidentifier() and last not in _READ_VALUES
    ]
    lines = [line for line in stdin.replace("\0", "\n").splitlines() if line.strip()][:_MOST_LINES]
    if "-a" in words[:-1]:
        items = tuple(inside.item(piece) for line in lines for piece in line.split())
        scope.vary(f"{words[words.index('-a') + 1]}[@]", items)
        return
    for i, name in enumerate(names):
        ends = i == len(names) - 1
        pieces = [line.split(None, len(names) - 1) for line in lines]
        found = [piece[i].strip() if ends else piece[i] for piece in pieces if len(piece) > i]
        scope.vary(name, (Unknown(f"${name}", quoted=False), *(inside.item(text) for text in dict.fromkeys(found))))


def _forget(arguments: tuple[Argument, ...], scope: Scope) -> None:
    for argument in arguments:
        text = argument.text if isinstance(argument, Known) else ""
        variable = text.partition("=")[0]
        if variable.isidentifier():
            scope.assign(variable, Unknown(f"${variable}", quoted=False))


NAMES = frozenset(
    (
        "cd",
        "chdir",
        "pushd",
        "popd",
        "source",
        ".",
        "exec",
        "set",
        "shift",
        "printf",
        "unset",
        *_DECLARING,
        *_READING,
        *_LEAVING,
    )
)
