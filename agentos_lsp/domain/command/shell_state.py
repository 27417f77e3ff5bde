"""What the shell's own commands change in the shell that runs them: folder, variables, positional parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command.invocation import Known, Prefix, Unknown

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Argument
    from agentos_lsp.domain.command.scope import Scope

_DECLARING = frozenset(("export", "declare", "typeset", "local", "readonly"))


_READING = frozenset(("read", "mapfile", "readarray", "getopts", "let"))


_LEAVING = frozenset(("exit", "return", "break", "continue", "logout"))


def follow(  # noqa: C901, PLR0912 - one arm per builtin
    name: str, arguments: tuple[Argument, ...], scope: Scope
) -> None:
    """Follows what a builtin changes in its shell."""
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
        case _ if name in _LEAVING:
            scope.ended = True
        case _:
            pass


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
